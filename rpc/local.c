/* A transport without a network: messages wait in a list until they are asked
 * for. */
#include "rpc/local.h"

#include "rpc/call_state.h"
#include "rpc/codec.h"

#include <stdlib.h>
#include <string.h>

struct local_message {
    struct local_message *next;
    size_t size;
    uint8_t bytes[];
};

struct rpc_local {
    struct rpc_transport transport;
    struct rpc_worker *worker;
    const struct rpc_method *method; /* NULL when there is none */
    struct arena *arena;             /* of the answer */
    struct local_message *first, **last;
    size_t queued;
    bool has_news; /* a message or the answer came */
    bool is_over;
    struct rpc_reply reply;
};

/* --- the call's side ------------------------------------------------------ */

static const struct rpc_header *copy_fields(struct arena *arena,
                                            const struct rpc_field *fields)
{
    size_t count = 0;
    for (const struct rpc_field *f = fields; f != NULL; f = f->next)
        count++;
    struct rpc_header *copies = arena_array(arena, count + 1, sizeof copies[0]);
    for (size_t i = 0; i < count; i++, fields = fields->next) {
        copies[i].name = arena_strdup(arena, fields->name);
        copies[i].value =
            arena_strndup(arena, fields->value, fields->value_size);
    }
    return copies;
}

static void on_headers(struct rpc_transport *transport,
                       const struct rpc_field *headers)
{
    struct rpc_local *local = (struct rpc_local *)transport;
    local->reply.headers = copy_fields(local->arena, headers);
}

static uint8_t *on_reserve(struct rpc_transport *transport, size_t size)
{
    struct rpc_local *local = (struct rpc_local *)transport;
    struct local_message *m = malloc(sizeof *m + size);
    if (m == NULL)
        abort();
    m->next = NULL;
    m->size = size;
    *local->last = m;
    local->last = &m->next;
    return m->bytes;
}

static void on_commit(struct rpc_transport *transport, size_t size)
{
    struct rpc_local *local = (struct rpc_local *)transport;
    local->queued += size;
    local->has_news = true;
}

static size_t on_queued(const struct rpc_transport *transport)
{
    return ((const struct rpc_local *)transport)->queued;
}

static void on_consumed(struct rpc_transport *transport, size_t window_bytes)
{
    (void)transport;
    (void)window_bytes;
}

static void on_finish(struct rpc_transport *transport,
                      const struct rpc_answer *answer)
{
    struct rpc_local *local = (struct rpc_local *)transport;
    local->reply.status.code = answer->code;
    local->reply.status.message = arena_strdup(local->arena, answer->message);
    local->reply.details =
        arena_memdup(local->arena, answer->details, answer->details_size);
    local->reply.details_size = answer->details_size;
    local->reply.trailers = copy_fields(local->arena, answer->trailers);
    if (local->reply.headers == NULL)
        local->reply.headers = copy_fields(local->arena, answer->headers);
    local->has_news = true;
    local->is_over = true;
}

static const struct rpc_transport_ops local_ops = {
    .name = "local",
    .headers = on_headers,
    .reserve = on_reserve,
    .commit = on_commit,
    .queued = on_queued,
    .consumed = on_consumed,
    .finish = on_finish,
};

/* --- the caller's side ---------------------------------------------------- */

static void add_headers(struct rpc_transport *transport,
                        const struct rpc_header *headers)
{
    for (; headers != NULL && headers->name != NULL; headers++)
        rpc_transport_add_metadata(transport, headers->name,
                                   strlen(headers->name), headers->value,
                                   strlen(headers->value));
}

/* On a loop of the server, that loop: the call lives where it is made. */
static struct rpc_worker *worker_here(struct rpc_server *server)
{
    struct loop *loop = loop_current();
    struct rpc_worker *worker = loop == NULL ? NULL : rpc_worker_of(loop);
    return worker != NULL && worker->server == server ? worker
                                                      : &server->workers[0];
}

static struct rpc_local *open_call(struct rpc_server *server, const char *path,
                                   const struct rpc_header *headers,
                                   int64_t timeout_us)
{
    struct rpc_local *local = calloc(1, sizeof *local);
    if (local == NULL)
        abort();
    local->transport.ops = &local_ops;
    local->worker = worker_here(server);
    local->method = rpc_server_method(server, path);
    local->arena = arena_create();
    local->last = &local->first;

    struct rpc_head *head =
        rpc_transport_begin(&local->transport, local->worker);
    head->path = path;
    head->path_size = strlen(path);
    head->peer = "local";
    head->timeout_us = timeout_us;
    add_headers(&local->transport, headers);
    rpc_transport_open(&local->transport);
    return local;
}

struct rpc_local *rpc_local_open(struct rpc_server *server, const char *path,
                                 const struct rpc_header *headers)
{
    return open_call(server, path, headers, -1);
}

struct rpc_local *rpc_local_open_with_timeout(struct rpc_server *server,
                                              const char *path,
                                              const struct rpc_header *headers,
                                              int64_t timeout_ms)
{
    return open_call(server, path, headers, timeout_ms * 1000);
}

void rpc_local_send(struct rpc_local *local, const void *request)
{
    struct arena *arena = arena_create();
    size_t size;
    const uint8_t *bytes = codec_pack(arena, request, &size);
    rpc_local_send_bytes(local, bytes, size);
    arena_destroy(arena);
}

void rpc_local_send_bytes(struct rpc_local *local, const void *bytes,
                          size_t size)
{
    rpc_transport_message(&local->transport, bytes, size, size);
}

void rpc_local_close_send(struct rpc_local *local)
{
    rpc_transport_half_close(&local->transport);
}

size_t rpc_local_queued(const struct rpc_local *local)
{
    return local->queued;
}

bool rpc_local_is_open(const struct rpc_local *local)
{
    return !local->is_over || local->first != NULL;
}

struct alarm {
    struct loop_timer timer;
    struct rpc_local *local;
};

static void on_alarm(struct loop_timer *timer)
{
    ((struct alarm *)timer)->local->has_news = true;
}

/* Runs the loop until something came. */
static void wait_for_news(struct rpc_local *local, int64_t timeout_ms)
{
    struct alarm alarm = {.local = local};
    loop_timer_init(&alarm.timer, on_alarm);
    loop_timer_start(local->worker->loop, &alarm.timer, timeout_ms);
    local->has_news = false;
    loop_run_until(local->worker->loop, &local->has_news);
    loop_timer_stop(&alarm.timer);
}

static ProtobufCMessage *take_message(struct rpc_local *local,
                                      struct arena *arena)
{
    struct local_message *m = local->first;
    local->first = m->next;
    if (local->first == NULL)
        local->last = &local->first;
    local->queued -= m->size;

    struct codec_error error;
    ProtobufCMessage *message =
        codec_decode(arena, local->method->response, m->bytes, m->size, &error);
    free(m);
    if (message == NULL)
        abort(); /* the server sent what it cannot read itself */
    rpc_transport_writable(&local->transport);
    return message;
}

ProtobufCMessage *rpc_local_next(struct rpc_local *local, struct arena *arena,
                                 int64_t timeout_ms)
{
    if (local->first == NULL && !local->is_over && timeout_ms > 0)
        wait_for_news(local, timeout_ms);
    return local->first == NULL ? NULL : take_message(local, arena);
}

struct rpc_reply rpc_local_reply(struct rpc_local *local)
{
    while (!local->is_over)
        wait_for_news(local, 1000);
    return local->reply;
}

void rpc_local_cancel(struct rpc_local *local)
{
    if (local->is_over)
        return;
    rpc_transport_lost(&local->transport, RPC_CANCELLED,
                       "the client has cancelled");
    static const struct rpc_header none[] = {{NULL, NULL}};
    local->reply.status =
        (rpc_status){RPC_CANCELLED, "the client has cancelled"};
    local->reply.trailers = none;
    if (local->reply.headers == NULL)
        local->reply.headers = none;
    local->is_over = true;
}

void rpc_local_free(struct rpc_local *local)
{
    if (local == NULL)
        return;
    rpc_local_cancel(local);
    while (local->first != NULL) {
        struct local_message *m = local->first;
        local->first = m->next;
        free(m);
    }
    arena_destroy(local->arena);
    free(local);
}

static const struct rpc_header *copy_headers(struct arena *arena,
                                             const struct rpc_header *headers)
{
    size_t count = 0;
    while (headers[count].name != NULL)
        count++;
    struct rpc_header *copies = arena_array(arena, count + 1, sizeof copies[0]);
    for (size_t i = 0; i < count; i++) {
        copies[i].name = arena_strdup(arena, headers[i].name);
        copies[i].value = arena_strdup(arena, headers[i].value);
    }
    return copies;
}

struct rpc_reply rpc_local_call(struct rpc_server *server, struct arena *arena,
                                const char *path,
                                const struct rpc_header *headers,
                                const void *request)
{
    struct rpc_local *local = rpc_local_open(server, path, headers);
    rpc_local_send(local, request);
    rpc_local_close_send(local);
    struct rpc_reply reply = rpc_local_reply(local);
    reply.status.message = arena_strdup(arena, reply.status.message);
    reply.details = arena_memdup(arena, reply.details, reply.details_size);
    reply.headers = copy_headers(arena, reply.headers);
    reply.trailers = copy_headers(arena, reply.trailers);
    if (local->first != NULL)
        reply.message = take_message(local, arena);
    rpc_local_free(local);
    return reply;
}
