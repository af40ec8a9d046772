#ifndef PRBAL_RPC_LIMITS_H
#define PRBAL_RPC_LIMITS_H

#include "rpc/server.h"

/* The table of rpc/limits.def. */

typedef enum {
    RPC_LIMIT_COUNT,
    RPC_LIMIT_BYTES,
    RPC_LIMIT_MS,
    RPC_LIMIT_PER_SECOND,
} rpc_limit_unit;

typedef enum {
    RPC_REFUSES_NONE,
    RPC_REFUSES_CONNECTION, /* grpc_server_connections_ended_total */
    RPC_REFUSES_CALL,       /* grpc_server_refusals_total */
} rpc_limit_refuses;

struct rpc_limit {
    const char *name; /* of the setting: "streams" */
    size_t offset, size;
    uint64_t fallback;
    rpc_limit_unit unit;
    bool is_live; /* follows rpc_server_set_limits() */
    rpc_limit_refuses refuses;
    const char *reason; /* the metric's label; "" when it counts nothing */
    const char *why;
};

extern const struct rpc_limit rpc_limits[];
extern const size_t rpc_limit_count;

uint64_t rpc_limit_value(const struct rpc_server_options *options,
                         const struct rpc_limit *limit);
void rpc_limit_set(struct rpc_server_options *options,
                   const struct rpc_limit *limit, uint64_t value);

/* Zeros become the defaults. */
void rpc_limits_fill(struct rpc_server_options *options);

/* Those that are live, of options without zeros. */
void rpc_limits_copy_live(struct rpc_server_options *to,
                          const struct rpc_server_options *from);

#endif
