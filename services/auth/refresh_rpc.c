/* RefreshToken: one token is exchanged for the next, once.
 *
 *   current token           -> its successor; the row moves on
 *   the one before, < 10 s  -> the same successor again
 *   any older one           -> somebody has a copy: the session ends */
#include "prbal/v1/auth.rpc.h"
#include "services/app.h"
#include "services/audit.h"
#include "services/auth/auth_row.rpc.h"
#include "services/auth/grant.h"
#include "services/auth/peer.h"
#include "services/auth/revocation.h"
#include "services/auth/session.sql.h"
#include "services/mail/letters.h"
#include "services/notifications/notify.h"

struct exchange {
    struct refresh_token next;
    const char *session_id;
    uint8_t old_hash[REFRESH_HASH_BYTES];
    uint8_t next_hash[REFRESH_HASH_BYTES];
};

static rpc_status tell_owner(struct db *tx, const Account *account)
{
    if (*account->email != '\0')
        letter_session_stolen(tx, account->locale, account->email);
    const struct notice notice = {
        .recipient_id = account->user_id,
        .type = NOTIFICATION_TYPE_SYSTEM,
        .title = "A session was ended for your safety",
        .message = "A sign-in of your account was used from two places, so it "
                   "was ended on both. If you do not know why, change your "
                   "password.",
    };
    return notify(tx, &notice);
}

static rpc_status end_family(struct rpc_call *call, const SessionRow *row)
{
    struct db *tx;
    int64_t ended;
    const char *user_id = row->account->user_id;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &session_end, &ended, db_text(row->session_id),
                db_text(user_id), db_text("TOKEN_REUSED")));
    if (ended > 0) {
        TRY(tell_owner(tx, row->account));
        TRY(audit(tx, "auth.token_reused", "Session", row->session_id, NULL));
    }
    TRY(db_commit(tx));
    revocation_tell(call, user_id, row->session_id);
    return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_REUSED",
                           "this token was used before; the session has "
                           "ended, sign in again");
}

static rpc_status check_session(struct rpc_call *call, const SessionRow *row)
{
    if (row == NULL || row->is_revoked)
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_INVALID",
                               "this session has ended; sign in again");
    if (row->account->account_status == ACCOUNT_STATUS_SUSPENDED ||
        row->account->account_status == ACCOUNT_STATUS_DELETED)
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "ACCOUNT_SUSPENDED",
                               "this account is closed");
    if (row->is_expired)
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_EXPIRED",
                               "this session has expired; sign in again");
    return RPC_SUCCESS;
}

/* The token is ours but not the session's current one. */
static rpc_status take_twin(struct rpc_call *call, const struct exchange *e,
                            SessionRow **row)
{
    TRY(db_find(call->db, &session_state, row, db_text(e->session_id),
                db_bytes(e->old_hash, REFRESH_HASH_BYTES),
                db_bytes(e->next_hash, REFRESH_HASH_BYTES),
                db_double(REFRESH_GRACE_S)));
    TRY(check_session(call, *row));
    return (*row)->is_twin ? RPC_SUCCESS : end_family(call, *row);
}

static rpc_status rotate(struct rpc_call *call, const struct exchange *e,
                         SessionRow **row)
{
    char address[PEER_TEXT_BYTES];
    peer_address(call->peer, address);
    return db_find(call->db, &session_rotate, row, db_text(e->session_id),
                   db_bytes(e->old_hash, REFRESH_HASH_BYTES),
                   db_bytes(e->next_hash, REFRESH_HASH_BYTES),
                   db_int(app_config()->refresh_ttl_ms),
                   db_text_or_null(address));
}

rpc_status auth_refresh_token(struct rpc_call *call,
                              const RefreshTokenRequest *req,
                              RefreshTokenResponse *res)
{
    struct refresh_token token;
    struct exchange e;
    if (!refresh_read(req->refresh_token, &token))
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_INVALID",
                               "this is no refresh token of ours");
    refresh_next(&token, &e.next);
    refresh_hash(&token, e.old_hash);
    refresh_hash(&e.next, e.next_hash);
    e.session_id = refresh_session_id(call->arena, &token);

    SessionRow *row;
    TRY(rotate(call, &e, &row));
    if (row == NULL)
        TRY(take_twin(call, &e, &row));
    res->tokens = grant_access(call, row->account, row->session_id, &e.next,
                               row->expire_time);
    return RPC_SUCCESS;
}
