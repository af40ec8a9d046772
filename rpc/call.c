/* The life of a call: from the transport's events to the handler and back. */
#include "rpc/call_state.h"

#include "rpc/admission.h"
#include "rpc/co.h"
#include "rpc/details.h"
#include "rpc/hash.h"
#include "rpc/observe.h"
#include "rpc/orca_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- states are pooled per worker ----------------------------------------- */

enum { SPARE_CALLS_MAX = 1024 };

static void on_deadline(struct loop_timer *timer);

static struct call_state *state_create(void)
{
    struct call_state *state = calloc(1, sizeof *state);
    if (state == NULL)
        abort();
    state->call.arena = arena_create();
    return state;
}

static struct call_state *state_reuse(struct rpc_worker *worker)
{
    struct call_state *state = worker->spare_calls;
    if (state == NULL)
        return state_create();
    worker->spare_calls = state->next;
    worker->spare_call_count--;
    struct arena *arena = state->call.arena;
    memset(state, 0, sizeof *state);
    state->call.arena = arena;
    return state;
}

static void link_state(struct rpc_worker *worker, struct call_state *state)
{
    state->worker = worker;
    state->call.loop = worker->loop;
    state->call.server = worker->server;
    state->next = worker->calls;
    if (state->next != NULL)
        state->next->previous = state;
    worker->calls = state;
}

static void make_request_id(struct call_state *state)
{
    uint64_t bits = hash_random();
    for (int i = 0; i < 16; i++, bits >>= 4)
        state->request_id[i] = "0123456789abcdef"[bits & 15];
    state->call.request_id = state->request_id;
}

struct call_state *call_state_take(struct rpc_worker *worker)
{
    struct call_state *state =
        worker == NULL ? state_create() : state_reuse(worker);
    if (worker != NULL)
        link_state(worker, state);
    make_request_id(state);
    trace_begin(&state->call.trace);
    state->head.timeout_us = -1;
    state->head.metadata_end = &state->head.metadata;
    field_list_init(&state->headers);
    field_list_init(&state->trailers);
    state->in.state = state->out.state = state;
    state->in.last = &state->in.first;
    loop_timer_init(&state->deadline, on_deadline);
    return state;
}

static void unlink_state(struct rpc_worker *worker, struct call_state *state)
{
    if (state->previous != NULL)
        state->previous->next = state->next;
    else
        worker->calls = state->next;
    if (state->next != NULL)
        state->next->previous = state->previous;
}

static void state_destroy(struct call_state *state)
{
    arena_destroy(state->call.arena);
    free(state);
}

void call_state_give(struct call_state *state)
{
    struct rpc_worker *worker = state->worker;
    loop_timer_stop(&state->deadline);
    stream_drop_received(state);
    arena_destroy(state->in.arena);
    if (worker == NULL) {
        state_destroy(state);
        return;
    }
    rpc_worker_give_memory(worker, state->share, state->charged_bytes);
    memory_share_release(state->share);
    unlink_state(worker, state);
    if (worker->spare_call_count >= SPARE_CALLS_MAX) {
        state_destroy(state);
        return;
    }
    arena_reset(state->call.arena);
    state->next = worker->spare_calls;
    worker->spare_calls = state;
    worker->spare_call_count++;
}

static const char short_of_memory[] = "the server is short of memory";

/* Calls end all the time: in a second there may be room. */
enum { STARVED_RETRY_MS = 1000 };

bool call_charge(struct call_state *state)
{
    size_t held = arena_bytes(state->call.arena) + state->queued_in_bytes +
                  state->text_bytes;
    if (state->in.arena != NULL)
        held += arena_bytes(state->in.arena);
    if (held <= state->charged_bytes) {
        rpc_worker_give_memory(state->worker, state->share,
                               state->charged_bytes - held);
        state->charged_bytes = held;
        return true;
    }
    size_t more = held - state->charged_bytes;
    if (call_is_operators(state))
        state->worker->memory_bytes += more; /* over the limit, if need be */
    else if (!rpc_worker_take_memory(state->worker, state->share, more))
        return false;
    state->charged_bytes = held;
    return true;
}

rpc_status call_starved(struct rpc_call *call)
{
    return rpc_fail_retry(call, RPC_RESOURCE_EXHAUSTED, STARVED_RETRY_MS, "%s",
                          short_of_memory);
}

/* --- the answer ----------------------------------------------------------- */

/* What a handler must not have said, and what strangers must not read: the log
 * keeps the real text. */
static rpc_status public_status(const struct call_state *state,
                                rpc_status status)
{
    if ((unsigned)status.code >= RPC_CODE_COUNT)
        return (rpc_status){RPC_UNKNOWN, "the server made an unknown error"};
    if (status.code == RPC_INTERNAL && state->handler_us != 0 &&
        !state->call.server->options.tells_internal_errors)
        return (rpc_status){RPC_INTERNAL, "internal error"};
    return status;
}

/* Clients that retry by themselves obey this trailer (gRFC A6). */
static void add_pushback(struct call_state *state, rpc_status status)
{
    int64_t retry_ms = rpc_details_retry_ms(&state->call, status);
    if (retry_ms < 0)
        return;
    char text[24];
    int size =
        snprintf(text, sizeof text, "%lld",
                 (long long)(retry_ms > INT32_MAX ? INT32_MAX : retry_ms));
    field_list_add(&state->trailers, state->call.arena,
                   "grpc-retry-pushback-ms", text, (size_t)size);
}

void call_leave(struct call_state *state, rpc_set_metadata *set)
{
    const struct rpc_hooks *hooks = &state->call.server->options.hooks;
    if (hooks->leave != NULL && state->phase == CALL_RUNNING)
        hooks->leave(&state->call, set);
}

static void send_answer(struct call_state *state, rpc_status status)
{
    struct rpc_call *call = &state->call;
    struct rpc_transport *transport = call->transport;
    if (transport == NULL)
        return;
    struct rpc_answer answer = {.code = status.code, .message = status.message};
    if (status.code != RPC_OK) {
        add_pushback(state, status);
        answer.details = rpc_details_encode(call, status, &answer.details_size);
    }
    orca_add_trailer(state);
    /* Trailers alone are for errors: a stream without a message that went well
     * has headers of its own. */
    if (status.code == RPC_OK)
        call_send_headers(state);
    call_leave(state, state->headers_sent ? rpc_set_trailer : rpc_set_header);
    answer.headers = state->headers.first;
    answer.trailers = state->trailers.first;
    call->transport = NULL;
    transport->call = NULL;
    transport->ops->finish(transport, &answer);
}

static int64_t admission_delay_us(const struct rpc_call *call)
{
    return (int64_t)call->server->options.admission_delay_ms * 1000;
}

static void admission_enter(struct call_state *state)
{
    const struct rpc_call *call = &state->call;
    if (call->method->kind != RPC_UNARY ||
        call->server->options.admission_delay_ms == RPC_ADMISSION_OFF)
        return;
    state->admission = &state->worker->admissions[state->entry->index];
    state->admitted_us = loop_now_us(call->loop);
    state->began_quiet = admission_begin(
        state->admission, admission_delay_us(call), state->admitted_us);
}

static void admission_leave(struct call_state *state, rpc_code code)
{
    if (state->admission == NULL)
        return;
    const struct rpc_call *call = &state->call;
    int64_t now_us = loop_now_us(call->loop);
    admission_end(
        state->admission, state->began_quiet,
        code == RPC_OK || code == RPC_DEADLINE_EXCEEDED ? ADMISSION_ANSWERED
                                                        : ADMISSION_OTHER,
        now_us - state->admitted_us, admission_delay_us(call), now_us);
    state->admission = NULL;
}

static void answer(struct call_state *state, rpc_status status)
{
    admission_leave(state, status.code);
    loop_timer_stop(&state->deadline);
    observe_call(state, status);
    send_answer(state, public_status(state, status));
    if (state->is_counted)
        state->worker->calls_in_flight--;
    state->is_counted = false;
    state->phase = CALL_ANSWERED;
}

/* --- the coroutine -------------------------------------------------------- */

static void run_defers(struct rpc_call *call)
{
    while (call->defers != NULL) {
        struct rpc_defer *d = call->defers;
        call->defers = d->next;
        d->fn(d->argument);
    }
}

static void begin(struct rpc_call *call)
{
    if (call->server != NULL && call->server->options.hooks.begin != NULL)
        call->server->options.hooks.begin(call);
}

static rpc_status confirm(struct rpc_call *call)
{
    TRY(rpc_alive(call));
    if (call->server == NULL || call->server->options.hooks.confirm == NULL)
        return RPC_SUCCESS;
    return call->server->options.hooks.confirm(call);
}

/* The client hears its answer before the defers run: they give back what the
 * call had, and may take a round trip for it. */
static void call_main(void *argument)
{
    struct call_state *state = argument;
    struct rpc_call *call = &state->call;
    begin(call);
    rpc_status status = confirm(call);
    if (status.code == RPC_OK)
        status = call_run_handler(state);
    if (call->ended.code != RPC_OK)
        status = call->ended;
    if (state->phase != CALL_ANSWERED)
        answer(state, status);
    run_defers(call);
    call_state_give(state);
}

static void task_main(void *argument)
{
    struct call_state *state = argument;
    begin(&state->call);
    state->task(&state->call, state->task_argument);
    run_defers(&state->call);
    call_state_give(state);
}

struct rpc_call *rpc_task(struct rpc_server *server, struct loop *loop,
                          void (*fn)(struct rpc_call *call, void *argument),
                          void *argument)
{
    struct rpc_worker *worker = server == NULL ? NULL : rpc_worker_of(loop);
    if (worker != NULL && worker->stopping)
        return NULL;
    struct call_state *state = call_state_take(worker);
    state->call.loop = loop;
    state->call.server = server;
    state->call.peer = "task";
    state->phase = CALL_RUNNING;
    state->start_us = state->body_us = state->handler_us = loop_now_us(loop);
    state->task = fn;
    state->task_argument = argument;
    state->call.co = co_spawn(loop, task_main, state);
    if (state->call.co != NULL)
        return &state->call;
    call_state_give(state);
    return NULL;
}

/* --- events from the transport -------------------------------------------- */

/* For a call that no coroutine runs yet. */
static void refuse(struct call_state *state, rpc_status status)
{
    answer(state, status);
    call_state_give(state);
}

static bool start(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    call->co = co_spawn(call->loop, call_main, state);
    if (call->co == NULL) {
        refuse(state, rpc_fail_retry(call, RPC_RESOURCE_EXHAUSTED, 1000,
                                     "the server has no stack left"));
        return false;
    }
    state->phase = CALL_RUNNING;
    state->body_us = loop_now_us(call->loop);
    admission_enter(state);
    if (call->deadline_us == 0)
        loop_timer_stop(&state->deadline);
    return true;
}

struct rpc_head *rpc_transport_begin(struct rpc_transport *transport,
                                     struct rpc_worker *worker)
{
    struct call_state *state = call_state_take(worker);
    state->call.transport = transport;
    transport->call = &state->call;
    return &state->head;
}

void rpc_transport_add_metadata(struct rpc_transport *transport,
                                const char *name, size_t name_size,
                                const char *value, size_t value_size)
{
    if (transport->call == NULL)
        return;
    struct call_state *state = call_state_of(transport->call);
    struct arena *arena = state->call.arena;
    struct rpc_field *field = ARENA_NEW(arena, struct rpc_field);
    field->name = arena_strndup(arena, name, name_size);
    field->value = arena_strndup(arena, value, value_size);
    field->name_size = (uint32_t)name_size;
    field->value_size = (uint32_t)value_size;
    *state->head.metadata_end = field;
    state->head.metadata_end = &field->next;
}

static bool reads_stream(const struct rpc_method *method)
{
    return method->kind == RPC_CLIENT_STREAM || method->kind == RPC_BIDI_STREAM;
}

/* A call without a deadline has one nevertheless until its body is there. */
static void start_deadline(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    if (call->deadline_us != 0) {
        int64_t left_us = call->deadline_us - loop_now_us(call->loop);
        loop_timer_start(call->loop, &state->deadline, (left_us + 999) / 1000);
    } else if (!reads_stream(call->method)) {
        loop_timer_start(call->loop, &state->deadline,
                         state->worker->options.unary_ms_max);
    }
}

bool rpc_transport_open(struct rpc_transport *transport)
{
    struct call_state *state = call_state_of(transport->call);
    state->start_us = loop_now_us(state->call.loop);
    state->codec = transport->codec;
    state->call.peer = state->head.peer;
    state->call.peer_identity = state->head.peer_identity;
    state->share = memory_share_hold(state->head.share);
    rpc_status status = gate_pass(state);
    state->is_counted = status.code == RPC_OK;
    observe_start(state);
    if (status.code != RPC_OK) {
        refuse(state, status);
        return false;
    }
    state->phase = CALL_BODY;
    state->worker->calls_in_flight++;
    start_deadline(state);
    return !reads_stream(state->call.method) || start(state);
}

size_t rpc_transport_message_bytes_max(const struct rpc_transport *transport)
{
    if (transport->call == NULL)
        return 0;
    const struct rpc_call *call = transport->call;
    uint32_t max = call->method == NULL ? 0 : call->method->request_bytes_max;
    return max != 0 ? max
                    : call_state_of(call)->worker->options.message_bytes_max;
}

static void receive_single(struct call_state *state, const void *bytes,
                           size_t size)
{
    if (state->phase != CALL_BODY)
        return; /* behind the half-close: the transport's business */
    rpc_status status;
    if (state->request != NULL)
        status = (rpc_status){RPC_UNIMPLEMENTED,
                              "this method takes one request message"};
    else
        status =
            call_decode(state, state->call.arena, bytes, size, &state->request);
    if (status.code != RPC_OK)
        refuse(state, status);
}

void rpc_transport_message(struct rpc_transport *transport, const void *bytes,
                           size_t size, size_t window_bytes)
{
    if (transport->call == NULL) {
        if (transport->tail != NULL)
            transport->ops->consumed(transport, window_bytes);
        return;
    }
    struct call_state *state = call_state_of(transport->call);
    state->messages_in++;
    state->bytes_in += size;
    if (reads_stream(state->call.method)) {
        stream_receive(state, bytes, size, window_bytes);
        return;
    }
    transport->ops->consumed(transport, window_bytes);
    state->was_compressed = transport->was_compressed;
    receive_single(state, bytes, size);
}

void rpc_transport_count_received(struct rpc_transport *transport, size_t size)
{
    if (transport->call != NULL)
        call_state_of(transport->call)->wire_bytes_in += size;
}

void rpc_transport_count_sent(struct rpc_transport *transport, size_t size)
{
    if (transport->call != NULL)
        call_state_of(transport->call)->wire_bytes_out += size;
    else if (transport->tail != NULL)
        tail_count_sent(transport->tail, size);
}

void rpc_transport_half_close(struct rpc_transport *transport)
{
    if (transport->call == NULL)
        return;
    struct call_state *state = call_state_of(transport->call);
    state->in.half_closed = true;
    if (state->phase == CALL_RUNNING)
        rpc_wake(&state->call);
    else if (state->request == NULL)
        refuse(state, (rpc_status){RPC_UNIMPLEMENTED,
                                   "this method needs a request message"});
    else
        start(state);
}

void rpc_transport_fail(struct rpc_transport *transport, rpc_code code,
                        const char *message)
{
    if (transport->call != NULL)
        rpc_end(transport->call, code, message);
    else if (transport->tail != NULL)
        tail_lost(transport->tail, code, message);
}

void rpc_transport_starve(struct rpc_transport *transport)
{
    if (transport->call != NULL)
        call_end_starved(call_state_of(transport->call));
    else if (transport->tail != NULL)
        tail_lost(transport->tail, RPC_RESOURCE_EXHAUSTED, short_of_memory);
}

/* Nobody will read that any more, and the handler may take its time to end. */
static void forget_received(struct call_state *state)
{
    stream_drop_received(state);
    if (state->charged_bytes > 0)
        call_charge(state);
}

void rpc_transport_lost(struct rpc_transport *transport, rpc_code code,
                        const char *message)
{
    struct rpc_call *call = transport->call;
    struct rpc_tail *tail = transport->tail;
    transport->call = NULL;
    transport->tail = NULL;
    if (call != NULL) {
        call->transport = NULL;
        forget_received(call_state_of(call));
        rpc_end(call, code, message);
    } else if (tail != NULL) {
        tail_lost(tail, code, message);
    }
}

void rpc_transport_drain(struct rpc_transport *transport)
{
    if (transport->call != NULL)
        call_drain(transport->call);
    else if (transport->tail != NULL)
        tail_drain(transport->tail);
}

void rpc_transport_writable(struct rpc_transport *transport)
{
    if (transport->call != NULL)
        rpc_wake(transport->call);
}

/* --- ending --------------------------------------------------------------- */

static void end_with(struct rpc_call *call, rpc_status status)
{
    struct call_state *state = call_state_of(call);
    call->ended = status;
    if (call->co != NULL)
        co_wake(call->co);
    else if (state->phase == CALL_HEADERS && call->transport == NULL)
        call_state_give(state); /* nobody has counted it yet */
    else
        refuse(state, call->ended);
}

void rpc_end(struct rpc_call *call, rpc_code code, const char *message)
{
    if (call->ended.code == RPC_OK)
        end_with(call, (rpc_status){code, arena_strdup(call->arena, message)});
}

void call_end_starved(struct call_state *state)
{
    if (state->call.ended.code == RPC_OK)
        end_with(&state->call, call_starved(&state->call));
}

void rpc_end_reason(struct rpc_call *call, rpc_code code, const char *reason,
                    const char *message)
{
    if (call->ended.code == RPC_OK)
        end_with(call, rpc_fail_reason(call, code, reason, "%s", message));
}

static void on_deadline(struct loop_timer *timer)
{
    struct call_state *state =
        (struct call_state *)((char *)timer -
                              offsetof(struct call_state, deadline));
    rpc_end(&state->call, RPC_DEADLINE_EXCEEDED, "the deadline has passed");
}
