/* GetMe, GetUser: who I am, and who others are. */
#include "prbal/v1/user.rpc.h"
#include "services/users/user.sql.h"

rpc_status user_get_me(struct rpc_call *call, const GetMeRequest *req,
                       GetMeResponse *res)
{
    (void)req;
    GetMeResponse *me;
    TRY(db_one(call->db, &me_get, &me, db_text(call->caller.id)));
    *res = *me;
    return RPC_SUCCESS;
}

rpc_status user_get_user(struct rpc_call *call, const GetUserRequest *req,
                         GetUserResponse *res)
{
    PublicUser *user;
    TRY(db_find(call->db, &user_public, &user, db_text(req->user_id)));
    if (user == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "user not found");
    res->user = user;
    return RPC_SUCCESS;
}
