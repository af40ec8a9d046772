/* GetMe, GetUser: who I am, and who others are. */
#include "prbal/v1/user.rpc.h"
#include "rpc/codec.h"
#include "services/users/user.sql.h"

#include <string.h>

static const char *const parts[] = {"account", "profile", "provider_profile",
                                    "counters"};

static rpc_status check_mask(struct rpc_call *call,
                             const Google__Protobuf__FieldMask *mask)
{
    for (size_t i = 0; mask != NULL && i < mask->n_paths; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            known |= strcmp(mask->paths[i], parts[k]) == 0;
        if (!known)
            return rpc_fail_field(call, "read_mask",
                                  "\"%.64s\" cannot be read; name account, "
                                  "profile, provider_profile or counters",
                                  mask->paths[i]);
    }
    return RPC_SUCCESS;
}

static bool reads(const Google__Protobuf__FieldMask *mask, const char *part)
{
    return mask == NULL || mask->n_paths == 0 ||
           codec_mask_has(mask->n_paths, (const char *const *)mask->paths,
                          part);
}

rpc_status user_get_me(struct rpc_call *call, const GetMeRequest *req,
                       GetMeResponse *res)
{
    GetMeResponse *me;
    TRY(check_mask(call, req->read_mask));
    TRY(db_one(call->db, &me_get, &me, db_text(call->caller.id)));
    if (reads(req->read_mask, "account"))
        res->account = me->account;
    if (reads(req->read_mask, "profile"))
        res->profile = me->profile;
    if (reads(req->read_mask, "provider_profile"))
        res->provider_profile = me->provider_profile;
    if (reads(req->read_mask, "counters"))
        res->counters = me->counters;
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
