/* The server: its method table, its loops, and how it starts and goes down.
 *
 *   started -> draining -> aborted -> stopping -> stopped
 *
 * draining: no new calls; those that run may finish, tails are asked to end.
 * aborted: drain_ms have passed, what is left is ended with UNAVAILABLE.
 * stopping: only background tasks are left; they are cancelled.
 * Each worker walks this way by itself, on its tick. */
#include "rpc/server_internal.h"

#include "grpc/registry.rpc.h"
#include "rpc/call_state.h"
#include "rpc/health.h"
#include "rpc/limiter.h"
#include "rpc/metrics.h"
#include "rpc/process_metrics.h"
#include "rpc/reflection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What is about to change is looked at more often. */
enum { TICK_MS = 1000, SHORT_TICK_MS = 20 };

/* --- options
 * ------------------------------------------------------------------ */

static void default_to(uint32_t *option, uint32_t value)
{
    if (*option == 0)
        *option = value;
}

static void fill_options(struct rpc_server_options *o)
{
    if (o->error_domain == NULL)
        o->error_domain = "prbal";
    if (o->loop_count <= 0)
        o->loop_count = (int)uv_available_parallelism();
    default_to(&o->message_bytes_max, 4 * 1024 * 1024);
    default_to(&o->header_bytes_max, 8 * 1024);
    default_to(&o->streams_max, 128);
    default_to(&o->connections_max, 10000);
    default_to(&o->connections_per_ip_max, 256);
    default_to(&o->calls_in_flight_max, 10000);
    default_to(&o->drain_ms, 30000);
    default_to(&o->unary_ms_max, 60000);
    default_to(&o->queue_delay_ms_max, 1000);
    default_to(&o->handshake_ms, 10000);
    default_to(&o->stall_ms, 30000);
    default_to(&o->idle_ms, 15 * 60 * 1000);
    default_to(&o->keepalive_ms, 2 * 60 * 60 * 1000);
    default_to(&o->keepalive_timeout_ms, 20000);
    default_to(&o->ping_interval_ms, 10000);
    if (o->memory_bytes_max == 0)
        o->memory_bytes_max = (uint64_t)512 * 1024 * 1024;
}

/* --- workers
 * ------------------------------------------------------------------ */

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

bool rpc_worker_take_memory(struct rpc_worker *worker, size_t bytes)
{
    if (worker->memory_bytes + bytes > worker->memory_bytes_max)
        return false;
    worker->memory_bytes += bytes;
    return true;
}

void rpc_worker_give_memory(struct rpc_worker *worker, size_t bytes)
{
    assert(bytes <= worker->memory_bytes);
    worker->memory_bytes -= bytes;
}

static uint32_t share_of(uint32_t total, int count)
{
    uint32_t share = total / (uint32_t)count;
    return share == 0 ? 1 : share;
}

bool rpc_server_is_ready(const struct rpc_server *server)
{
    return atomic_load(&server->ready);
}

static void on_tick(struct loop_timer *tick);

static void worker_init(struct rpc_server *server, int index)
{
    struct rpc_worker *worker = &server->workers[index];
    const struct rpc_server_options *o = &server->options;
    uv_once(&worker_slot_once, take_worker_slot);
    worker->server = server;
    worker->index = index;
    worker->loop = loop_create();
    worker->calls_in_flight_max =
        share_of(o->calls_in_flight_max, server->worker_count);
    worker->memory_bytes_max =
        o->memory_bytes_max / (uint64_t)server->worker_count;
    loop_timer_init(&worker->tick, on_tick);
    loop_set(worker->loop, worker_slot, worker);
}

static void worker_finish(struct rpc_worker *worker)
{
    while (worker->spare_calls != NULL) {
        struct call_state *state = worker->spare_calls;
        worker->spare_calls = state->next;
        arena_destroy(state->call.arena);
        free(state);
    }
    loop_destroy(worker->loop);
}

/* On the worker's thread. */
static rpc_status worker_start(struct rpc_worker *worker)
{
    struct rpc_server *server = worker->server;
    const struct rpc_hooks *hooks = &server->options.hooks;
    if (hooks->loop_start != NULL)
        TRY(hooks->loop_start(server, worker->loop));
    if (server->net_ops != NULL)
        TRY(server->net_ops->worker_start(worker));
    loop_timer_start(worker->loop, &worker->tick, SHORT_TICK_MS);
    return RPC_SUCCESS;
}

static void worker_stop(struct rpc_worker *worker)
{
    struct rpc_server *server = worker->server;
    loop_timer_stop(&worker->tick);
    if (server->net_ops != NULL)
        server->net_ops->worker_stop(worker);
    if (server->options.hooks.loop_stop != NULL)
        server->options.hooks.loop_stop(server, worker->loop);
}

/* --- going down
 * ---------------------------------------------------------------- */

static bool has_calls(const struct rpc_worker *worker)
{
    for (struct call_state *s = worker->calls; s != NULL; s = s->next)
        if (s->task == NULL)
            return true;
    return false;
}

static bool is_quiet(const struct rpc_worker *worker)
{
    const struct rpc_net_ops *net = worker->server->net_ops;
    return !has_calls(worker) && worker->tails == NULL &&
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

static void drain(struct rpc_worker *worker)
{
    worker->draining = true;
    worker->drain_end_us = loop_now_us(worker->loop) +
                           (int64_t)worker->server->options.drain_ms * 1000;
    if (worker->server->net_ops != NULL)
        worker->server->net_ops->worker_drain(worker);
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
    if (!worker->aborted && !is_quiet(worker) &&
        loop_now_us(worker->loop) >= worker->drain_end_us)
        abort_rest(worker);
    if (!worker->stopping && is_quiet(worker))
        stop_tasks(worker);
    if (!worker->stopping || worker->calls != NULL)
        return;
    worker->stopped = true;
    if (worker->server->is_threaded)
        loop_stop(worker->loop);
}

static void ask_ready(struct rpc_server *server)
{
    bool (*ready)(struct rpc_server *) = server->options.hooks.ready;
    atomic_store(&server->ready, !atomic_load(&server->leaving) &&
                                     (ready == NULL || ready(server)));
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

/* --- the server
 * ----------------------------------------------------------------- */

static void add_services(struct rpc_server *server,
                         const struct rpc_registry *registry)
{
    for (size_t i = 0; i < registry->service_count; i++) {
        const struct rpc_service *service = registry->services[i];
        if (strncmp(service->name, "grpc.reflection.", 16) == 0 &&
            !server->options.reflection)
            continue;
        server->services =
            realloc(server->services,
                    (server->service_count + 1) * sizeof server->services[0]);
        if (server->services == NULL)
            abort();
        server->services[server->service_count++] = service;
    }
}

static void add_registry(struct rpc_server *server,
                         const struct rpc_registry *registry)
{
    assert(server->registry_count < RPC_REGISTRIES_MAX);
    server->registries[server->registry_count++] = registry;
    add_services(server, registry);
}

/* The application's services and the runtime's own. */
static void add_registries(struct rpc_server *server)
{
    const struct rpc_registry *const *given = server->options.registries;
    for (; given != NULL && *given != NULL; given++)
        add_registry(server, *given);
    add_registry(server, &runtime_registry);
}

struct rpc_server *rpc_server_create(const struct rpc_server_options *options)
{
    struct rpc_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        abort();
    server->options = *options;
    fill_options(&server->options);
    add_registries(server);
    server->methods =
        method_table_create(server->services, server->service_count);
    server->limiter = limiter_create();
    if (options->reflection)
        server->reflection = reflection_create(server->registries);
    return server;
}

static double slowest_pass_seconds(void *argument)
{
    const struct rpc_server *server = argument;
    int64_t slowest_us = 0;
    for (int i = 0; i < server->worker_count; i++) {
        int64_t lag_us = loop_lag_us(server->workers[i].loop);
        if (lag_us > slowest_us)
            slowest_us = lag_us;
    }
    return (double)slowest_us / 1e6;
}

static void make_workers(struct rpc_server *server, int count)
{
    server->worker_count = count;
    server->workers = calloc((size_t)count, sizeof *server->workers);
    if (server->workers == NULL)
        abort();
    for (int i = 0; i < count; i++)
        worker_init(server, i);
    process_metrics_add();
    metrics_gauge_function("grpc_server_loop_pass_seconds",
                           "A pass of the slowest loop, of late.", NULL,
                           slowest_pass_seconds, server);
}

static void free_workers(struct rpc_server *server)
{
    metrics_forget(server);
    for (int i = 0; i < server->worker_count; i++)
        worker_finish(&server->workers[i]);
    free(server->workers);
    server->workers = NULL;
    server->worker_count = 0;
}

void rpc_server_destroy(struct rpc_server *server)
{
    if (server == NULL)
        return;
    assert(server->worker_count == 0);
    if (server->net_ops != NULL)
        server->net_ops->destroy(server);
    reflection_destroy(server->reflection);
    limiter_destroy(server->limiter);
    method_table_destroy(server->methods);
    free(server->services);
    free(server);
}

void *rpc_server_application(const struct rpc_server *server)
{
    return server->options.application;
}

int rpc_server_loop_count(const struct rpc_server *server)
{
    return server->worker_count;
}

struct loop *rpc_server_loop(const struct rpc_server *server, int index)
{
    return server->workers[index].loop;
}

const struct rpc_method *rpc_server_method(const struct rpc_server *server,
                                           const char *path)
{
    const struct method_entry *entry =
        method_table_find(server->methods, path, strlen(path));
    return entry == NULL ? NULL : entry->method;
}

/* --- with threads
 * ----------------------------------------------------------------- */

struct start {
    struct rpc_worker *worker;
    uv_sem_t done;
    rpc_status status;
    char message[256];
};

static void worker_main(void *argument)
{
    struct start *start = argument;
    struct rpc_worker *worker = start->worker;
    rpc_status status = worker_start(worker);
    start->status = status;
    if (status.code != RPC_OK)
        snprintf(start->message, sizeof start->message, "%s", status.message);
    uv_sem_post(&start->done); /* `start` is gone from here on */
    if (status.code == RPC_OK)
        loop_run(worker->loop);
    worker_stop(worker);
    arena_thread_finish();
}

static rpc_status start_worker(struct rpc_worker *worker)
{
    static char message[256];
    struct start start = {.worker = worker};
    if (uv_sem_init(&start.done, 0) != 0 ||
        uv_thread_create(&worker->thread, worker_main, &start) != 0)
        abort();
    uv_sem_wait(&start.done);
    uv_sem_destroy(&start.done);
    if (start.status.code == RPC_OK)
        return RPC_SUCCESS;
    uv_thread_join(&worker->thread);
    memcpy(message, start.message, sizeof message);
    return (rpc_status){start.status.code, message};
}

static void join_workers(struct rpc_server *server, int count)
{
    for (int i = 0; i < count; i++)
        uv_thread_join(&server->workers[i].thread);
}

static void begin_drain(struct rpc_server *server, int count)
{
    atomic_store(&server->leaving, true);
    atomic_store(&server->ready, false);
    atomic_store(&server->draining, true);
    for (int i = 0; i < count; i++)
        loop_post(server->workers[i].loop, tick_now, &server->workers[i]);
}

rpc_status rpc_server_start(struct rpc_server *server)
{
    server->is_threaded = true;
    atomic_store(&server->leaving, false);
    atomic_store(&server->draining, false);
    make_workers(server, server->options.loop_count);
    for (int i = 0; i < server->worker_count; i++) {
        rpc_status status = start_worker(&server->workers[i]);
        if (status.code == RPC_OK)
            continue;
        begin_drain(server, i);
        join_workers(server, i);
        free_workers(server);
        return status;
    }
    if (server->options.hooks.ready == NULL)
        ask_ready(server);
    else /* is asked on its loop, and nowhere else */
        loop_post(server->workers[0].loop, tick_now, &server->workers[0]);
    return RPC_SUCCESS;
}

void rpc_server_stop(struct rpc_server *server)
{
    assert(server->is_threaded);
    atomic_store(&server->leaving, true);
    atomic_store(&server->ready, false);
    uv_sleep(server->options.drain_notice_ms);
    begin_drain(server, server->worker_count);
    join_workers(server, server->worker_count);
    free_workers(server);
}

/* --- on the calling thread
 * ---------------------------------------------------------- */

rpc_status rpc_server_start_here(struct rpc_server *server)
{
    server->is_threaded = false;
    atomic_store(&server->leaving, false);
    atomic_store(&server->draining, false);
    make_workers(server, 1);
    rpc_status status = worker_start(&server->workers[0]);
    if (status.code != RPC_OK) {
        worker_stop(&server->workers[0]);
        free_workers(server);
        return status;
    }
    ask_ready(server);
    return RPC_SUCCESS;
}

void rpc_server_stop_here(struct rpc_server *server)
{
    struct rpc_worker *worker = &server->workers[0];
    begin_drain(server, 1);
    loop_run_until(worker->loop, &worker->stopped);
    worker_stop(worker);
    free_workers(server);
    arena_thread_finish();
}
