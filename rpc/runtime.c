/* prbal.runtime.v1: GetServerState, and what its lists share. */
#include "rpc/runtime_state.h"

#include "rpc/call_state.h"
#include "rpc/channelz_socket.h"
#include "rpc/clock.h"
#include "rpc/co_pool.h"
#include "rpc/conn.h"
#include "rpc/methods.h"
#include "rpc/observe.h"
#include "rpc/process_metrics.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOLS_MAX = 8 };

/* --- lists ---------------------------------------------------------------- */

void runtime_trim(struct runtime_answer *answer, size_t room,
                  int (*compare)(const void *one, const void *other))
{
    if (answer->count > 1)
        qsort(answer->rows, answer->count, sizeof answer->rows[0], compare);
    if (answer->count > room)
        answer->count = room;
}

rpc_status runtime_list(struct rpc_call *call, gather_fn fn, uint32_t page_size,
                        int (*compare)(const void *one, const void *other),
                        struct runtime_answer *list)
{
    size_t room = runtime_page(page_size);
    const struct gather_ask ask = {fn, &room, sizeof room,
                                   sizeof(struct runtime_answer)};
    struct runtime_answer *answers;
    TRY(gather(call, &ask, &answers));
    size_t most = (size_t)call->server->worker_count * room;
    list->rows = arena_array(call->arena, most, sizeof list->rows[0]);
    for (int i = 0; i < call->server->worker_count; i++) {
        list->total += answers[i].total;
        for (size_t j = 0; j < answers[i].count; j++)
            list->rows[list->count++] = answers[i].rows[j];
    }
    runtime_trim(list, room, compare);
    return RPC_SUCCESS;
}

/* --- loops ---------------------------------------------------------------- */

struct loop_answer {
    ServerLoop *loop;
    size_t memory_count, pool_count;
    struct runtime_memory memory[RUNTIME_MEMORY_MAX];
    struct rpc_pool pools[POOLS_MAX];
};

static uint32_t count_tails(const struct rpc_worker *worker)
{
    uint32_t count = 0;
    for (const struct rpc_tail *t = worker->tails; t != NULL; t = tail_next(t))
        count++;
    return count;
}

static void describe_loop(struct rpc_worker *worker, struct arena *arena,
                          const void *question, void *answer)
{
    (void)question;
    struct loop_answer *a = answer;
    const struct rpc_hooks *hooks = &worker->server->options.hooks;
    const struct co_pool *coroutines = loop_co_pool(worker->loop);
    ServerLoop *row = ARENA_NEW(arena, ServerLoop);
    *row = (ServerLoop)SERVER_LOOP_INIT;
    row->index = (uint32_t)worker->index;
    row->pass_us = loop_lag_us(worker->loop);
    row->passes = loop_passes(worker->loop);
    row->calls = worker->calls_in_flight;
    row->idle_streams = count_tails(worker);
    row->connections =
        worker->net == NULL ? 0 : atomic_load(&worker->net->conn_count);
    row->coroutines = co_pool_live(coroutines);
    row->spare_stacks = co_pool_spare_stacks(coroutines);
    row->memory_bytes = worker->memory_bytes;
    row->memory_bytes_max = worker->memory_bytes_max;
    a->loop = row;
    a->memory_count = runtime_memory_of(worker, a->memory);
    if (hooks->pools != NULL)
        a->pool_count = hooks->pools(worker->loop, a->pools, POOLS_MAX);
}

/* Every loop has the same owners, in the same order. */
static void add_memory(struct rpc_call *call, const struct loop_answer *answers,
                       GetServerStateResponse *res)
{
    size_t count = answers[0].memory_count;
    res->memory = arena_array(call->arena, count, sizeof res->memory[0]);
    for (size_t i = 0; i < count; i++) {
        ServerMemory *row = ARENA_NEW(call->arena, ServerMemory);
        *row = (ServerMemory)SERVER_MEMORY_INIT;
        row->owner = answers[0].memory[i].owner;
        for (size_t w = 0; w < res->n_loops; w++)
            row->bytes += answers[w].memory[i].bytes;
        res->memory[res->n_memory++] = row;
    }
}

static void add_to_pool(ServerPool *row, const struct rpc_pool *pool)
{
    row->used += pool->used;
    row->idle += pool->idle;
    row->waiting += pool->waiting;
    row->max += pool->max;
    row->is_up &= pool->is_up;
}

static void add_pools(struct rpc_call *call, const struct loop_answer *answers,
                      GetServerStateResponse *res)
{
    size_t count = answers[0].pool_count;
    res->pools = arena_array(call->arena, count, sizeof res->pools[0]);
    for (size_t i = 0; i < count; i++) {
        ServerPool *row = ARENA_NEW(call->arena, ServerPool);
        *row = (ServerPool)SERVER_POOL_INIT;
        row->name = answers[0].pools[i].name;
        row->is_up = true;
        for (size_t w = 0; w < res->n_loops; w++)
            if (i < answers[w].pool_count)
                add_to_pool(row, &answers[w].pools[i]);
        res->pools[res->n_pools++] = row;
    }
}

/* --- methods -------------------------------------------------------------- */

static void add_statuses(struct arena *arena, ServerMethod *row,
                         const struct method_summary *summary)
{
    row->finished = arena_array(arena, RPC_CODE_COUNT, sizeof row->finished[0]);
    for (int code = 0; code < RPC_CODE_COUNT; code++) {
        if (summary->finished[code] == 0)
            continue;
        ServerMethodStatus *status = ARENA_NEW(arena, ServerMethodStatus);
        *status = (ServerMethodStatus)SERVER_METHOD_STATUS_INIT;
        status->code = rpc_code_name((rpc_code)code);
        status->count = summary->finished[code];
        row->finished[row->n_finished++] = status;
    }
}

static void add_method(struct rpc_call *call, GetServerStateResponse *res,
                       const struct method_numbers *numbers)
{
    struct method_summary summary;
    observe_summary(numbers, &summary);
    if (summary.started == 0)
        return;
    ServerMethod *row = ARENA_NEW(call->arena, ServerMethod);
    *row = (ServerMethod)SERVER_METHOD_INIT;
    row->name = numbers->name;
    row->started = summary.started;
    row->median_us = summary.median_us;
    row->p95_us = summary.p95_us;
    row->p99_us = summary.p99_us;
    row->received_bytes = summary.received_bytes;
    row->sent_bytes = summary.sent_bytes;
    add_statuses(call->arena, row, &summary);
    res->methods[res->n_methods++] = row;
}

static int busier(const void *one, const void *other)
{
    const ServerMethod *a = *(ServerMethod *const *)one;
    const ServerMethod *b = *(ServerMethod *const *)other;
    if (a->started != b->started)
        return a->started > b->started ? -1 : 1;
    return strcmp(a->name, b->name);
}

static void add_methods(struct rpc_call *call, GetServerStateResponse *res)
{
    const struct rpc_server *server = call->server;
    size_t count = 1;
    for (size_t i = 0; i < server->service_count; i++)
        count += server->services[i]->method_count;
    res->methods = arena_array(call->arena, count, sizeof res->methods[0]);
    for (size_t i = 0; i < server->service_count; i++)
        for (size_t j = 0; j < server->services[i]->method_count; j++) {
            const char *path = server->services[i]->methods[j].path;
            const struct method_entry *entry =
                method_table_find(server->methods, path, strlen(path));
            add_method(call, res, &entry->numbers);
        }
    add_method(call, res, observe_other());
    if (res->n_methods > 1)
        qsort(res->methods, res->n_methods, sizeof res->methods[0], busier);
}

/* --- the process ---------------------------------------------------------- */

static void add_process(struct rpc_call *call, GetServerStateResponse *res)
{
    const struct rpc_server *server = call->server;
    const char *version = server->options.version;
    res->version = version == NULL ? "" : version;
    res->process_id = getpid();
    res->start_time = channelz_time(
        call->arena,
        clock_monotonic_us() - (clock_wall_us() - process_start_wall_us()));
    res->is_ready = rpc_server_is_ready(server);
    res->is_draining = atomic_load(&server->draining);
    res->cpu_seconds = process_cpu_seconds();
    res->resident_bytes = (uint64_t)process_resident_bytes();
}

rpc_status runtime_get_server_state(struct rpc_call *call,
                                    const GetServerStateRequest *req,
                                    GetServerStateResponse *res)
{
    (void)req;
    const struct gather_ask ask = {describe_loop, NULL, 0,
                                   sizeof(struct loop_answer)};
    struct loop_answer *answers;
    TRY(gather(call, &ask, &answers));
    add_process(call, res);
    res->n_loops = (size_t)call->server->worker_count;
    res->loops = arena_array(call->arena, res->n_loops, sizeof res->loops[0]);
    for (size_t i = 0; i < res->n_loops; i++)
        res->loops[i] = answers[i].loop;
    add_methods(call, res);
    add_memory(call, answers, res);
    add_pools(call, answers, res);
    runtime_add_limits(call, res);
    return RPC_SUCCESS;
}
