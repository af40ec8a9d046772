#include "rpc/runtime_state.h"

#include "rpc/call_state.h"
#include "rpc/co_pool.h"
#include "rpc/co_stack.h"
#include "rpc/conn.h"

static uint64_t arenas_of_calls(const struct rpc_worker *worker)
{
    uint64_t bytes = 0;
    for (const struct call_state *s = worker->calls; s != NULL; s = s->next) {
        bytes += arena_bytes(s->call.arena);
        if (s->in.arena != NULL)
            bytes += arena_bytes(s->in.arena);
    }
    return bytes;
}

static uint64_t spare_arenas(const struct rpc_worker *worker)
{
    uint64_t bytes = 0;
    for (const struct call_state *s = worker->spare_calls; s != NULL;
         s = s->next)
        bytes += sizeof *s + arena_bytes(s->call.arena);
    return bytes;
}

static uint64_t waiting_requests(const struct rpc_worker *worker)
{
    uint64_t bytes = 0;
    for (const struct call_state *s = worker->calls; s != NULL; s = s->next)
        bytes += s->queued_in_bytes;
    return bytes;
}

static uint64_t waiting_responses(const struct rpc_worker *worker)
{
    uint64_t bytes = 0;
    const struct conn *c = worker->net == NULL ? NULL : worker->net->conns;
    for (; c != NULL; c = c->next)
        bytes += c->queued_bytes +
                 (c->socket.rest == NULL ? 0 : c->socket.rest_size);
    return bytes;
}

static uint64_t connections(const struct rpc_worker *worker)
{
    return worker->net == NULL ? 0 : pool_used_bytes(worker->net->pool);
}

static uint64_t spare_connections(const struct rpc_worker *worker)
{
    return worker->net == NULL ? 0 : pool_spare_bytes(worker->net->pool);
}

static uint64_t stacks(const struct rpc_worker *worker)
{
    const struct co_pool *pool = loop_co_pool(worker->loop);
    return (uint64_t)(co_pool_live(pool) + co_pool_spare_stacks(pool)) *
           CO_STACK_BYTES;
}

static const struct {
    const char *owner;
    uint64_t (*bytes)(const struct rpc_worker *worker);
} owners[] = {
    {"arenas of calls", arenas_of_calls},
    {"arenas kept for calls to come", spare_arenas},
    {"requests that wait for their handler", waiting_requests},
    {"responses that wait for the client", waiting_responses},
    {"connections, HTTP/2 and bodies", connections},
    {"kept for connections to come", spare_connections},
    {"stacks (address space)", stacks},
};
_Static_assert(sizeof owners / sizeof owners[0] <= RUNTIME_MEMORY_MAX,
               "each owner has a place");

size_t runtime_memory_of(const struct rpc_worker *worker,
                         struct runtime_memory memory[RUNTIME_MEMORY_MAX])
{
    size_t count = sizeof owners / sizeof owners[0];
    for (size_t i = 0; i < count; i++)
        memory[i] =
            (struct runtime_memory){owners[i].owner, owners[i].bytes(worker)};
    return count;
}
