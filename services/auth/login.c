/* Login: a name and a password become a session. */
#include "prbal/v1/auth.rpc.h"
#include "services/audit.h"
#include "services/auth/account.sql.h"
#include "services/auth/auth_row.rpc.h"
#include "services/auth/grant.h"
#include "services/auth/password.h"
#include "services/auth/throttle.h"

#include <string.h>

/* E-mail addresses have an '@', phone numbers begin with '+', and user names
 * can do neither. */
static rpc_status find_account(struct rpc_call *call, const char *identifier,
                               AccountRow **row)
{
    const struct db_query *query = &account_by_username;
    if (strchr(identifier, '@') != NULL)
        query = &account_by_email;
    else if (identifier[0] == '+')
        query = &account_by_phone;
    return db_find(call->db, query, row, db_text(identifier));
}

static rpc_status bad_credentials(struct rpc_call *call)
{
    return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "BAD_CREDENTIALS",
                           "the name or the password is wrong");
}

/* Said only to those who know the password. */
static rpc_status account_is_closed(struct rpc_call *call)
{
    return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "ACCOUNT_SUSPENDED",
                           "this account is closed");
}

static rpc_status start_session(struct rpc_call *call, const LoginRequest *req,
                                const Account *account, const char *new_hash,
                                LoginResponse *res)
{
    struct db *tx;
    int64_t noted;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &account_note_login, &noted, db_text(account->user_id),
                db_text(new_hash)));
    if (noted == 0)
        return account_is_closed(call);
    TRY(grant_session(tx, account, req->device, &res->tokens));
    TRY(throttle_forgive(tx, account->user_id));
    TRY(audit(tx, "auth.login", "Session", call->caller.session_id, NULL));
    return db_commit(tx);
}

/* An unknown account takes the same statements and the same hash as a wrong
 * password. */
rpc_status auth_login(struct rpc_call *call, const LoginRequest *req,
                      LoginResponse *res)
{
    AccountRow *row;
    TRY(throttle_address(call->db));
    TRY(find_account(call, req->identifier, &row));
    const char *name = row != NULL ? row->account->user_id : req->identifier;
    TRY(throttle_account(call->db, name));

    struct password_check check;
    TRY(password_verify(call, req->password,
                        row != NULL ? row->password_hash : NULL, &check));
    if (!check.matches)
        return bad_credentials(call);
    if (row->account->account_status == ACCOUNT_STATUS_SUSPENDED)
        return account_is_closed(call);

    char *new_hash = NULL;
    if (check.is_outdated)
        TRY(password_hash(call, req->password, &new_hash));
    TRY(start_session(call, req, row->account, new_hash, res));
    res->account = row->account;
    return RPC_SUCCESS;
}
