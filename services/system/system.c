/* GetServerInfo: what a client asks before anybody has signed in. */
#include "prbal/v1/system.rpc.h"
#include "rpc/call.h"
#include "rpc/clock.h"
#include "services/app.h"

struct feature {
    const char *name;
    bool is_on;
};

static void list_features(struct rpc_call *call, GetServerInfoResponse *res)
{
    const struct app_config *config = app_config();
    /* Sorted by name. */
    const struct feature features[] = {
        {"auth.email_otp", true},
        {"auth.password", true},
        {"browse.public", config->public_browse},
        {"chat", true},
        {"events", true},
        {"notifications", true},
    };
    size_t count = sizeof features / sizeof features[0];
    const char **names = arena_array(call->arena, count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        if (features[i].is_on)
            names[res->n_features++] = features[i].name;
    res->features = names;
}

rpc_status system_get_server_info(struct rpc_call *call,
                                  const GetServerInfoRequest *req,
                                  GetServerInfoResponse *res)
{
    (void)req;
    int64_t now_us = clock_wall_us();
    Google__Protobuf__Timestamp *now =
        ARENA_NEW(call->arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(now);
    now->seconds = now_us / 1000000;
    now->nanos = (int32_t)(now_us % 1000000 * 1000);
    res->version = PRBAL_VERSION;
    res->api_version = "prbal.v1";
    res->server_time = now;
    list_features(call, res);
    return RPC_SUCCESS;
}
