/* SendEmailOtp, VerifyEmailOtp, RequestPasswordReset: who has the mailbox. */
#include "prbal/v1/auth.rpc.h"
#include "services/app.h"
#include "services/audit.h"
#include "services/auth/account.sql.h"
#include "services/auth/grant.h"
#include "services/auth/otp.h"
#include "services/mail/letters.h"
#include "services/notifications/notify.h"

#include <string.h>

/* -- sending ------------------------------------------------------------- */

static bool may_get_codes(const AccountRow *row)
{
    return row != NULL &&
           row->account->account_status != ACCOUNT_STATUS_SUSPENDED;
}

/* What a caller is told who may know which accounts there are. */
static rpc_status check_open_secret(struct rpc_call *call, OtpPurpose purpose,
                                    const AccountRow *row)
{
    if (!may_get_codes(row))
        return rpc_fail(call, RPC_NOT_FOUND,
                        "this e-mail address has no account");
    if (purpose == OTP_PURPOSE_VERIFY_EMAIL && row->account->is_email_verified)
        return rpc_fail_reason(call, RPC_FAILED_PRECONDITION,
                               "ALREADY_VERIFIED",
                               "this e-mail address is verified already");
    return RPC_SUCCESS;
}

static rpc_status send_code(struct rpc_call *call, OtpPurpose purpose,
                            const char *email, OtpSentRow **sent)
{
    AccountRow *row;
    TRY(db_find(call->db, &account_by_email, &row, db_text(email)));
    if (!app_config()->hide_unknown_accounts)
        TRY(check_open_secret(call, purpose, row));

    struct db *tx;
    const Account *account = may_get_codes(row) ? row->account : NULL;
    TRY(db_begin(call->db, &tx));
    TRY(otp_send(tx, purpose, email, account, sent));
    return db_commit(tx);
}

rpc_status auth_send_email_otp(struct rpc_call *call,
                               const SendEmailOtpRequest *req,
                               SendEmailOtpResponse *res)
{
    OtpSentRow *sent;
    TRY(send_code(call, req->purpose, req->email, &sent));
    res->expire_time = sent->expire_time;
    res->resend_time = sent->resend_time;
    return RPC_SUCCESS;
}

rpc_status auth_request_password_reset(struct rpc_call *call,
                                       const RequestPasswordResetRequest *req,
                                       RequestPasswordResetResponse *res)
{
    OtpSentRow *sent;
    TRY(send_code(call, OTP_PURPOSE_PASSWORD_RESET, req->email, &sent));
    res->expire_time = sent->expire_time;
    res->resend_time = sent->resend_time;
    return RPC_SUCCESS;
}

/* -- verifying ----------------------------------------------------------- */

static rpc_status welcome(struct db *tx, const Account *account)
{
    letter_welcome(tx, account->locale, account->email, account->full_name);
    const struct notice notice = {
        .recipient_id = account->user_id,
        .type = NOTIFICATION_TYPE_SYSTEM,
        .title = "Welcome to Prbal",
        .message = "Your e-mail address is verified and your account is ready.",
    };
    TRY(notify(tx, &notice));
    return audit(tx, "user.email_verified", "Account", account->user_id, NULL);
}

/* The address is compared once more: it may have changed since the code was
 * sent. */
static rpc_status verify(struct rpc_call *call, const char *email,
                         const OtpTryRow *found, AccountRow **row)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(otp_spend(tx, found));
    TRY(db_one(tx, &account_verify_email, row, db_text(found->user_id),
               db_text(email)));
    TRY(welcome(tx, (*row)->account));
    return db_commit(tx);
}

rpc_status auth_verify_email_otp(struct rpc_call *call,
                                 const VerifyEmailOtpRequest *req,
                                 VerifyEmailOtpResponse *res)
{
    OtpTryRow *found;
    AccountRow *row;
    TRY(otp_check(call->db, OTP_PURPOSE_VERIFY_EMAIL, req->email, req->code,
                  &found));
    TRY(verify(call, req->email, found, &row));
    res->account = row->account;
    if (call->caller.id != NULL &&
        strcmp(call->caller.id, row->account->user_id) == 0)
        res->tokens = grant_access(call, row->account, call->caller.session_id,
                                   NULL, NULL);
    return RPC_SUCCESS;
}
