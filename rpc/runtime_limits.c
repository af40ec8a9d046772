#include "rpc/runtime_state.h"

#include "rpc/metrics.h"
#include "rpc/net.h"

#include <stdio.h>

/* What is used of each is known to the loops' rows, or to the network. */
struct usage {
    const struct rpc_server *server;
    int64_t connections, calls, memory_bytes, pass_ms;
};

static int64_t connections_used(const struct usage *usage)
{
    return usage->connections;
}

static int64_t connections_max(const struct rpc_server *server)
{
    return server->net == NULL ? server->options.connections_max
                               : server->net->connections_max;
}

static int64_t per_ip_max(const struct rpc_server *server)
{
    return server->options.connections_per_ip_max;
}

static int64_t calls_used(const struct usage *usage)
{
    return usage->calls;
}

static int64_t calls_max(const struct rpc_server *server)
{
    return server->options.calls_in_flight_max;
}

static int64_t memory_used(const struct usage *usage)
{
    return usage->memory_bytes;
}

static int64_t memory_max(const struct rpc_server *server)
{
    return (int64_t)server->options.memory_bytes_max;
}

static int64_t pass_used(const struct usage *usage)
{
    return usage->pass_ms;
}

static int64_t pass_max(const struct rpc_server *server)
{
    return server->options.queue_delay_ms_max;
}

#define ENDED "grpc_server_connections_ended_total"
#define REFUSED "grpc_server_refusals_total"

static const struct limit {
    const char *name;
    int64_t (*used)(const struct usage *usage);      /* or NULL */
    int64_t (*max)(const struct rpc_server *server); /* or NULL */
    const char *family, *reason; /* of what it refused, in the metrics */
} limits[] = {
    {"connections", connections_used, connections_max, ENDED,
     "too_many_connections"},
    {"connections_per_ip", NULL, per_ip_max, ENDED,
     "too_many_connections_of_peer"},
    {"calls_in_flight", calls_used, calls_max, REFUSED, "in_flight"},
    {"memory", memory_used, memory_max, REFUSED, "memory"},
    {"queue_delay_ms", pass_used, pass_max, REFUSED, "queue_delay"},
    {"admission_delay", NULL, NULL, REFUSED, "overload"},
    {"rate", NULL, NULL, REFUSED, "rate_limit"},
};
enum { LIMITS = sizeof limits / sizeof limits[0] };

static struct usage usage_of(const struct rpc_server *server,
                             const GetServerStateResponse *res)
{
    struct usage u = {.server = server};
    for (size_t i = 0; i < res->n_loops; i++) {
        u.connections += res->loops[i]->connections;
        u.calls += res->loops[i]->calls;
        u.memory_bytes += (int64_t)res->loops[i]->memory_bytes;
        if (res->loops[i]->pass_us / 1000 > u.pass_ms)
            u.pass_ms = res->loops[i]->pass_us / 1000;
    }
    return u;
}

static int64_t count_of(const struct limit *limit)
{
    char labels[64];
    snprintf(labels, sizeof labels, "reason=\"%s\"", limit->reason);
    metric number = metrics_find(limit->family, labels);
    return number < 0 ? 0 : metrics_value(number);
}

void runtime_add_limits(struct rpc_call *call, GetServerStateResponse *res)
{
    struct usage usage = usage_of(call->server, res);
    res->limits = arena_array(call->arena, LIMITS, sizeof res->limits[0]);
    for (int i = 0; i < LIMITS; i++) {
        ServerLimit *row = ARENA_NEW(call->arena, ServerLimit);
        *row = (ServerLimit)SERVER_LIMIT_INIT;
        row->name = limits[i].name;
        if (limits[i].used != NULL) {
            row->_used_case = SERVER_LIMIT_USED_CASE;
            row->used = limits[i].used(&usage);
        }
        if (limits[i].max != NULL) {
            row->_max_case = SERVER_LIMIT_MAX_CASE;
            row->max = limits[i].max(call->server);
        }
        row->refused = count_of(&limits[i]);
        res->limits[res->n_limits++] = row;
    }
}
