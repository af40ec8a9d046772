/* Streams that wait without a coroutine: some 200 bytes each, besides what the
 * wire itself keeps. */
#include "rpc/call_state.h"

#include "rpc/details.h"
#include "rpc/observe.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct rpc_tail {
    struct rpc_tail *next, *previous; /* of the worker */
    struct rpc_worker *worker;
    struct rpc_transport *transport; /* NULL once the peer is gone */
    const struct rpc_tail_hooks *hooks;
    void *owner;
    struct loop_timer deadline;
    rpc_status late; /* what `deadline` ends it with */
    struct observed observed;
    char texts[]; /* that `observed` points to */
};

static char *keep(char **at, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

static size_t text_size(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

/* The call's own texts go with its arena. */
static struct rpc_tail *tail_create(const struct observed *o)
{
    struct rpc_tail *tail =
        calloc(1, sizeof *tail + text_size(o->caller_id) +
                      text_size(o->request_id) + text_size(o->peer));
    if (tail == NULL)
        abort();
    char *at = tail->texts;
    tail->observed = *o;
    tail->observed.caller_id = keep(&at, o->caller_id);
    tail->observed.request_id = keep(&at, o->request_id);
    tail->observed.peer = keep(&at, o->peer);
    return tail;
}

static void link_tail(struct rpc_worker *worker, struct rpc_tail *tail)
{
    tail->worker = worker;
    tail->next = worker->tails;
    if (tail->next != NULL)
        tail->next->previous = tail;
    worker->tails = tail;
}

static void unlink_tail(struct rpc_tail *tail)
{
    if (tail->worker->next_to_drain == tail)
        tail->worker->next_to_drain = tail->next;
    if (tail->previous != NULL)
        tail->previous->next = tail->next;
    else
        tail->worker->tails = tail->next;
    if (tail->next != NULL)
        tail->next->previous = tail->previous;
}

/* Ends the tail on the wire and in the books; it is not freed. */
static void finish(struct rpc_tail *tail, rpc_status status,
                   const uint8_t *details, size_t details_size)
{
    loop_timer_stop(&tail->deadline);
    unlink_tail(tail);
    observe_tail(&tail->observed, status);
    load_count_end(tail->worker, status.code);
    struct rpc_transport *transport = tail->transport;
    if (transport == NULL)
        return;
    tail->transport = NULL;
    transport->tail = NULL;
    struct rpc_answer answer = {.code = status.code,
                                .message = status.message,
                                .details = details,
                                .details_size = details_size};
    transport->ops->finish(transport, &answer);
}

static void close_tail(struct rpc_tail *tail, rpc_status status)
{
    finish(tail, status, NULL, 0);
    tail->hooks->closed(tail, tail->owner);
    free(tail);
}

static void on_tail_deadline(struct loop_timer *timer)
{
    struct rpc_tail *tail =
        (struct rpc_tail *)((char *)timer -
                            offsetof(struct rpc_tail, deadline));
    close_tail(tail, tail->late);
}

/* Why a tail that is made now cannot live. */
static rpc_status stillborn(const struct rpc_tail *tail,
                            const struct rpc_call *call)
{
    if (call->ended.code != RPC_OK)
        return (rpc_status){call->ended.code, "the call has ended"};
    if (tail->transport == NULL)
        return (rpc_status){RPC_CANCELLED, "the client has gone"};
    if (tail->worker->draining)
        return (rpc_status){RPC_UNAVAILABLE, "the server is going down"};
    return RPC_SUCCESS;
}

/* One that comes too late is a tail all the same: it ends in the next pass and
 * tells its owner then, who need not be ready for it now. */
static void start_deadline(struct rpc_tail *tail, const struct rpc_call *call)
{
    loop_timer_init(&tail->deadline, on_tail_deadline);
    tail->late = stillborn(tail, call);
    if (tail->late.code != RPC_OK) {
        loop_timer_start(call->loop, &tail->deadline, 0);
        return;
    }
    if (call->deadline_us == 0)
        return;
    tail->late = (rpc_status){RPC_DEADLINE_EXCEEDED, "the deadline has passed"};
    int64_t left_us = call->deadline_us - loop_now_us(call->loop);
    loop_timer_start(call->loop, &tail->deadline,
                     left_us < 0 ? 0 : (left_us + 999) / 1000);
}

struct rpc_tail *rpc_detach(struct rpc_out *out,
                            const struct rpc_tail_hooks *hooks, void *owner)
{
    struct call_state *state = out->state;
    struct rpc_call *call = &state->call;
    assert(state->phase == CALL_RUNNING);
    call_send_headers(state);

    struct observed observed = observe_detach(state);
    struct rpc_tail *tail = tail_create(&observed);
    tail->hooks = hooks;
    tail->owner = owner;
    tail->transport = call->transport;
    if (call->transport != NULL) {
        call->transport->call = NULL;
        call->transport->tail = tail;
        call->transport = NULL;
    }
    link_tail(state->worker, tail);
    loop_timer_stop(&state->deadline);
    start_deadline(tail, call);

    state->phase = CALL_ANSWERED;
    state->worker->calls_in_flight--;
    state->is_counted = false;
    return tail;
}

size_t rpc_tail_queued(const struct rpc_tail *tail)
{
    const struct rpc_transport *transport = tail->transport;
    return transport == NULL ? 0 : transport->ops->queued(transport);
}

static bool send_raw(struct rpc_tail *tail, const void *bytes, size_t size)
{
    struct rpc_transport *transport = tail->transport;
    size_t queued = transport->ops->queued(transport);
    if (queued > 0 && queued + size > RPC_TAIL_BYTES_MAX)
        return false;
    uint8_t *place = transport->ops->reserve(transport, size);
    if (size > 0)
        memcpy(place, bytes, size);
    transport->ops->commit(transport, size);
    tail->observed.messages_out++;
    tail->observed.bytes_out += size;
    return true;
}

/* The owner hears of it as of any other end, in the next pass. */
static void end_soon(struct rpc_tail *tail, rpc_status status)
{
    tail->late = status;
    loop_timer_start(tail->worker->loop, &tail->deadline, 0);
}

static bool send_json(struct rpc_tail *tail, struct arena *arena,
                      const void *bytes, size_t size)
{
    char *text;
    size_t text_size;
    if (call_json(arena, tail->worker->server, tail->observed.entry->method,
                  bytes, size, &text, &text_size))
        return send_raw(tail, text, text_size);
    end_soon(tail,
             (rpc_status){RPC_INTERNAL, "an event cannot be said in JSON"});
    return true;
}

bool rpc_tail_send(struct rpc_tail *tail, const void *bytes, size_t size)
{
    if (tail->transport == NULL)
        return true; /* nobody reads; `closed` comes in this pass */
    if (tail->transport->codec == RPC_CODEC_PROTO)
        return send_raw(tail, bytes, size);
    struct arena *arena = arena_create();
    bool sent = send_json(tail, arena, bytes, size);
    arena_destroy(arena);
    return sent;
}

void rpc_tail_end(struct rpc_tail *tail, rpc_code code, const char *message)
{
    finish(tail, (rpc_status){code, message}, NULL, 0);
    free(tail);
}

void rpc_tail_end_reason(struct rpc_tail *tail, rpc_code code,
                         const char *reason, const char *message)
{
    struct arena *arena = arena_create();
    struct rpc_details d = {
        .status = {code, message}, .reason = reason, .retry_ms = -1};
    size_t size;
    const uint8_t *bytes = rpc_details_pack(
        arena, &d, tail->worker->server->options.error_domain, &size);
    finish(tail, d.status, bytes, size);
    free(tail);
    arena_destroy(arena);
}

/* The transport has let go of the tail already, or is still there to be told.
 */
void tail_lost(struct rpc_tail *tail, rpc_code code, const char *message)
{
    if (tail->transport != NULL && tail->transport->tail == NULL)
        tail->transport = NULL;
    close_tail(tail, (rpc_status){code, message});
}

void tail_drain(struct rpc_tail *tail)
{
    if (tail->hooks->drain != NULL)
        tail->hooks->drain(tail, tail->owner);
    else
        close_tail(tail, (rpc_status){RPC_UNAVAILABLE,
                                      tail->worker->draining
                                          ? "the server is going down"
                                          : "the connection is to end"});
}

/* A hook may end any tail, also the one that would be next. */
void tail_drain_all(struct rpc_worker *worker)
{
    worker->next_to_drain = worker->tails;
    while (worker->next_to_drain != NULL) {
        struct rpc_tail *tail = worker->next_to_drain;
        worker->next_to_drain = tail->next;
        tail_drain(tail);
    }
}

void tail_end_all(struct rpc_worker *worker, rpc_code code, const char *message)
{
    while (worker->tails != NULL)
        close_tail(worker->tails, (rpc_status){code, message});
}

const struct rpc_tail *tail_next(const struct rpc_tail *tail)
{
    return tail->next;
}

const struct observed *tail_observed(const struct rpc_tail *tail)
{
    return &tail->observed;
}

void tail_count_sent(struct rpc_tail *tail, size_t wire_size)
{
    tail->observed.wire_bytes_out += wire_size;
}
