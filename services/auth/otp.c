#include "services/auth/otp.h"

#include "services/app.h"
#include "services/auth/otp.sql.h"
#include "services/auth/otp_budget.h"
#include "services/keys.h"
#include "services/mail/letters.h"
#include "services/uuid.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CODES = 1000000, CODE_BYTES = 7, HASH_BYTES = 32 };

/* Every code is as likely as any other: numbers past the last whole million
 * are drawn again. */
static void make_code(char code[CODE_BYTES])
{
    uint32_t number;
    do {
        if (RAND_bytes((uint8_t *)&number, sizeof number) != 1)
            abort();
    } while (number >= UINT32_MAX - UINT32_MAX % CODES);
    snprintf(code, CODE_BYTES, "%06u", number % CODES);
}

/* The challenge's id salts it: equal codes have different hashes. */
static void hash_code(struct arena *arena, const char *challenge_id,
                      const char *code, uint8_t hash[HASH_BYTES])
{
    uint8_t key[KEYS_SECRET_BYTES];
    const char *text = arena_printf(arena, "%s %s", challenge_id, code);
    keys_derive("otp", key);
    if (HMAC(EVP_sha256(), key, sizeof key, (const uint8_t *)text, strlen(text),
             hash, NULL) == NULL)
        abort();
    OPENSSL_cleanse(key, sizeof key);
}

static void mail_code(struct db *tx, OtpPurpose purpose, const char *email,
                      const Account *account, const char *code)
{
    if (purpose == OTP_PURPOSE_PASSWORD_RESET)
        letter_reset_password(tx, account->locale, email, code);
    else
        letter_verify_email(tx, account->locale, email, code);
}

rpc_status otp_send(struct db *tx, OtpPurpose purpose, const char *email,
                    const Account *account, OtpSentRow **sent)
{
    TRY(otp_budget_spend(tx, email, account != NULL));
    TRY(db_exec(tx, &otp_supersede, NULL, db_text(email),
                db_enum(OTP_PURPOSE_DESCRIPTOR, purpose)));

    const struct app_config *config = app_config();
    struct arena *arena = db_call(tx)->arena;
    const char *challenge_id = uuid_create(arena);
    char code[CODE_BYTES];
    uint8_t hash[HASH_BYTES];
    make_code(code);
    hash_code(arena, challenge_id, code, hash);
    TRY(db_one(tx, &otp_insert, sent, db_text(challenge_id),
               db_enum(OTP_PURPOSE_DESCRIPTOR, purpose), db_text(email),
               db_text(account != NULL ? account->user_id : NULL),
               db_bytes(hash, sizeof hash),
               db_double((double)config->otp_ttl_ms / 1000),
               db_double((double)config->otp_resend_ms / 1000)));
    if (account != NULL)
        mail_code(tx, purpose, email, account, code);
    return RPC_SUCCESS;
}

static rpc_status wrong(struct rpc_call *call)
{
    rpc_status status =
        rpc_fail_field(call, "code", "this code is wrong, used or expired");
    rpc_add_reason(call, "OTP_WRONG");
    return status;
}

/* Why no try is left to make. */
static rpc_status no_code(struct db *db, OtpPurpose purpose, const char *email)
{
    OtpStateRow *state;
    TRY(db_one(db, &otp_state, &state, db_text(email),
               db_enum(OTP_PURPOSE_DESCRIPTOR, purpose)));
    if (state->is_exhausted)
        return rpc_fail_reason(db_call(db), RPC_RESOURCE_EXHAUSTED,
                               "OTP_EXHAUSTED",
                               "too many wrong codes; ask for a new one");
    return wrong(db_call(db));
}

rpc_status otp_check(struct db *db, OtpPurpose purpose, const char *email,
                     const char *code, OtpTryRow **found)
{
    assert(!db_is_transaction(db));
    TRY(db_find(db, &otp_try, found, db_text(email),
                db_enum(OTP_PURPOSE_DESCRIPTOR, purpose)));
    if (*found == NULL)
        return no_code(db, purpose, email);

    const ProtobufCBinaryData *stored = &(*found)->code_hash;
    uint8_t hash[HASH_BYTES];
    hash_code(db_call(db)->arena, (*found)->challenge_id, code, hash);
    if (stored->len != HASH_BYTES ||
        CRYPTO_memcmp(stored->data, hash, HASH_BYTES) != 0 ||
        *(*found)->user_id == '\0')
        return wrong(db_call(db));
    return RPC_SUCCESS;
}

rpc_status otp_spend(struct db *tx, const OtpTryRow *found)
{
    int64_t spent;
    TRY(db_exec(tx, &otp_consume, &spent, db_text(found->challenge_id)));
    return spent == 1 ? RPC_SUCCESS : wrong(db_call(tx));
}
