#include "services/certificate.h"

#include "rpc/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DAY_S = 86400, LIFETIME_DAYS = 365, RENEW_DAYS = 7, PATH_BYTES = 1024 };

__attribute__((format(printf, 3, 4))) static bool fail(char *error,
                                                       size_t error_size,
                                                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, error_size, format, args);
    va_end(args);
    return false;
}

static time_t now_s(void)
{
    return (time_t)(clock_wall_us() / 1000000);
}

static bool still_good(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    time_t soon = now_s() + RENEW_DAYS * DAY_S;
    bool good = certificate != NULL &&
                X509_cmp_time(X509_get0_notAfter(certificate), &soon) > 0;
    X509_free(certificate);
    return good;
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool good =
        extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] &= 0x7f; /* positive */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool good =
        number != NULL &&
        BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return good;
}

/* Signed by itself, so that `-cacert cert.pem` is all a client needs, and no
 * authority: rustls refuses one that shows itself, and whoever trusts it should
 * trust nothing else by it. */
static bool fill(X509 *certificate, EVP_PKEY *key)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    time_t now = now_s();
    return X509_set_version(certificate, X509_VERSION_3) == 1 &&
           set_serial(certificate) &&
           X509_time_adj_ex(X509_getm_notBefore(certificate), 0, -300, &now) !=
               NULL &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), LIFETIME_DAYS, 0,
                            &now) != NULL &&
           X509_NAME_add_entry_by_txt(
               name, "CN", MBSTRING_ASC,
               (const unsigned char *)"Prbal development", -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 &&
           X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, NID_basic_constraints,
                         "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage,
                         "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, NID_subject_alt_name,
                         "DNS:localhost,IP:127.0.0.1,IP:::1") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

/* Written beside and renamed: a reader sees a whole file or the old one. */
static bool write_pem(const char *path, mode_t mode, X509 *certificate,
                      EVP_PKEY *key)
{
    char fresh[PATH_BYTES + 8];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return false;
    FILE *file = fdopen(fd, "w");
    bool good =
        fchmod(fd, mode) == 0 &&
        (certificate != NULL ? PEM_write_X509(file, certificate)
                             : PEM_write_PKCS8PrivateKey(file, key, NULL, NULL,
                                                         0, NULL, NULL)) == 1;
    good = fclose(file) == 0 && good;
    return good && rename(fresh, path) == 0;
}

static bool make(const char *certificate_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    bool good = key != NULL && certificate != NULL && fill(certificate, key) &&
                write_pem(key_path, 0600, NULL, key) &&
                write_pem(certificate_path, 0644, certificate, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return good;
}

bool certificate_ensure(const char *folder, char *error, size_t error_size)
{
    char certificate[PATH_BYTES], key[PATH_BYTES];
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    if (still_good(certificate) && access(key, R_OK) == 0)
        return true;
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return fail(error, error_size, "The folder %s cannot be made: %s.",
                    folder, strerror(errno));
    if (!make(certificate, key))
        return fail(error, error_size,
                    "A certificate cannot be written to %s: %s.", folder,
                    strerror(errno));
    return true;
}
