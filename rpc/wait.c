/* How the coroutine of a call waits, and what it ties to the call meanwhile. */
#include "rpc/call_state.h"
#include "rpc/co.h"

#include <assert.h>
#include <stdlib.h>

rpc_status rpc_alive(const struct rpc_call *call)
{
    return call->ended;
}

rpc_status rpc_wait(struct rpc_call *call, const bool *done)
{
    while (!*done) {
        if (call->ended.code != RPC_OK)
            return call->ended;
        co_park();
    }
    return RPC_SUCCESS;
}

void call_park(struct rpc_call *call, const char *what)
{
    call->waits_for = what;
    co_park();
    call->waits_for = NULL;
}

rpc_status rpc_wait_for(struct rpc_call *call, const char *what,
                        const bool *done)
{
    call->waits_for = what;
    rpc_status status = rpc_wait(call, done);
    call->waits_for = NULL;
    return status;
}

rpc_status rpc_wait_or_drain(struct rpc_call *call, const bool *done)
{
    while (!*done && !rpc_is_draining(call)) {
        TRY(rpc_alive(call));
        co_park();
    }
    return *done ? RPC_SUCCESS : rpc_alive(call);
}

void rpc_wait_always(struct rpc_call *call, const bool *done)
{
    (void)call;
    while (!*done)
        co_park();
}

void rpc_wake(struct rpc_call *call)
{
    if (call->co != NULL)
        co_wake(call->co);
}

struct sleeper {
    struct loop_timer timer;
    struct rpc_call *call;
    bool done;
};

static void on_sleep_over(struct loop_timer *timer)
{
    struct sleeper *sleeper = (struct sleeper *)timer;
    sleeper->done = true;
    rpc_wake(sleeper->call);
}

rpc_status rpc_sleep(struct rpc_call *call, int64_t ms)
{
    struct sleeper sleeper = {.call = call};
    loop_timer_init(&sleeper.timer, on_sleep_over);
    loop_timer_start(call->loop, &sleeper.timer, ms);
    rpc_status status = rpc_wait_for(call, "sleep", &sleeper.done);
    loop_timer_stop(&sleeper.timer);
    return status;
}

struct offload {
    uv_work_t work;
    struct rpc_call *call;
    void (*fn)(void *argument);
    void *argument;
    bool done;
};

static atomic_int offloads_waiting;

static void on_pool_thread(uv_work_t *work)
{
    struct offload *offload = (struct offload *)work;
    atomic_fetch_sub(&offloads_waiting, 1);
    offload->fn(offload->argument);
}

static void on_offload_over(uv_work_t *work, int status)
{
    struct offload *offload = (struct offload *)work;
    assert(status == 0);
    offload->done = true;
    rpc_wake(offload->call);
}

rpc_status rpc_offload(struct rpc_call *call, void (*fn)(void *argument),
                       void *argument)
{
    TRY(rpc_alive(call));
    if (atomic_fetch_add(&offloads_waiting, 1) >= RPC_OFFLOAD_MAX) {
        atomic_fetch_sub(&offloads_waiting, 1);
        return rpc_fail_retry(call, RPC_RESOURCE_EXHAUSTED, 1000,
                              "the server is busy; try again shortly");
    }
    struct offload offload = {.call = call, .fn = fn, .argument = argument};
    if (uv_queue_work(loop_uv(call->loop), &offload.work, on_pool_thread,
                      on_offload_over) != 0)
        abort();
    call->waits_for = "thread pool";
    rpc_wait_always(call, &offload.done);
    call->waits_for = NULL;
    return rpc_alive(call);
}

void rpc_defer(struct rpc_call *call, void (*fn)(void *argument),
               void *argument)
{
    struct rpc_defer *d = ARENA_NEW(call->arena, struct rpc_defer);
    *d = (struct rpc_defer){fn, argument, call->defers};
    call->defers = d;
}

void rpc_undefer(struct rpc_call *call, void *argument)
{
    for (struct rpc_defer **at = &call->defers; *at != NULL;
         at = &(*at)->next) {
        if ((*at)->argument == argument) {
            *at = (*at)->next;
            return;
        }
    }
}

bool rpc_is_draining(const struct rpc_call *call)
{
    return call->is_draining ||
           (call->server != NULL && atomic_load(&call->server->draining));
}

void call_drain(struct rpc_call *call)
{
    call->is_draining = true;
    rpc_wake(call);
}
