/* The header-time gate: everything that can refuse a call before any of its
 * body is read.  The order matters: an unknown path must not reach any access
 * rule, and nobody may spend another one's tokens. */
#include "rpc/call_state.h"

#include "rpc/admission.h"
#include "rpc/forwarded.h"
#include "rpc/hash.h"
#include "rpc/limiter.h"
#include "rpc/metrics.h"
#include "rpc/peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_request_id(const char *text, size_t size)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:";
    return size > 0 && size <= 64 && strspn(text, allowed) == size;
}

/* The caller's id is kept, so that its own log and ours can be joined. */
static void take_request_id(struct rpc_call *call)
{
    size_t size;
    const char *given = rpc_metadata(call, "x-request-id", &size);
    if (given != NULL && is_request_id(given, size))
        call->request_id = given;
    field_list_add(&call_state_of(call)->headers, call->arena, "x-request-id",
                   call->request_id, strlen(call->request_id));
}

/* NULL when it is not there or not once: none can be chosen. */
static const struct rpc_field *find_single(const struct call_state *state,
                                           const char *name)
{
    const struct rpc_field *found = NULL;
    size_t size = strlen(name);
    for (const struct rpc_field *f = state->head.metadata; f != NULL;
         f = f->next) {
        if (f->name_size != size || memcmp(f->name, name, size) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = f;
    }
    return found;
}

static void take_trace(struct call_state *state)
{
    const struct rpc_field *parent = find_single(state, "traceparent");
    if (parent != NULL)
        trace_continue(&state->call.trace, parent->value, parent->value_size);
}

/* What a client says of itself; more than five figures are not believed. */
static void take_attempts(struct call_state *state)
{
    const struct rpc_field *field =
        find_single(state, "grpc-previous-rpc-attempts");
    if (field == NULL || field->value_size > 5)
        return;
    const char *text = field->value;
    if (*text == '\0' || strspn(text, "0123456789") != field->value_size)
        return;
    state->call.previous_attempts = (uint32_t)strtoul(text, NULL, 10);
}

/* Behind a proxy every connection has the proxy's address: limits and logs
 * need the client's. */
static void take_forwarded_peer(struct call_state *state)
{
    uint32_t proxies = state->call.server->options.proxies;
    struct sockaddr_storage peer;
    if (proxies == 0 || !forwarded_peer(state->head.metadata, proxies, &peer))
        return;
    char *text = arena_alloc(state->call.arena, PEER_TEXT_BYTES);
    peer_format(&peer, text);
    state->call.peer = text;
    state->head.peer_key = peer_key(&peer);
}

static rpc_status find_method(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    state->entry = method_table_find(call->server->methods, state->head.path,
                                     state->head.path_size);
    if (state->entry == NULL)
        return (rpc_status){RPC_UNIMPLEMENTED, "there is no such method"};
    call->method = state->entry->method;
    return RPC_SUCCESS;
}

/* While the server drains, calls are still served: their clients had not heard
 * of it when they sent them.  New ones stay away by GOAWAY. */
static rpc_status check_draining(struct call_state *state)
{
    if (!state->worker->aborted)
        return RPC_SUCCESS;
    return rpc_fail_retry(&state->call, RPC_UNAVAILABLE, 1000,
                          "the server is going down");
}

static int64_t shorter(int64_t a_us, int64_t b_us)
{
    if (a_us < 0)
        return b_us;
    return b_us < 0 || a_us < b_us ? a_us : b_us;
}

static int64_t ms_to_us(uint32_t ms)
{
    return ms == 0 ? -1 : (int64_t)ms * 1000;
}

static rpc_status set_deadline(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    const struct rpc_method *method = call->method;
    int64_t timeout_us = state->head.timeout_us;
    if (timeout_us < 0)
        timeout_us = ms_to_us(method->deadline_default_ms);
    timeout_us = shorter(timeout_us, ms_to_us(method->deadline_max_ms));
    if (method->kind == RPC_UNARY)
        timeout_us =
            shorter(timeout_us, ms_to_us(state->worker->options.unary_ms_max));
    if (timeout_us == 0)
        return (rpc_status){RPC_DEADLINE_EXCEEDED,
                            "the deadline passed before the call came"};
    if (timeout_us > 0)
        call->deadline_us = loop_now_us(call->loop) + timeout_us;
    return RPC_SUCCESS;
}

/* The text after "Bearer ", NULL for another scheme or none. */
static const char *bearer_token(const struct rpc_call *call)
{
    const char *value = rpc_metadata(call, "authorization", NULL);
    if (value == NULL || strncasecmp(value, "bearer ", 7) != 0)
        return NULL;
    return value + 7;
}

static rpc_status authenticate(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    const struct rpc_hooks *hooks = &call->server->options.hooks;
    uint32_t access = call->method->access;
    call->caller.roles = state->head.roles;
    if ((access & RPC_ACCESS_OPEN) != 0 || hooks->authenticate == NULL)
        return RPC_SUCCESS;
    const char *token = bearer_token(call);
    if (token == NULL &&
        (access & (RPC_ACCESS_PUBLIC | state->head.roles)) != 0 &&
        rpc_metadata(call, "authorization", NULL) == NULL)
        return RPC_SUCCESS;
    TRY(hooks->authenticate(call, token));
    call->caller.roles &=
        ~(uint32_t)RPC_ACCESS_OPERATOR; /* no token's to give */
    call->caller.roles |= state->head.roles;
    return RPC_SUCCESS;
}

/* "providers or administrators" */
static const char *roles_in_words(struct rpc_call *call)
{
    const char *const *names = call->server->options.role_names;
    const char *words = NULL;
    for (int bit = 0; names != NULL && bit < 32; bit++) {
        if ((call->method->access >> bit & 1) == 0 || names[bit] == NULL)
            continue;
        words = words == NULL
                    ? names[bit]
                    : arena_printf(call->arena, "%s or %s", words, names[bit]);
    }
    return words;
}

static rpc_status deny(struct rpc_call *call)
{
    if (call->caller.id == NULL)
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_MISSING",
                               "sign in first: this needs an access token");
    if ((call->caller.roles & ~(uint32_t)RPC_ACCESS_PENDING) == 0)
        return rpc_fail_reason(
            call, RPC_PERMISSION_DENIED, "ACCOUNT_NOT_VERIFIED",
            "verify your e-mail address or phone number first");
    const char *roles = roles_in_words(call);
    if (roles == NULL)
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "ROLE_REQUIRED",
                               "your account may not do this");
    return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "ROLE_REQUIRED",
                           "only %s may do this", roles);
}

static rpc_status authorise(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    uint32_t access = call->method->access;
    if ((access & (RPC_ACCESS_OPEN | RPC_ACCESS_PUBLIC)) != 0 ||
        (access & call->caller.roles) != 0)
        return RPC_SUCCESS;
    return deny(call);
}

/* --- rate limits ---------------------------------------------------------- */

/* One bucket for each caller, or address, and `what`. */
static uint64_t bucket_key(const struct call_state *state, const void *what)
{
    const char *id = state->call.caller.id;
    uint64_t parts[3] = {
        id != NULL ? hash_bytes(id, strlen(id)) : state->head.peer_key,
        id != NULL,
        (uintptr_t)what,
    };
    return hash_bytes(parts, sizeof parts);
}

static rpc_status too_many(struct rpc_call *call, int64_t retry_ms)
{
    rpc_status status = rpc_fail_retry(call, RPC_RESOURCE_EXHAUSTED, retry_ms,
                                       "too many requests; try again in %lld s",
                                       (long long)(retry_ms + 999) / 1000);
    rpc_add_reason(call, "RATE_LIMITED");
    return status;
}

static rpc_status check_method_limit(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    const struct rpc_method *method = call->method;
    if (method->limit_per_minute == 0 ||
        call->server->options.without_method_limits)
        return RPC_SUCCESS;
    uint32_t burst = method->limit_burst != 0 ? method->limit_burst
                                              : method->limit_per_minute;
    limiter_answer answer = limiter_take(
        call->server->limiter, bucket_key(state, method),
        method->limit_per_minute, 60 * 1000000, burst, state->start_us);
    char text[16];
    int size = snprintf(text, sizeof text, "%u", answer.remaining);
    rpc_set_header(call, "x-ratelimit-remaining", text, (size_t)size);
    return answer.is_allowed ? RPC_SUCCESS : too_many(call, answer.retry_ms);
}

/* Streams are few and long: their frames have limits of their own.  Who has a
 * role without being signed in is a service of ours, and no stranger. */
static rpc_status check_general_limit(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    const struct rpc_server_options *options = &call->server->options;
    uint32_t per_hour = call->caller.id != NULL ? options->signed_in_per_hour
                                                : options->anonymous_per_hour;
    bool is_service = call->caller.id == NULL && call->caller.roles != 0;
    if (per_hour == 0 || call->method->kind != RPC_UNARY || is_service)
        return RPC_SUCCESS;
    limiter_answer answer = limiter_take(
        call->server->limiter, bucket_key(state, call->server), per_hour,
        (int64_t)3600 * 1000000, per_hour, state->start_us);
    return answer.is_allowed ? RPC_SUCCESS : too_many(call, answer.retry_ms);
}

/* --- admission ------------------------------------------------------------ */

static rpc_status check_in_flight(struct call_state *state)
{
    const struct rpc_worker *worker = state->worker;
    if (worker->calls_in_flight < worker->calls_in_flight_max)
        return RPC_SUCCESS;
    return rpc_fail_retry(&state->call, RPC_RESOURCE_EXHAUSTED, 1000,
                          "the server has too many calls in flight");
}

/* Clients that were refused together must not come back together. */
static int64_t scattered_ms(const struct rpc_call *call)
{
    uint64_t hash = hash_bytes(call->request_id, strlen(call->request_id));
    return 500 + (int64_t)(hash % 1000);
}

static rpc_status check_admission(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    if (call->server->options.admission_delay_ms == RPC_ADMISSION_OFF ||
        call->method->kind != RPC_UNARY ||
        admission_has_room(&state->worker->admissions[state->entry->index]))
        return RPC_SUCCESS;
    rpc_status status = rpc_fail_retry(
        call, RPC_RESOURCE_EXHAUSTED, scattered_ms(call),
        "the server is overloaded: more such calls would only wait");
    rpc_add_reason(call, "OVERLOADED");
    return status;
}

static rpc_status check_memory(struct call_state *state)
{
    if (call_charge(state))
        return RPC_SUCCESS;
    return call_starved(&state->call);
}

static rpc_status check_queue_delay(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    if (loop_lag_us(call->loop) / 1000 <=
        state->worker->options.queue_delay_ms_max)
        return RPC_SUCCESS;
    return rpc_fail_retry(call, RPC_RESOURCE_EXHAUSTED, 2000,
                          "the server is overloaded");
}

static const struct gate_step {
    rpc_status (*check)(struct call_state *state);
    const char *refusal; /* label in the metrics */
    bool spares_operators;
} steps[] = {
    {find_method, "unknown_method", false},
    {check_draining, "draining", false},
    {set_deadline, "deadline", false},
    {authenticate, "unauthenticated", false},
    {authorise, "denied", false},
    {check_general_limit, "rate_limit", true},
    {check_method_limit, "rate_limit", true},
    {check_in_flight, "in_flight", true},
    {check_admission, "overload", true},
    {check_memory, "memory", true},
    {check_queue_delay, "queue_delay", true},
};

enum { STEPS = sizeof steps / sizeof steps[0] };

static metric refusals[STEPS];
static uv_once_t refusals_once = UV_ONCE_INIT;

static void register_refusals(void)
{
    char labels[64];
    for (int i = 0; i < STEPS; i++) {
        snprintf(labels, sizeof labels, "reason=\"%s\"", steps[i].refusal);
        refusals[i] = metrics_counter("grpc_server_refusals_total",
                                      "Calls that a limit refused.", labels);
    }
}

rpc_status gate_pass(struct call_state *state)
{
    take_request_id(&state->call);
    take_trace(state);
    take_attempts(state);
    take_forwarded_peer(state);
    for (int i = 0; i < STEPS; i++) {
        if (steps[i].spares_operators && call_is_operators(state))
            continue;
        rpc_status status = steps[i].check(state);
        if (status.code == RPC_OK)
            continue;
        uv_once(&refusals_once, register_refusals);
        metrics_add(refusals[i], 1);
        return status;
    }
    return RPC_SUCCESS;
}
