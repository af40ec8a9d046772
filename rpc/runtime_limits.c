#include "rpc/runtime_state.h"

#include "rpc/limits.h"
#include "rpc/metrics.h"
#include "rpc/net.h"

#include <stdio.h>
#include <string.h>

/* What is used of some of them: most is in the loops' rows. */
struct usage {
    int64_t connections, handshakes, calls, memory_bytes, pass_ms;
};

static const struct {
    const char *name;
    size_t offset; /* in struct usage */
} used[] = {
    {"connections", offsetof(struct usage, connections)},
    {"handshakes", offsetof(struct usage, handshakes)},
    {"calls_in_flight", offsetof(struct usage, calls)},
    {"memory", offsetof(struct usage, memory_bytes)},
    {"queue_delay", offsetof(struct usage, pass_ms)},
};
enum { USED = sizeof used / sizeof used[0] };

/* Limits that are no number of the options. */
static const struct rpc_limit others[] = {
    {.name = "admission_delay",
     .refuses = RPC_REFUSES_CALL,
     .reason = "overload"},
    {.name = "message_ratio",
     .refuses = RPC_REFUSES_CALL,
     .reason = "message_ratio"},
    {.name = "rate", .refuses = RPC_REFUSES_CALL, .reason = "rate_limit"},
};
enum { OTHERS = sizeof others / sizeof others[0] };

static const ServerLimitUnit units[] = {
    [RPC_LIMIT_COUNT] = SERVER_LIMIT_UNIT_COUNT,
    [RPC_LIMIT_BYTES] = SERVER_LIMIT_UNIT_BYTES,
    [RPC_LIMIT_MS] = SERVER_LIMIT_UNIT_MS,
    [RPC_LIMIT_PER_SECOND] = SERVER_LIMIT_UNIT_PER_SECOND,
};

static const char *const families[] = {
    [RPC_REFUSES_CONNECTION] = "grpc_server_connections_ended_total",
    [RPC_REFUSES_CALL] = "grpc_server_refusals_total",
};

static struct usage usage_of(const struct rpc_worker *worker,
                             const GetServerStateResponse *res)
{
    struct usage u = {0};
    if (worker->net != NULL)
        u.handshakes = atomic_load(&worker->net->server->handshakes);
    for (size_t i = 0; i < res->n_loops; i++) {
        u.connections += res->loops[i]->connections;
        u.calls += res->loops[i]->calls;
        u.memory_bytes += (int64_t)res->loops[i]->memory_bytes;
        if (res->loops[i]->pass_us / 1000 > u.pass_ms)
            u.pass_ms = res->loops[i]->pass_us / 1000;
    }
    return u;
}

static int64_t count_of(const struct rpc_limit *limit)
{
    char labels[64];
    if (limit->refuses == RPC_REFUSES_NONE)
        return 0;
    snprintf(labels, sizeof labels, "reason=\"%s\"", limit->reason);
    metric number = metrics_find(families[limit->refuses], labels);
    return number < 0 ? 0 : metrics_value(number);
}

static void add_used(ServerLimit *row, const struct usage *usage)
{
    for (int i = 0; i < USED; i++) {
        if (strcmp(used[i].name, row->name) != 0)
            continue;
        row->_used_case = SERVER_LIMIT_USED_CASE;
        memcpy(&row->used, (const char *)usage + used[i].offset,
               sizeof row->used);
    }
}

static ServerLimit *add_row(struct rpc_call *call, GetServerStateResponse *res,
                            const struct rpc_limit *limit)
{
    ServerLimit *row = ARENA_NEW(call->arena, ServerLimit);
    *row = (ServerLimit)SERVER_LIMIT_INIT;
    row->name = limit->name;
    row->unit = units[limit->unit];
    row->refused = count_of(limit);
    res->limits[res->n_limits++] = row;
    return row;
}

/* As this loop has them: after a change the others follow in a moment. */
void runtime_add_limits(struct rpc_call *call, GetServerStateResponse *res)
{
    const struct rpc_worker *worker = rpc_worker_of(call->loop);
    struct usage usage = usage_of(worker, res);
    res->limits = arena_array(call->arena, rpc_limit_count + OTHERS,
                              sizeof res->limits[0]);
    for (size_t i = 0; i < rpc_limit_count; i++) {
        ServerLimit *row = add_row(call, res, &rpc_limits[i]);
        row->_max_case = SERVER_LIMIT_MAX_CASE;
        row->max = (int64_t)rpc_limit_value(&worker->options, &rpc_limits[i]);
        add_used(row, &usage);
    }
    for (int i = 0; i < OTHERS; i++)
        add_row(call, res, &others[i]);
}
