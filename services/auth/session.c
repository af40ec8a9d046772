/* Logout, ListSessions, RevokeSession. */
#include "prbal/v1/auth.rpc.h"
#include "services/audit.h"
#include "services/auth/revocation.h"
#include "services/auth/session.sql.h"

static rpc_status end_session(struct rpc_call *call, const char *session_id,
                              const char *reason, const char *action,
                              int64_t *ended)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &session_end, ended, db_text(session_id),
                db_text(call->caller.id), db_text(reason)));
    if (*ended == 0)
        return RPC_SUCCESS;
    TRY(audit(tx, action, "Session", session_id, NULL));
    TRY(db_commit(tx));
    revocation_tell(call, call->caller.id, session_id);
    return RPC_SUCCESS;
}

rpc_status auth_logout(struct rpc_call *call, const LogoutRequest *req,
                       LogoutResponse *res)
{
    (void)req;
    (void)res;
    int64_t ended;
    return end_session(call, call->caller.session_id, "LOGOUT", "auth.logout",
                       &ended);
}

rpc_status auth_revoke_session(struct rpc_call *call,
                               const RevokeSessionRequest *req,
                               RevokeSessionResponse *res)
{
    (void)res;
    int64_t ended;
    TRY(end_session(call, req->session_id, "REVOKED", "auth.session_revoked",
                    &ended));
    if (ended == 0)
        return rpc_fail(call, RPC_NOT_FOUND, "session not found");
    return RPC_SUCCESS;
}

rpc_status auth_list_sessions(struct rpc_call *call,
                              const ListSessionsRequest *req,
                              ListSessionsResponse *res)
{
    (void)req;
    return db_many(call->db, &session_list, &res->n_sessions, &res->sessions,
                   db_text(call->caller.id), db_text(call->caller.session_id));
}
