#include "rpc/observe.h"

#include "rpc/call_state.h"
#include "rpc/clock.h"
#include "rpc/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct {
    metric in_flight;
    metric tails;
    metric bytes_in, bytes_out;
    metric messages_in, messages_out;
    metric retried;
    struct method_numbers other; /* paths that are no method */
} numbers;
static uv_once_t numbers_once = UV_ONCE_INIT;

static void register_numbers(void)
{
    numbers.in_flight = metrics_gauge("grpc_server_calls_in_flight",
                                      "Calls that have a handler now.", NULL);
    numbers.tails =
        metrics_gauge("grpc_server_streams_idle",
                      "Streams that wait for events without a handler.", NULL);
    numbers.bytes_in =
        metrics_counter("grpc_server_rcvd_message_bytes_total",
                        "Bytes of request messages, inflated.", NULL);
    numbers.bytes_out = metrics_counter(
        "grpc_server_sent_message_bytes_total",
        "Bytes of response messages, before compression.", NULL);
    numbers.messages_in = metrics_counter("grpc_server_rcvd_messages_total",
                                          "Request messages.", NULL);
    numbers.messages_out = metrics_counter("grpc_server_sent_messages_total",
                                           "Response messages.", NULL);
    numbers.retried = metrics_counter(
        "grpc_server_retried_calls_total",
        "Calls that the client, as it says, has made before.", NULL);
    numbers.other = observe_method("other");
}

struct method_numbers observe_method(const char *name)
{
    char labels[256];
    snprintf(labels, sizeof labels, "grpc_method=\"%s\"", name);
    struct method_numbers n = {
        .name = name,
        .started =
            metrics_rare_counter("grpc_server_call_started_total",
                                 "Calls whose headers have come.", labels),
    };
    for (int code = 0; code < RPC_CODE_COUNT; code++)
        n.ended[code].duration = METRIC_UNUSED;
    return n;
}

/* Two threads may come here at once: registering the same again gives the same
 * numbers. */
static metric register_ended(const char *name, rpc_code code,
                             struct ended_numbers *n)
{
    char labels[256];
    snprintf(labels, sizeof labels, "grpc_method=\"%s\",grpc_status=\"%s\"",
             name, rpc_code_name(code));
    metric duration =
        metrics_histogram("grpc_server_call_duration_seconds",
                          "From the headers to the answer.", labels);
    n->sent_bytes = metrics_size_histogram(
        "grpc_server_call_sent_total_compressed_message_size_bytes",
        "Bytes of a call's response messages on the wire.", labels);
    n->received_bytes = metrics_size_histogram(
        "grpc_server_call_rcvd_total_compressed_message_size_bytes",
        "Bytes of a call's request messages on the wire.", labels);
    atomic_store_explicit(&n->duration, duration, memory_order_release);
    return duration;
}

static void count_ended(struct method_numbers *method, rpc_code code,
                        const struct observed *o, int64_t duration_us)
{
    struct ended_numbers *n = &method->ended[code];
    metric duration = atomic_load_explicit(&n->duration, memory_order_acquire);
    if (duration == METRIC_UNUSED)
        duration = register_ended(method->name, code, n);
    metrics_observe_us(duration, duration_us);
    metrics_observe_bytes(
        atomic_load_explicit(&n->sent_bytes, memory_order_relaxed),
        (int64_t)o->wire_bytes_out);
    metrics_observe_bytes(
        atomic_load_explicit(&n->received_bytes, memory_order_relaxed),
        (int64_t)o->wire_bytes_in);
}

void observe_summary(const struct method_numbers *method,
                     struct method_summary *summary)
{
    metric durations[RPC_CODE_COUNT];
    size_t count = 0;
    *summary =
        (struct method_summary){.started = metrics_value(method->started)};
    for (int code = 0; code < RPC_CODE_COUNT; code++) {
        const struct ended_numbers *n = &method->ended[code];
        metric duration = atomic_load(&n->duration);
        if (duration == METRIC_UNUSED)
            continue;
        durations[count++] = duration;
        summary->finished[code] = metrics_duration_count(duration);
        summary->sent_bytes += metrics_bytes_sum(n->sent_bytes);
        summary->received_bytes += metrics_bytes_sum(n->received_bytes);
    }
    summary->median_us = metrics_quantile_us(durations, count, 0.5);
    summary->p95_us = metrics_quantile_us(durations, count, 0.95);
    summary->p99_us = metrics_quantile_us(durations, count, 0.99);
}

/* An entry is constant but for numbers that are registered late. */
static struct method_numbers *numbers_of(const struct method_entry *entry)
{
    uv_once(&numbers_once, register_numbers);
    return entry == NULL ? &numbers.other
                         : &((struct method_entry *)entry)->numbers;
}

const struct method_numbers *observe_other(void)
{
    return numbers_of(NULL);
}

void observe_start(const struct call_state *state)
{
    metrics_add(numbers_of(state->entry)->started, 1);
    load_count_start(state->worker);
    if (state->call.previous_attempts > 0)
        metrics_add(numbers.retried, 1);
    if (state->is_counted)
        metrics_add(numbers.in_flight, 1);
}

static void finish(const struct observed *o, rpc_status status)
{
    int64_t now_us = clock_monotonic_us();
    unsigned code = (unsigned)status.code < RPC_CODE_COUNT
                        ? (unsigned)status.code
                        : RPC_UNKNOWN;
    count_ended(numbers_of(o->entry), (rpc_code)code, o, now_us - o->start_us);
    metrics_add(numbers.bytes_in, (int64_t)o->bytes_in);
    metrics_add(numbers.bytes_out, (int64_t)o->bytes_out);
    metrics_add(numbers.messages_in, o->messages_in);
    metrics_add(numbers.messages_out, o->messages_out);
    log_call(o, status, now_us);
}

static struct observed observed_of(const struct call_state *state)
{
    return (struct observed){
        .entry = state->entry,
        .caller_id = state->call.caller.id,
        .request_id = state->call.request_id,
        .peer = state->call.peer,
        .trace = state->call.trace,
        .previous_attempts = state->call.previous_attempts,
        .start_us = state->start_us != 0 ? state->start_us
                                         : loop_now_us(state->call.loop),
        .handler_us = state->handler_us,
        .bytes_in = state->bytes_in,
        .bytes_out = state->bytes_out,
        .wire_bytes_in = state->wire_bytes_in,
        .wire_bytes_out = state->wire_bytes_out,
        .messages_in = state->messages_in,
        .messages_out = state->messages_out,
    };
}

void observe_call(const struct call_state *state, rpc_status status)
{
    struct observed o = observed_of(state);
    finish(&o, status);
    load_count_end(state->worker, status.code);
    if (state->is_counted)
        metrics_add(numbers.in_flight, -1);
}

struct observed observe_detach(const struct call_state *state)
{
    uv_once(&numbers_once, register_numbers);
    metrics_add(numbers.tails, 1);
    if (state->is_counted)
        metrics_add(numbers.in_flight, -1);
    return observed_of(state);
}

void observe_tail(const struct observed *observed, rpc_status status)
{
    metrics_add(numbers.tails, -1);
    finish(observed, status);
}

void observe_refusal(const char *reason)
{
    char label[64];
    snprintf(label, sizeof label, "reason=\"%s\"", reason);
    metrics_add(metrics_counter("grpc_server_refusals_total",
                                "Calls that a limit refused.", label),
                1);
}
