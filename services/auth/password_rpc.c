/* ChangePassword, ConfirmPasswordReset. */
#include "prbal/v1/auth.rpc.h"
#include "services/audit.h"
#include "services/auth/account.sql.h"
#include "services/auth/otp.h"
#include "services/auth/password.h"
#include "services/auth/password_rules.h"
#include "services/auth/revocation.h"
#include "services/auth/session.sql.h"
#include "services/auth/throttle.h"
#include "services/mail/letters.h"

#include <string.h>

static const char *weakness_of(const char *password, const Account *account)
{
    const struct password_owner owner = {
        .username = account->username,
        .email = account->email,
        .first_name = account->first_name,
        .last_name = account->last_name,
        .full_name = account->full_name,
    };
    return password_weakness(password, &owner);
}

/* Ends all sessions of an account but `keep` (NULL: all), the loops being told
 * when the caller has committed: tell_ended(). */
static rpc_status end_others(struct db *tx, const char *user_id,
                             const char *keep, const char *reason,
                             size_t *count, SessionIdRow ***ended)
{
    return db_many(tx, &session_end_others, count, ended, db_text(user_id),
                   db_text(keep), db_text(reason));
}

static void tell_ended(struct rpc_call *call, const char *user_id, size_t count,
                       SessionIdRow *const *ended)
{
    for (size_t i = 0; i < count; i++)
        revocation_tell(call, user_id, ended[i]->session_id);
}

/* -- ChangePassword ------------------------------------------------------ */

static rpc_status check_change(struct rpc_call *call,
                               const ChangePasswordRequest *req,
                               const AccountRow *row)
{
    if (*row->password_hash == '\0')
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION, "NO_PASSWORD",
                               "this account has no password; set one with "
                               "RequestPasswordReset");
    if (*req->new_password_confirm != '\0' &&
        strcmp(req->new_password, req->new_password_confirm) != 0)
        return rpc_fail_field(call, "new_password_confirm",
                              "The two passwords differ.");
    const char *weakness = weakness_of(req->new_password, row->account);
    if (weakness != NULL)
        return rpc_fail_field(call, "new_password", "%s", weakness);
    return RPC_SUCCESS;
}

static rpc_status check_old(struct rpc_call *call,
                            const ChangePasswordRequest *req,
                            const AccountRow *row)
{
    struct password_check check;
    TRY(throttle_account(call->db, row->account->user_id));
    TRY(password_verify(call, req->old_password, row->password_hash, &check));
    if (!check.matches)
        return rpc_fail_field(call, "old_password",
                              "This is not the old password.");
    if (strcmp(req->old_password, req->new_password) == 0)
        return rpc_fail_field(call, "new_password",
                              "This is the old password.");
    return RPC_SUCCESS;
}

static rpc_status store_change(struct rpc_call *call, const AccountRow *row,
                               const char *hash, size_t *count,
                               SessionIdRow ***ended)
{
    struct db *tx;
    const Account *account = row->account;
    int64_t changed;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &account_set_password, &changed, db_text(account->user_id),
                db_text(hash), db_text(row->password_hash)));
    if (changed == 0)
        return rpc_fail(call, RPC_ABORTED,
                        "the password was changed at the same moment");
    TRY(end_others(tx, account->user_id, call->caller.session_id,
                   "PASSWORD_CHANGED", count, ended));
    TRY(throttle_forgive(tx, account->user_id));
    TRY(audit(tx, "auth.password_changed", "Account", account->user_id, NULL));
    if (*account->email != '\0')
        letter_password_changed(tx, account->locale, account->email);
    return db_commit(tx);
}

rpc_status auth_change_password(struct rpc_call *call,
                                const ChangePasswordRequest *req,
                                ChangePasswordResponse *res)
{
    AccountRow *row;
    char *hash;
    SessionIdRow **ended;
    size_t count;
    TRY(db_one(call->db, &account_by_id, &row, db_text(call->caller.id)));
    TRY(check_change(call, req, row));
    TRY(check_old(call, req, row));
    TRY(password_hash(call, req->new_password, &hash));
    TRY(store_change(call, row, hash, &count, &ended));
    tell_ended(call, call->caller.id, count, ended);
    res->revoked_session_count = (int32_t)count;
    return RPC_SUCCESS;
}

/* -- ConfirmPasswordReset ------------------------------------------------ */

static rpc_status store_reset(struct rpc_call *call, const OtpTryRow *found,
                              const Account *account, const char *email,
                              const char *hash, size_t *count,
                              SessionIdRow ***ended)
{
    struct db *tx;
    int64_t changed;
    TRY(db_begin(call->db, &tx));
    TRY(otp_spend(tx, found));
    TRY(db_exec(tx, &account_reset_password, &changed,
                db_text(account->user_id), db_text(hash), db_text(email)));
    if (changed == 0)
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "ACCOUNT_SUSPENDED",
                               "this account is closed");
    TRY(end_others(tx, account->user_id, NULL, "PASSWORD_RESET", count, ended));
    TRY(throttle_unlock(tx, account->user_id));
    TRY(audit(tx, "auth.password_reset", "Account", account->user_id, NULL));
    letter_password_changed(tx, account->locale, account->email);
    return db_commit(tx);
}

rpc_status auth_confirm_password_reset(struct rpc_call *call,
                                       const ConfirmPasswordResetRequest *req,
                                       ConfirmPasswordResetResponse *res)
{
    (void)res;
    OtpTryRow *found;
    AccountRow *row;
    char *hash;
    TRY(otp_check(call->db, OTP_PURPOSE_PASSWORD_RESET, req->email, req->code,
                  &found));
    TRY(db_one(call->db, &account_by_id, &row, db_text(found->user_id)));
    const char *weakness = weakness_of(req->new_password, row->account);
    if (weakness != NULL)
        return rpc_fail_field(call, "new_password", "%s", weakness);
    TRY(password_hash(call, req->new_password, &hash));

    SessionIdRow **ended;
    size_t count;
    TRY(store_reset(call, found, row->account, req->email, hash, &count,
                    &ended));
    tell_ended(call, row->account->user_id, count, ended);
    return RPC_SUCCESS;
}
