/* Register: an account, its profile, its preferences and a first session. */
#include "prbal/v1/auth.rpc.h"
#include "services/app.h"
#include "services/audit.h"
#include "services/auth/account.sql.h"
#include "services/auth/auth_row.rpc.h"
#include "services/auth/grant.h"
#include "services/auth/otp.h"
#include "services/auth/password.h"
#include "services/auth/password_rules.h"
#include "services/violations.h"

#include <ctype.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum { USERNAME_STEM_MAX = 30 };

/* What is stored, after the request's defaults. */
struct newcomer {
    const char *username;
    const char *full_name;
    const char *password_hash; /* NULL without a password */
    const char *locale;
    const char *timezone;
    ProviderKind provider_kind;
};

static const char *trim(struct arena *arena, const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    return arena_strndup(arena, text, size);
}

static const char *full_name_of(struct arena *arena, const RegisterRequest *req)
{
    const char *given = trim(arena, req->full_name);
    if (*given != '\0')
        return given;
    return trim(arena,
                arena_printf(arena, "%s %s", req->first_name, req->last_name));
}

/* "gwen.f@example.org" becomes "gwen.f-3fa9c1": nobody else has it. */
static const char *make_username(struct arena *arena, const char *email)
{
    char stem[USERNAME_STEM_MAX + 1];
    size_t size = 0;
    for (; *email != '\0' && *email != '@' && size < USERNAME_STEM_MAX; email++)
        if (isalnum((unsigned char)*email) || *email == '.' || *email == '_')
            stem[size++] = (char)tolower((unsigned char)*email);
    stem[size] = '\0';
    uint8_t salt[3];
    if (RAND_bytes(salt, sizeof salt) != 1)
        abort();
    return arena_printf(arena, "%s-%02x%02x%02x", size > 0 ? stem : "user",
                        salt[0], salt[1], salt[2]);
}

static bool is_provider(UserType type)
{
    return type == USER_TYPE_PROVIDER || type == USER_TYPE_BOTH;
}

static struct newcomer newcomer_of(struct arena *arena,
                                   const RegisterRequest *req)
{
    struct newcomer who = {
        .username = *req->username != '\0' ? req->username
                                           : make_username(arena, req->email),
        .full_name = full_name_of(arena, req),
        .locale = *req->locale != '\0' ? req->locale : "en",
        .timezone = *req->timezone != '\0' ? req->timezone
                                           : app_config()->default_timezone,
    };
    if (is_provider(req->user_type))
        who.provider_kind = req->provider_kind != PROVIDER_KIND_UNSPECIFIED
                                ? req->provider_kind
                                : PROVIDER_KIND_PROFESSIONAL;
    return who;
}

static void check_password(struct violations *v, const RegisterRequest *req,
                           const struct newcomer *who)
{
    if (*req->password == '\0' && *req->email == '\0')
        violate(v, "password",
                "An account without an e-mail address needs "
                "a password.");
    if (*req->password == '\0')
        return;
    const struct password_owner owner = {
        .username = req->username,
        .email = req->email,
        .first_name = req->first_name,
        .last_name = req->last_name,
        .full_name = who->full_name,
    };
    const char *weakness = password_weakness(req->password, &owner);
    if (weakness != NULL)
        violate(v, "password", weakness);
    if (*req->password_confirm != '\0' &&
        strcmp(req->password, req->password_confirm) != 0)
        violate(v, "password_confirm", "The two passwords differ.");
}

static rpc_status check_register(struct rpc_call *call,
                                 const RegisterRequest *req,
                                 const struct newcomer *who)
{
    struct violations v = {.call = call};
    if (*req->email == '\0' && *req->phone == '\0')
        violate(&v, "email", "Give an e-mail address or a phone number.");
    if (*who->full_name == '\0')
        violate(&v, "full_name", "Give a name.");
    if (req->user_type == USER_TYPE_ADMIN)
        violate(&v, "user_type", "Administrators are made, not registered.");
    if (req->verification == VERIFICATION_EMAIL_OTP && *req->email == '\0')
        violate(&v, "verification", "There is no e-mail address to verify.");
    if (*req->website != '\0')
        violate(&v, "website", "Leave this empty.");
    check_password(&v, req, who);
    return v.status;
}

static rpc_status insert_account(struct db *tx, const RegisterRequest *req,
                                 const struct newcomer *who, AccountRow **row)
{
    TRY(db_find(tx, &account_insert, row, db_text_or_null(req->email),
                db_text_or_null(req->phone), db_text(who->username),
                db_text(who->password_hash), db_text(req->first_name),
                db_text(req->last_name), db_text(who->full_name),
                db_enum(USER_TYPE_DESCRIPTOR, req->user_type),
                db_enum(PROVIDER_KIND_DESCRIPTOR, who->provider_kind),
                db_text(who->locale), db_text(who->timezone)));
    if (*row == NULL)
        return rpc_fail_reason(db_call(tx), RPC_ALREADY_EXISTS, "PHONE_TAKEN",
                               "this phone number already has an account");
    return RPC_SUCCESS;
}

/* An address that was sent a code a moment ago has it: that is no reason to
 * refuse the account. */
static rpc_status send_first_code(struct db *tx, const RegisterRequest *req,
                                  const Account *account)
{
    if (req->verification != VERIFICATION_EMAIL_OTP)
        return RPC_SUCCESS;
    OtpSentRow *sent;
    rpc_status status =
        otp_send(tx, OTP_PURPOSE_VERIFY_EMAIL, req->email, account, &sent);
    return status.code == RPC_RESOURCE_EXHAUSTED ? RPC_SUCCESS : status;
}

/* The password is hashed before the transaction: a link to the database should
 * not wait for it. */
rpc_status auth_register(struct rpc_call *call, const RegisterRequest *req,
                         RegisterResponse *res)
{
    struct newcomer who = newcomer_of(call->arena, req);
    TRY(check_register(call, req, &who));
    char *hash = NULL;
    if (*req->password != '\0')
        TRY(password_hash(call, req->password, &hash));
    who.password_hash = hash;

    struct db *tx;
    AccountRow *row;
    TRY(db_begin(call->db, &tx));
    TRY(insert_account(tx, req, &who, &row));
    TRY(grant_session(tx, row->account, req->device, &res->tokens));
    TRY(send_first_code(tx, req, row->account));
    TRY(audit(tx, "user.registered", "Account", row->account->user_id, NULL));
    TRY(db_commit(tx));
    res->account = row->account;
    return RPC_SUCCESS;
}
