/* prbal.runtime.v1: ListServerCalls. */
#include "rpc/runtime_state.h"

#include "rpc/call_state.h"
#include "rpc/clock.h"
#include "rpc/observe.h"

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

static ServerCallPhase phase_of(const struct call_state *state)
{
    if (state->task != NULL)
        return SERVER_CALL_PHASE_TASK;
    switch (state->phase) {
    case CALL_HEADERS:
    case CALL_BODY:
        return SERVER_CALL_PHASE_BODY;
    case CALL_RUNNING:
        return state->handler_us == 0 ? SERVER_CALL_PHASE_QUEUED
                                      : SERVER_CALL_PHASE_HANDLER;
    case CALL_ANSWERED:
        return SERVER_CALL_PHASE_ENDING;
    }
    return SERVER_CALL_PHASE_UNSPECIFIED;
}

/* From one moment to the next, or to now when that has not come; 0 before. */
static int64_t between(int64_t from_us, int64_t to_us, int64_t now_us)
{
    if (from_us == 0)
        return 0;
    return (to_us == 0 ? now_us : to_us) - from_us;
}

static void set_times(ServerCall *row, const struct call_state *state,
                      int64_t now_us)
{
    row->age_us = between(state->start_us, 0, now_us);
    row->body_us = between(state->start_us, state->body_us, now_us);
    row->queued_us = between(state->body_us, state->handler_us, now_us);
    row->handler_us = between(state->handler_us, 0, now_us);
    if (state->call.deadline_us == 0)
        return;
    row->_left_us_case = SERVER_CALL_LEFT_US_CASE;
    row->left_us = state->call.deadline_us - now_us;
}

static ServerCall *describe_call(struct arena *arena,
                                 const struct call_state *state)
{
    const struct rpc_call *call = &state->call;
    const struct rpc_transport *transport = call->transport;
    ServerCall *row = ARENA_NEW(arena, ServerCall);
    *row = (ServerCall)SERVER_CALL_INIT;
    row->method = call->method == NULL ? "" : call->method->path + 1;
    row->caller_id = arena_strdup(arena, or_empty(call->caller.id));
    row->peer = arena_strdup(arena, or_empty(call->peer));
    row->peer_identity = arena_strdup(arena, or_empty(call->peer_identity));
    row->request_id = arena_strdup(arena, call->request_id);
    row->wire = transport == NULL ? "" : transport->ops->name;
    row->loop = (uint32_t)state->worker->index;
    row->phase = phase_of(state);
    row->waits_for = or_empty(call->waits_for);
    set_times(row, state, loop_now_us(call->loop));
    row->received_bytes = state->bytes_in;
    row->sent_bytes = state->bytes_out;
    row->queued_bytes =
        transport == NULL ? 0 : transport->ops->queued(transport);
    row->memory_bytes = state->charged_bytes;
    row->previous_attempts = call->previous_attempts;
    return row;
}

static ServerCall *describe_tail(struct arena *arena,
                                 const struct rpc_worker *worker,
                                 const struct rpc_tail *tail)
{
    const struct observed *o = tail_observed(tail);
    ServerCall *row = ARENA_NEW(arena, ServerCall);
    *row = (ServerCall)SERVER_CALL_INIT;
    row->method = o->entry == NULL ? "" : o->entry->method->path + 1;
    row->caller_id = arena_strdup(arena, or_empty(o->caller_id));
    row->peer = arena_strdup(arena, or_empty(o->peer));
    row->request_id = arena_strdup(arena, or_empty(o->request_id));
    row->loop = (uint32_t)worker->index;
    row->phase = SERVER_CALL_PHASE_IDLE_STREAM;
    row->waits_for = "events";
    row->age_us = between(o->start_us, 0, loop_now_us(worker->loop));
    row->received_bytes = o->bytes_in;
    row->sent_bytes = o->bytes_out;
    row->queued_bytes = rpc_tail_queued(tail);
    return row;
}

static int older(const void *one, const void *other)
{
    int64_t a = (*(ServerCall *const *)one)->age_us;
    int64_t b = (*(ServerCall *const *)other)->age_us;
    return a > b ? -1 : a < b;
}

static void list_calls(struct rpc_worker *worker, struct arena *arena,
                       const void *question, void *answer)
{
    struct runtime_answer *a = answer;
    for (const struct call_state *s = worker->calls; s != NULL; s = s->next)
        a->total++;
    for (const struct rpc_tail *t = worker->tails; t != NULL; t = tail_next(t))
        a->total++;
    a->rows = arena_array(arena, a->total, sizeof a->rows[0]);
    for (const struct call_state *s = worker->calls; s != NULL; s = s->next)
        a->rows[a->count++] = describe_call(arena, s);
    for (const struct rpc_tail *t = worker->tails; t != NULL; t = tail_next(t))
        a->rows[a->count++] = describe_tail(arena, worker, t);
    runtime_trim(a, *(const size_t *)question, older);
}

rpc_status runtime_list_server_calls(struct rpc_call *call,
                                     const ListServerCallsRequest *req,
                                     ListServerCallsResponse *res)
{
    struct runtime_answer list = {0};
    TRY(runtime_list(call, list_calls, req->page_size, older, &list));
    res->calls = (ServerCall **)list.rows;
    res->n_calls = list.count;
    res->total = (uint32_t)list.total;
    return RPC_SUCCESS;
}
