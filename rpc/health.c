#include "rpc/health.h"

#include "grpc/health/v1/health.rpc.h"
#include "rpc/codec.h"
#include "rpc/stream.h"

#include <stdlib.h>
#include <string.h>

/* A Watch stream, between two changes.  Anybody may have thousands: each leaves
 * the list without a walk. */
struct health_watch {
    struct health_watch *next, *previous; /* of the worker */
    struct rpc_tail *tail;
    struct rpc_worker *worker;
    bool is_known; /* whether we have the service */
    HealthCheckResponseServingStatus told;
};

static bool has_service(const struct rpc_server *server, const char *name)
{
    if (name[0] == '\0')
        return true;
    for (size_t i = 0; i < server->service_count; i++)
        if (strcmp(server->services[i]->name, name) == 0)
            return true;
    return false;
}

static HealthCheckResponseServingStatus status_of(struct rpc_server *server)
{
    return atomic_load(&server->ready) || atomic_load(&server->handed_over)
               ? SERVING_STATUS_SERVING
               : SERVING_STATUS_NOT_SERVING;
}

rpc_status health_check(struct rpc_call *call, const HealthCheckRequest *req,
                        HealthCheckResponse *res)
{
    if (!has_service(call->server, req->service))
        return rpc_fail(call, RPC_NOT_FOUND, "there is no service %s here",
                        req->service);
    res->status = status_of(call->server);
    return RPC_SUCCESS;
}

/* gRFC A90. */
/* Whoever knows the port may watch, and each watch is a stream that stays: so
 * many on each loop are more than all the load balancers of a cluster. */
enum { HEALTH_LIST_MAX = 100, HEALTH_WATCHES_MAX = 1000 };

static HealthListResponseStatusesEntry *list_entry(struct rpc_call *call,
                                                   const char *name)
{
    struct arena *arena = call->arena;
    HealthListResponseStatusesEntry *entry =
        (HealthListResponseStatusesEntry *)codec_new(
            arena, HEALTH_LIST_RESPONSE_STATUSES_ENTRY_DESCRIPTOR);
    entry->key = name;
    entry->value = (HealthCheckResponse *)codec_new(
        arena, HEALTH_CHECK_RESPONSE_DESCRIPTOR);
    entry->value->status = status_of(call->server);
    return entry;
}

rpc_status health_list(struct rpc_call *call, const HealthListRequest *req,
                       HealthListResponse *res)
{
    (void)req;
    const struct rpc_server *server = call->server;
    if (server->service_count + 1 > HEALTH_LIST_MAX)
        return rpc_fail(call, RPC_RESOURCE_EXHAUSTED,
                        "there are more than %d services", HEALTH_LIST_MAX);
    res->n_statuses = server->service_count + 1;
    res->statuses =
        arena_array(call->arena, res->n_statuses, sizeof res->statuses[0]);
    res->statuses[0] = list_entry(call, "");
    for (size_t i = 0; i < server->service_count; i++)
        res->statuses[i + 1] = list_entry(call, server->services[i]->name);
    return RPC_SUCCESS;
}

/* --- Watch: a tail that hears of changes ---------------------------------- */

static void tell(struct health_watch *watch,
                 HealthCheckResponseServingStatus status)
{
    HealthCheckResponse message = HEALTH_CHECK_RESPONSE_INIT;
    message.status = watch->told = status;
    uint8_t bytes[16];
    codec_encode(&message.base, bytes);
    rpc_tail_send(watch->tail, bytes, codec_size(&message.base));
}

static void free_watch(struct health_watch *watch)
{
    watch->worker->watch_count--;
    if (watch->previous != NULL)
        watch->previous->next = watch->next;
    else
        watch->worker->watches = watch->next;
    if (watch->next != NULL)
        watch->next->previous = watch->previous;
    free(watch);
}

static void on_watch_closed(struct rpc_tail *tail, void *owner)
{
    (void)tail;
    free_watch(owner);
}

static void on_watch_drain(struct rpc_tail *tail, void *owner)
{
    struct health_watch *watch = owner;
    const struct rpc_server *server = watch->worker->server;
    bool server_ends =
        watch->worker->draining && !atomic_load(&server->handed_over);
    if (server_ends && watch->is_known &&
        watch->told != SERVING_STATUS_NOT_SERVING)
        tell(watch, SERVING_STATUS_NOT_SERVING);
    rpc_tail_end(tail, RPC_UNAVAILABLE,
                 server_ends ? "the server is going down"
                             : "the connection is to end; watch on another");
    free_watch(watch);
}

static const struct rpc_tail_hooks watch_hooks = {on_watch_closed,
                                                  on_watch_drain};

rpc_status health_watch(struct rpc_call *call, const HealthCheckRequest *req,
                        struct rpc_out *out)
{
    struct rpc_worker *worker = rpc_worker_of(call->loop);
    if (worker->watch_count >= HEALTH_WATCHES_MAX)
        return rpc_fail_retry(call, RPC_RESOURCE_EXHAUSTED, 60 * 1000,
                              "too many watch the health of this server");
    struct health_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        abort();
    watch->worker = worker;
    watch->is_known = has_service(call->server, req->service);
    watch->next = worker->watches;
    if (watch->next != NULL)
        watch->next->previous = watch;
    worker->watches = watch;
    worker->watch_count++;
    watch->tail = rpc_detach(out, &watch_hooks, watch);
    tell(watch, watch->is_known ? status_of(call->server)
                                : SERVING_STATUS_SERVICE_UNKNOWN);
    return RPC_SUCCESS;
}

void health_tick(struct rpc_worker *worker)
{
    HealthCheckResponseServingStatus now = status_of(worker->server);
    for (struct health_watch *w = worker->watches; w != NULL; w = w->next)
        if (w->is_known && w->told != now)
            tell(w, now);
}
