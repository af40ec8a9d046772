#include "services/seed/seed.h"

#include "db/admin.h"

#include <argon2.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char seed_demo_sql[]; /* services/seed/sets/demo.sql */

enum { HASH_BYTES = 128, SALT_BYTES = 16, DIGEST_BYTES = 32 };

/* As services/auth/password.c keeps them. */
static bool hash_password(char hash[HASH_BYTES])
{
    unsigned char salt[SALT_BYTES];
    return RAND_bytes(salt, sizeof salt) == 1 &&
           argon2id_hash_encoded(2, 19 * 1024, 1, SEED_DEMO_PASSWORD,
                                 strlen(SEED_DEMO_PASSWORD), salt, sizeof salt,
                                 DIGEST_BYTES, hash, HASH_BYTES) == ARGON2_OK;
}

static bool count(struct db_admin *link, const char *sql, int *number,
                  char *error, size_t error_size)
{
    char text[32];
    if (!db_admin_text(link, sql, NULL, text, sizeof text, error, error_size))
        return false;
    *number = (int)strtol(text, NULL, 10);
    return true;
}

static bool count_all(struct db_admin *link, struct seed_result *result,
                      char *error, size_t error_size)
{
    return count(link,
                 "select count(*) from account where email like "
                 "'%@demo.prbal.test'",
                 &result->account_count, error, error_size) &&
           count(link, "select count(*) from service", &result->service_count,
                 error, error_size) &&
           count(link, "select count(*) from bid", &result->bid_count, error,
                 error_size) &&
           count(link, "select count(*) from booking", &result->booking_count,
                 error, error_size) &&
           count(link, "select count(*) from chat_message",
                 &result->message_count, error, error_size);
}

static bool run(struct db_admin *link, int number, struct seed_result *result,
                char *error, size_t error_size)
{
    char digits[16], hash[HASH_BYTES], ignored[HASH_BYTES];
    snprintf(digits, sizeof digits, "%d", number);
    if (!hash_password(hash)) {
        snprintf(error, error_size, "The demo password cannot be hashed.");
        return false;
    }
    const char *const settings[] = {digits, hash, NULL};
    return db_admin_text(link,
                         "select set_config('prbal.seed_number', $1, false), "
                         "set_config('prbal.seed_password_hash', $2, false)",
                         settings, ignored, sizeof ignored, error,
                         error_size) &&
           db_admin_run(link, seed_demo_sql, error, error_size) &&
           count_all(link, result, error, error_size);
}

bool seed_demo(const char *url, int number, struct seed_result *result,
               char *error, size_t error_size)
{
    *result = (struct seed_result){0};
    struct db_admin *link = db_admin_open(url, error, error_size);
    bool good = link != NULL && run(link, number, result, error, error_size);
    db_admin_close(link);
    return good;
}

bool seed_demo_if_empty(const char *url, struct seed_result *result,
                        char *error, size_t error_size)
{
    *result = (struct seed_result){0};
    struct db_admin *link = db_admin_open(url, error, error_size);
    int people = 0;
    bool good = link != NULL && count(link, "select count(*) from account",
                                      &people, error, error_size);
    if (good && people == 0)
        good = run(link, SEED_NUMBER, result, error, error_size);
    db_admin_close(link);
    return good;
}
