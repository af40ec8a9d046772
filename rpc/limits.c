#include "rpc/limits.h"

#include <string.h>

enum { START = false, LIVE = true };

#define FIELD_SIZE(field) sizeof(((struct rpc_server_options *)NULL)->field)

const struct rpc_limit rpc_limits[] = {
#define LIMIT(setting, field, fallback, unit, when, whose, refusal, why) \
    {#setting,                                                           \
     offsetof(struct rpc_server_options, field),                         \
     FIELD_SIZE(field),                                                  \
     fallback,                                                           \
     RPC_LIMIT_##unit,                                                   \
     when,                                                               \
     RPC_REFUSES_##whose,                                                \
     refusal,                                                            \
     why},
#define FRAME(setting, member, unit, when, refusal, why) \
    LIMIT(setting, frames.member, 0, unit, when, CONNECTION, refusal, why)
#include "rpc/limits.def"
#undef LIMIT
#undef FRAME
};
const size_t rpc_limit_count = sizeof rpc_limits / sizeof rpc_limits[0];

uint64_t rpc_limit_value(const struct rpc_server_options *options,
                         const struct rpc_limit *limit)
{
    const char *at = (const char *)options + limit->offset;
    uint32_t small;
    uint64_t large;
    if (limit->size == sizeof large) {
        memcpy(&large, at, sizeof large);
        return large;
    }
    memcpy(&small, at, sizeof small);
    return small;
}

void rpc_limit_set(struct rpc_server_options *options,
                   const struct rpc_limit *limit, uint64_t value)
{
    char *at = (char *)options + limit->offset;
    uint32_t small = (uint32_t)value;
    if (limit->size == sizeof value)
        memcpy(at, &value, sizeof value);
    else
        memcpy(at, &small, sizeof small);
}

/* The frames' rows have theirs in rpc/guard.c. */
void rpc_limits_fill(struct rpc_server_options *options)
{
    const struct rpc_server_options frames = {.frames = guard_limits_default};
    for (size_t i = 0; i < rpc_limit_count; i++) {
        const struct rpc_limit *limit = &rpc_limits[i];
        uint64_t fallback = limit->fallback != 0
                                ? limit->fallback
                                : rpc_limit_value(&frames, limit);
        if (rpc_limit_value(options, limit) == 0)
            rpc_limit_set(options, limit, fallback);
    }
}

void rpc_limits_copy_live(struct rpc_server_options *to,
                          const struct rpc_server_options *from)
{
    for (size_t i = 0; i < rpc_limit_count; i++)
        if (rpc_limits[i].is_live)
            rpc_limit_set(to, &rpc_limits[i],
                          rpc_limit_value(from, &rpc_limits[i]));
}
