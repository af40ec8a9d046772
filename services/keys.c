/* Files are made with link(): of several processes that start together one
 * wins, and all read what it wrote. */
#include "services/keys.h"

#include "rpc/arena.h"
#include "services/base64url.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1023, PATH_BYTES = 1024 };

static struct {
    struct arena *arena;
    struct keys_token tokens[KEYS_TOKEN_MAX];
    size_t token_count;
    uint8_t secret[KEYS_SECRET_BYTES];
} keys;

/* -- files --------------------------------------------------------------- */

/* OpenSSL fails here only when memory has run out. */
static void must(int worked)
{
    if (worked != 1)
        abort();
}

static bool fail(char *error, size_t error_size, const char *path,
                 const char *why)
{
    snprintf(error, error_size, "%s: %s", path, why);
    return false;
}

static bool write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool written = write(fd, bytes, size) == (ssize_t)size && fsync(fd) == 0;
    return close(fd) == 0 && written;
}

/* Leaves an existing file as it is. */
static bool create_once(const char *path, const void *bytes, size_t size,
                        char *error, size_t error_size)
{
    char temporary[PATH_BYTES + 32];
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    unlink(temporary);
    if (!write_file(temporary, bytes, size)) {
        unlink(temporary);
        return fail(error, error_size, path, strerror(errno));
    }
    int linked = link(temporary, path);
    int why = errno;
    unlink(temporary);
    if (linked != 0 && why != EEXIST)
        return fail(error, error_size, path, strerror(why));
    return true;
}

/* A file that others can read is no secret: refused, as ssh does. */
static bool read_file(const char *path, char *bytes, size_t *size, char *error,
                      size_t error_size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return fail(error, error_size, path, strerror(errno));
    struct stat status;
    if (fstat(fileno(file), &status) != 0 || (status.st_mode & 077) != 0) {
        fclose(file);
        return fail(error, error_size, path,
                    "others can read it; chmod it to 600");
    }
    *size = fread(bytes, 1, FILE_BYTES_MAX, file);
    bytes[*size] = '\0';
    fclose(file);
    return true;
}

/* -- token keys ---------------------------------------------------------- */

static char *pem_text(BIO *bio)
{
    char *bytes;
    long size = BIO_get_mem_data(bio, &bytes);
    char *text = arena_strndup(keys.arena, bytes, (size_t)size);
    BIO_free(bio);
    return text;
}

static char *private_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    must(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    return pem_text(bio);
}

static char *public_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    must(PEM_write_bio_PUBKEY(bio, key));
    return pem_text(bio);
}

static EVP_PKEY *read_pem(const char *pem, bool *is_private)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, "");
    *is_private = key != NULL;
    BIO_free(bio);
    if (key != NULL)
        return key;
    bio = BIO_new_mem_buf(pem, -1);
    key = PEM_read_bio_PUBKEY(bio, NULL, NULL, "");
    BIO_free(bio);
    return key;
}

static bool read_point(EVP_PKEY *key, struct keys_token *token)
{
    char group[32];
    uint8_t point[65]; /* 4, x, y */
    size_t size;
    if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1 ||
        strcmp(group, "prime256v1") != 0)
        return false;
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point,
                                        sizeof point, &size) != 1 ||
        size != sizeof point || point[0] != POINT_CONVERSION_UNCOMPRESSED)
        return false;
    memcpy(token->x, point + 1, sizeof token->x);
    memcpy(token->y, point + 33, sizeof token->y);
    return true;
}

static void set_thumbprint(struct keys_token *token)
{
    char *json = arena_printf(
        keys.arena,
        "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
        base64url_encode(keys.arena, token->x, sizeof token->x),
        base64url_encode(keys.arena, token->y, sizeof token->y));
    uint8_t digest[32];
    must(EVP_Digest(json, strlen(json), digest, NULL, EVP_sha256(), NULL));
    char *kid = base64url_encode(keys.arena, digest, sizeof digest);
    memcpy(token->kid, kid, sizeof token->kid);
}

static bool load_token_key(const char *path, bool signs, char *error,
                           size_t error_size)
{
    char pem[FILE_BYTES_MAX + 1];
    size_t size;
    if (!read_file(path, pem, &size, error, error_size))
        return false;

    bool is_private;
    EVP_PKEY *key = read_pem(pem, &is_private);
    OPENSSL_cleanse(pem, sizeof pem);
    struct keys_token *token = &keys.tokens[keys.token_count];
    if (key == NULL || !read_point(key, token) || (signs && !is_private)) {
        EVP_PKEY_free(key);
        return fail(error, error_size, path, "holds no P-256 key");
    }
    token->private_pem = is_private ? private_pem(key) : NULL;
    token->public_pem = public_pem(key);
    set_thumbprint(token);
    keys.token_count++;
    EVP_PKEY_free(key);
    return true;
}

static bool make_token_key(const char *path, char *error, size_t error_size)
{
    if (access(path, F_OK) == 0)
        return true;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (key == NULL)
        return fail(error, error_size, path, "a key could not be made");
    const char *pem = private_pem(key);
    EVP_PKEY_free(key);
    return create_once(path, pem, strlen(pem), error, error_size);
}

static bool load_other_token_keys(const char *folder, char *error,
                                  size_t error_size)
{
    char pattern[PATH_BYTES];
    snprintf(pattern, sizeof pattern, "%s/token-*.pem", folder);
    glob_t found;
    if (glob(pattern, 0, NULL, &found) != 0)
        return true;
    bool loaded = true;
    for (size_t i = 0; loaded && i < found.gl_pathc; i++) {
        if (keys.token_count == KEYS_TOKEN_MAX)
            loaded = fail(error, error_size, found.gl_pathv[i],
                          "one key too many; remove old ones");
        else
            loaded =
                load_token_key(found.gl_pathv[i], false, error, error_size);
    }
    globfree(&found);
    return loaded;
}

/* -- the secret ---------------------------------------------------------- */

static bool load_secret(const char *path, char *error, size_t error_size)
{
    uint8_t fresh[KEYS_SECRET_BYTES];
    if (RAND_bytes(fresh, sizeof fresh) != 1)
        return fail(error, error_size, path, "no random bytes to be had");
    if (access(path, F_OK) != 0 &&
        !create_once(path, fresh, sizeof fresh, error, error_size))
        return false;

    char bytes[FILE_BYTES_MAX + 1];
    size_t size;
    if (!read_file(path, bytes, &size, error, error_size))
        return false;
    if (size != KEYS_SECRET_BYTES)
        return fail(error, error_size, path, "is not 32 bytes long");
    memcpy(keys.secret, bytes, KEYS_SECRET_BYTES);
    OPENSSL_cleanse(bytes, sizeof bytes);
    return true;
}

/* -- public -------------------------------------------------------------- */

static bool load_all(const char *folder, char *error, size_t error_size)
{
    char path[PATH_BYTES];
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return fail(error, error_size, folder, strerror(errno));

    snprintf(path, sizeof path, "%s/token.pem", folder);
    if (!make_token_key(path, error, error_size) ||
        !load_token_key(path, true, error, error_size) ||
        !load_other_token_keys(folder, error, error_size))
        return false;
    snprintf(path, sizeof path, "%s/secret", folder);
    return load_secret(path, error, error_size);
}

bool keys_load(const char *folder, char *error, size_t error_size)
{
    keys_forget();
    if (strlen(folder) > PATH_BYTES - 64)
        return fail(error, error_size, folder, "the path is too long");
    keys.arena = arena_create();
    if (load_all(folder, error, error_size))
        return true;
    keys_forget();
    return false;
}

void keys_forget(void)
{
    arena_destroy(keys.arena);
    OPENSSL_cleanse(&keys, sizeof keys);
}

size_t keys_token_count(void)
{
    return keys.token_count;
}

const struct keys_token *keys_token(size_t index)
{
    assert(index < keys.token_count);
    return &keys.tokens[index];
}

void keys_derive(const char *purpose, uint8_t key[KEYS_SECRET_BYTES])
{
    assert(keys.arena != NULL);
    size_t size = KEYS_SECRET_BYTES;
    EVP_PKEY_CTX *hkdf = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    must(EVP_PKEY_derive_init(hkdf));
    must(EVP_PKEY_CTX_set_hkdf_md(hkdf, EVP_sha256()));
    must(EVP_PKEY_CTX_set1_hkdf_key(hkdf, keys.secret, sizeof keys.secret));
    must(EVP_PKEY_CTX_add1_hkdf_info(hkdf, (const uint8_t *)purpose,
                                     (int)strlen(purpose)));
    must(EVP_PKEY_derive(hkdf, key, &size));
    EVP_PKEY_CTX_free(hkdf);
}
