/* A worker: one loop of the server, and how it goes down.
 *
 *   started -> draining -> aborted -> stopping -> stopped
 *
 * draining: no new calls; those that run may finish, tails are asked to end.
 * aborted: drain_ms have passed, what is left is ended with UNAVAILABLE.
 * stopping: only background tasks are left; they are cancelled.
 * Each worker walks this way by itself, on its tick. */
#include "rpc/admission.h"
#include "rpc/call_state.h"
#include "rpc/health.h"
#include "rpc/limits.h"
#include "rpc/orca_report.h"
#include "rpc/server_internal.h"

#include <assert.h>
#include <stdlib.h>

/* What is about to change is looked at more often. */
enum { TICK_MS = 1000, SHORT_TICK_MS = 20 };

static int worker_slot;
static uv_once_t worker_slot_once = UV_ONCE_INIT;

static void take_worker_slot(void)
{
    worker_slot = loop_slot();
}

struct rpc_worker *rpc_worker_of(struct loop *loop)
{
    uv_once(&worker_slot_once, take_worker_slot);
    return loop_get(loop, worker_slot);
}

bool rpc_worker_take_memory(struct rpc_worker *worker,
                            struct memory_share *share, size_t bytes)
{
    if (worker->memory_bytes + bytes > worker->memory_bytes_max ||
        !memory_share_take(share, bytes))
        return false;
    worker->memory_bytes += bytes;
    return true;
}

void rpc_worker_give_memory(struct rpc_worker *worker,
                            struct memory_share *share, size_t bytes)
{
    assert(bytes <= worker->memory_bytes);
    worker->memory_bytes -= bytes;
    memory_share_give(share, bytes);
}

static uint32_t share_of(uint32_t total, int count)
{
    uint32_t share = total / (uint32_t)count;
    return share == 0 ? 1 : share;
}

static void on_tick(struct loop_timer *tick);

/* Its part of what all loops have together. */
static void share_limits(struct rpc_worker *worker)
{
    int count = worker->server->worker_count;
    worker->calls_in_flight_max =
        share_of(worker->options.calls_in_flight_max, count);
    worker->memory_bytes_max =
        worker->options.memory_bytes_max / (uint64_t)count;
}

void rpc_worker_take_limits(struct rpc_worker *worker,
                            const struct rpc_server_options *options)
{
    rpc_limits_copy_live(&worker->options, options);
    worker->options.frames.ping_interval_ms = worker->options.ping_interval_ms;
    share_limits(worker);
    if (worker->net != NULL)
        worker->server->net_ops->worker_limits(worker);
}

void rpc_worker_init(struct rpc_server *server, int index)
{
    struct rpc_worker *worker = &server->workers[index];
    const struct rpc_server_options *o = &server->options;
    uv_once(&worker_slot_once, take_worker_slot);
    worker->server = server;
    worker->index = index;
    worker->loop = loop_create();
    worker->options = *o;
    share_limits(worker);
    worker->shares =
        memory_shares_create(worker->memory_bytes_max / o->memory_shares);
    worker->load = orca_copy_create();
    loop_timer_init(&worker->tick, on_tick);
    loop_set(worker->loop, worker_slot, worker);
}

void rpc_worker_finish(struct rpc_worker *worker)
{
    while (worker->spare_calls != NULL) {
        struct call_state *state = worker->spare_calls;
        worker->spare_calls = state->next;
        arena_destroy(state->call.arena);
        free(state);
    }
    free(worker->admissions);
    orca_copy_destroy(worker->load);
    memory_shares_destroy(worker->shares);
    loop_destroy(worker->loop);
}

static void ask_ready(struct rpc_server *server)
{
    bool (*ready)(struct rpc_server *) = server->options.hooks.ready;
    atomic_store(&server->ready, !atomic_load(&server->leaving) &&
                                     (ready == NULL || ready(server)));
}

rpc_status rpc_worker_start(struct rpc_worker *worker)
{
    struct rpc_server *server = worker->server;
    const struct rpc_hooks *hooks = &server->options.hooks;
    if (hooks->loop_start != NULL)
        TRY(hooks->loop_start(server, worker->loop));
    worker->admissions =
        calloc(method_table_count(server->methods), sizeof *worker->admissions);
    if (worker->admissions == NULL)
        abort();
    if (server->net_ops != NULL)
        TRY(server->net_ops->worker_start(worker));
    if (worker->index == 0)
        ask_ready(server);
    loop_timer_start(worker->loop, &worker->tick, SHORT_TICK_MS);
    return RPC_SUCCESS;
}

void rpc_worker_stop(struct rpc_worker *worker)
{
    struct rpc_server *server = worker->server;
    loop_timer_stop(&worker->tick);
    if (server->net_ops != NULL)
        server->net_ops->worker_stop(worker);
    if (server->options.hooks.loop_stop != NULL)
        server->options.hooks.loop_stop(server, worker->loop);
}

/* --- going down ----------------------------------------------------------- */

static bool has_calls(const struct rpc_worker *worker)
{
    for (struct call_state *s = worker->calls; s != NULL; s = s->next)
        if (s->task == NULL)
            return true;
    return false;
}

static bool application_is_busy(const struct rpc_worker *worker)
{
    struct rpc_server *server = worker->server;
    return server->options.hooks.busy != NULL &&
           server->options.hooks.busy(server, worker->loop);
}

static bool drain_is_over(const struct rpc_worker *worker)
{
    return loop_now_us(worker->loop) >= worker->drain_end_us;
}

/* The application is asked first and each time: that is how it learns that the
 * server goes down. */
static bool is_quiet(const struct rpc_worker *worker)
{
    const struct rpc_net_ops *net = worker->server->net_ops;
    bool is_busy = application_is_busy(worker) && !drain_is_over(worker);
    return !is_busy && !has_calls(worker) && worker->tails == NULL &&
           (net == NULL || net->worker_is_idle(worker));
}

/* Ending a call may free it, and others by its transport's doing: the list is
 * walked from its start until only those with a coroutine are left, which free
 * themselves later. */
static void end_calls(struct rpc_worker *worker, bool tasks, rpc_code code,
                      const char *message)
{
    struct call_state *s = worker->calls;
    while (s != NULL) {
        if ((s->task != NULL) != tasks || s->call.ended.code != RPC_OK) {
            s = s->next;
            continue;
        }
        rpc_end(&s->call, code, message);
        s = worker->calls;
    }
}

/* Waking runs nothing yet. */
static void drain_calls(struct rpc_worker *worker)
{
    for (struct call_state *s = worker->calls; s != NULL; s = s->next)
        if (s->task == NULL)
            call_drain(&s->call);
}

static void drain(struct rpc_worker *worker)
{
    worker->draining = true;
    atomic_store(&worker->server->ready, false); /* whatever a tick said last */
    worker->drain_end_us = loop_now_us(worker->loop) +
                           (int64_t)worker->server->options.drain_ms * 1000;
    if (worker->server->net_ops != NULL)
        worker->server->net_ops->worker_drain(worker);
    drain_calls(worker);
    tail_drain_all(worker);
}

static void abort_rest(struct rpc_worker *worker)
{
    static const char sentence[] = "the server is going down";
    worker->aborted = true;
    tail_end_all(worker, RPC_UNAVAILABLE, sentence);
    end_calls(worker, false, RPC_UNAVAILABLE, sentence);
    if (worker->server->net_ops != NULL)
        worker->server->net_ops->worker_abort(worker);
}

static void stop_tasks(struct rpc_worker *worker)
{
    worker->stopping = true;
    end_calls(worker, true, RPC_CANCELLED, "the server has stopped");
}

static void drain_step(struct rpc_worker *worker)
{
    if (!worker->draining)
        drain(worker);
    if (!worker->aborted && !is_quiet(worker) && drain_is_over(worker))
        abort_rest(worker);
    if (!worker->stopping && is_quiet(worker))
        stop_tasks(worker);
    if (!worker->stopping || worker->calls != NULL)
        return;
    worker->stopped = true;
    if (worker->server->is_threaded)
        loop_stop(worker->loop);
}

static void on_tick(struct loop_timer *tick)
{
    struct rpc_worker *worker =
        (struct rpc_worker *)((char *)tick - offsetof(struct rpc_worker, tick));
    bool draining = atomic_load(&worker->server->draining);
    if (draining)
        drain_step(worker);
    else if (worker->index == 0)
        ask_ready(worker->server);
    health_tick(worker);
    orca_tick(worker);
    if (!worker->stopped)
        loop_timer_start(worker->loop, tick,
                         draining || !rpc_server_is_ready(worker->server)
                             ? SHORT_TICK_MS
                             : TICK_MS);
}

static void tick_now(void *argument)
{
    struct rpc_worker *worker = argument;
    loop_timer_start(worker->loop, &worker->tick, 0);
}

void rpc_worker_drain(struct rpc_worker *worker)
{
    loop_post(worker->loop, tick_now, worker);
}
