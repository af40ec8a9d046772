/* GetMe, GetUser: who I am, and who others are. */
#include "prbal/v1/user.rpc.h"
#include "rpc/read_mask.h"
#include "services/listings/service.sql.h"
#include "services/users/user.sql.h"

enum { SERVICES_SHOWN = 12 };

rpc_status user_get_me(struct rpc_call *call, const GetMeRequest *req,
                       GetMeResponse *res)
{
    db_arg id = db_text(call->caller.id);
    GetMeResponse *me;
    TRY(db_one(call->db, &me_get, &me, id));
    *res = *me;
    bool has_services =
        me->counters != NULL && me->counters->active_service_count > 0;
    if (!has_services || !read_mask_wants(req->read_mask, "services"))
        return RPC_SUCCESS;
    return db_many(call->db, &services_active_of_owner, &res->n_services,
                   &res->services, id, db_bool(false), db_int(SERVICES_SHOWN));
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
