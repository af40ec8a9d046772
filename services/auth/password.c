#include "services/auth/password.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY_KIB = 19456,
    PASSES = 2,
    LANES = 1,
    SALT_BYTES = 16,
    HASH_BYTES = 32,
    ENCODED_BYTES = 128, /* of our own PHC strings: 97 are used */
    DJANGO_ITERATIONS_MAX = 5000000,
};

#define OUR_PREFIX "$argon2id$v=19$m=19456,t=2,p=1$"
#define DJANGO_PREFIX "pbkdf2_sha256$"

/* Verified when there is no hash.  No password is known to make these bytes,
 * and a match would not count. */
#define NO_HASH \
    OUR_PREFIX  \
    "bm8gc2FsdCBhdCBhbGwuLg$bm90IHRoZSBoYXNoIG9mIGFueSBwYXNzd29yZCAuLi4"

/* -- Argon2id ------------------------------------------------------------ */

struct hash_job {
    const char *password;
    uint8_t salt[SALT_BYTES];
    char encoded[ENCODED_BYTES];
    int failure;
};

static void run_hash(void *argument)
{
    struct hash_job *job = argument;
    job->failure = argon2id_hash_encoded(
        PASSES, MEMORY_KIB, LANES, job->password, strlen(job->password),
        job->salt, SALT_BYTES, HASH_BYTES, job->encoded, ENCODED_BYTES);
}

static rpc_status out_of_memory(struct rpc_call *call)
{
    return rpc_fail(call, RPC_RESOURCE_EXHAUSTED,
                    "no memory to look at a password; try again");
}

rpc_status password_hash(struct rpc_call *call, const char *password,
                         char **hash)
{
    struct hash_job job = {.password = password};
    if (RAND_bytes(job.salt, SALT_BYTES) != 1)
        abort();
    TRY(rpc_offload(call, run_hash, &job));
    if (job.failure != ARGON2_OK)
        return out_of_memory(call);
    *hash = arena_strdup(call->arena, job.encoded);
    return RPC_SUCCESS;
}

/* -- Django -------------------------------------------------------------- */

/* pbkdf2_sha256$600000$salt$base64 */
static bool django_matches(const char *password, const char *hash)
{
    char *end;
    long iterations = strtol(hash + strlen(DJANGO_PREFIX), &end, 10);
    if (iterations < 1 || iterations > DJANGO_ITERATIONS_MAX || *end != '$')
        return false;
    const char *salt = end + 1;
    const char *wanted = strchr(salt, '$');
    if (wanted == NULL)
        return false;

    uint8_t digest[HASH_BYTES];
    char encoded[48]; /* 44 characters, with padding */
    if (PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
                          (const uint8_t *)salt, (int)(wanted - salt),
                          (int)iterations, EVP_sha256(), HASH_BYTES,
                          digest) != 1)
        return false;
    int length = EVP_EncodeBlock((uint8_t *)encoded, digest, HASH_BYTES);
    return strlen(wanted + 1) == (size_t)length &&
           CRYPTO_memcmp(wanted + 1, encoded, (size_t)length) == 0;
}

/* -- verification -------------------------------------------------------- */

struct verify_job {
    const char *password;
    const char *hash;
    bool matches;
    bool is_out_of_memory;
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void run_verify(void *argument)
{
    struct verify_job *job = argument;
    if (starts_with(job->hash, DJANGO_PREFIX)) {
        job->matches = django_matches(job->password, job->hash);
        return;
    }
    int result =
        argon2id_verify(job->hash, job->password, strlen(job->password));
    job->matches = result == ARGON2_OK;
    job->is_out_of_memory = result == ARGON2_MEMORY_ALLOCATION_ERROR;
}

rpc_status password_verify(struct rpc_call *call, const char *password,
                           const char *hash, struct password_check *check)
{
    bool has_hash = hash != NULL && *hash != '\0';
    struct verify_job job = {.password = password,
                             .hash = has_hash ? hash : NO_HASH};
    TRY(rpc_offload(call, run_verify, &job));
    if (job.is_out_of_memory)
        return out_of_memory(call);
    check->matches = job.matches && has_hash;
    check->is_outdated = check->matches && !starts_with(hash, OUR_PREFIX);
    return RPC_SUCCESS;
}
