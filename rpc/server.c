/* The server: its options, its methods, and its workers' threads. */
#include "rpc/server_internal.h"

#include "grpc/registry.rpc.h"
#include "rpc/call_state.h"
#include "rpc/channelz.h"
#include "rpc/compress.h"
#include "rpc/json.h"
#include "rpc/limiter.h"
#include "rpc/limits.h"
#include "rpc/metrics.h"
#include "rpc/orca_report.h"
#include "rpc/process_metrics.h"
#include "rpc/reflection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- options -------------------------------------------------------------- */

static void default_to(uint32_t *option, uint32_t value)
{
    if (*option == 0)
        *option = value;
}

static void fill_options(struct rpc_server_options *o)
{
    if (o->web_origins != NULL && *o->web_origins == '\0')
        o->web_origins = NULL;
    if (o->error_domain == NULL)
        o->error_domain = "prbal";
    if (o->loop_count <= 0)
        o->loop_count = (int)uv_available_parallelism();
    default_to(&o->compress_bytes_min, COMPRESS_BYTES_MIN);
    default_to(&o->drain_ms, 30000);
    default_to(&o->admission_delay_ms, 100);
    if (o->proxies > 0)
        default_to(&o->connections_per_ip_max, UINT32_MAX);
    rpc_limits_fill(o);
    o->frames.ping_interval_ms = o->ping_interval_ms;
    o->frames.frame_bytes = guard_limits_default.frame_bytes;
}

/* --- the server ----------------------------------------------------------- */

/* Services of the runtime that are there only when an option asks for them. */
static bool is_offered(const struct rpc_server_options *options,
                       const struct rpc_service *service)
{
    const struct {
        const char *prefix;
        bool is_on;
    } optional[] = {
        {"grpc.reflection.", options->reflection},
        {"grpc.channelz.", options->admin_services},
        {"prbal.runtime.", options->admin_services},
        {"xds.service.orca.", options->load_reports != RPC_REPORTS_OFF},
    };
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++)
        if (strncmp(service->name, optional[i].prefix,
                    strlen(optional[i].prefix)) == 0)
            return optional[i].is_on;
    return true;
}

static void add_services(struct rpc_server *server,
                         const struct rpc_registry *registry)
{
    for (size_t i = 0; i < registry->service_count; i++) {
        const struct rpc_service *service = registry->services[i];
        if (!is_offered(&server->options, service))
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
    server->id = channelz_take_id();
    server->options = *options;
    fill_options(&server->options);
    add_registries(server);
    server->methods =
        method_table_create(server->services, server->service_count);
    server->limiter = limiter_create();
    if (options->load_reports != RPC_REPORTS_OFF)
        server->orca = orca_server_create();
    server->json = json_types_create(server->registries);
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
        rpc_worker_init(server, i);
    process_metrics_add();
    metrics_gauge_function("grpc_server_loop_pass_seconds",
                           "A pass of the slowest loop, of late.", NULL,
                           slowest_pass_seconds, server);
}

/* A loop that still ran may have posted to one that had stopped, and what runs
 * now may post again. */
static void run_last_posts(struct rpc_server *server)
{
    bool again = true;
    while (again) {
        again = false;
        for (int i = 0; i < server->worker_count; i++)
            again |= loop_run_posts(server->workers[i].loop);
    }
}

static void free_workers(struct rpc_server *server)
{
    metrics_forget(server);
    run_last_posts(server);
    for (int i = 0; i < server->worker_count; i++)
        rpc_worker_finish(&server->workers[i]);
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
    json_types_destroy(server->json);
    orca_server_destroy(server->orca);
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

bool rpc_server_is_ready(const struct rpc_server *server)
{
    return atomic_load(&server->ready);
}

const struct rpc_method *rpc_server_method(const struct rpc_server *server,
                                           const char *path)
{
    const struct method_entry *entry =
        method_table_find(server->methods, path, strlen(path));
    return entry == NULL ? NULL : entry->method;
}

/* --- new limits while it runs ----------------------------------------------
 */

struct new_limits {
    struct rpc_worker *worker;
    struct rpc_server_options options;
};

static void take_limits(void *argument)
{
    struct new_limits *limits = argument;
    rpc_worker_take_limits(limits->worker, &limits->options);
    free(limits);
}

void rpc_server_set_limits(struct rpc_server *server,
                           const struct rpc_server_options *options)
{
    for (int i = 0; i < server->worker_count; i++) {
        struct new_limits *limits = malloc(sizeof *limits);
        if (limits == NULL)
            abort();
        *limits = (struct new_limits){&server->workers[i], *options};
        fill_options(&limits->options);
        loop_post(server->workers[i].loop, take_limits, limits);
    }
}

/* --- with threads --------------------------------------------------------- */

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
    rpc_status status = rpc_worker_start(worker);
    start->status = status;
    if (status.code != RPC_OK)
        snprintf(start->message, sizeof start->message, "%s", status.message);
    uv_sem_post(&start->done); /* `start` is gone from here on */
    if (status.code == RPC_OK)
        loop_run(worker->loop);
    rpc_worker_stop(worker);
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
        rpc_worker_drain(&server->workers[i]);
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
    return RPC_SUCCESS;
}

void rpc_server_hand_over(struct rpc_server *server)
{
    atomic_store(&server->handed_over, true);
}

void rpc_server_stop(struct rpc_server *server)
{
    assert(server->is_threaded);
    atomic_store(&server->leaving, true);
    atomic_store(&server->ready, false);
    if (!atomic_load(&server->handed_over))
        uv_sleep(server->options.drain_notice_ms);
    begin_drain(server, server->worker_count);
    join_workers(server, server->worker_count);
    free_workers(server);
}

/* --- on the calling thread ------------------------------------------------ */

rpc_status rpc_server_start_here(struct rpc_server *server)
{
    server->is_threaded = false;
    atomic_store(&server->leaving, false);
    atomic_store(&server->draining, false);
    make_workers(server, 1);
    rpc_status status = rpc_worker_start(&server->workers[0]);
    if (status.code != RPC_OK) {
        rpc_worker_stop(&server->workers[0]);
        free_workers(server);
        return status;
    }
    return RPC_SUCCESS;
}

void rpc_server_stop_here(struct rpc_server *server)
{
    struct rpc_worker *worker = &server->workers[0];
    begin_drain(server, 1);
    loop_run_until(worker->loop, &worker->stopped);
    rpc_worker_stop(worker);
    free_workers(server);
    arena_thread_finish();
}
