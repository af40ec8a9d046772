/* A call's handler, between the request's rules and the answer's bytes. */
#include "rpc/call_state.h"

#include "rpc/codec.h"
#include "rpc/fault.h"
#include "rpc/read_mask.h"
#include "rpc/validate.h"

#include <stdlib.h>

static rpc_status run_method(struct rpc_call *call, const void *request,
                             void *response)
{
    const struct rpc_hooks *hooks = &call->server->options.hooks;
    if (call->method->is_idempotent && hooks->once != NULL)
        return hooks->once(call, request, response);
    return call->method->unary(call, request, response);
}

static rpc_status run_unary(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    const struct read_mask *mask;
    TRY(read_mask_open(call, state->entry->read_mask, state->request, &mask));
    ProtobufCMessage *res = codec_new(call->arena, call->method->response);
    TRY(run_method(call, state->request, res));
    TRY(rpc_alive(call));
    read_mask_prune(mask, res);
    return call_send(state, res);
}

static rpc_status run_client_stream(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    ProtobufCMessage *res = codec_new(call->arena, call->method->response);
    TRY(call->method->client_stream(call, &state->in, res));
    TRY(rpc_alive(call));
    return call_send(state, res);
}

rpc_status call_run_handler(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    const struct rpc_method *method = call->method;
    TRY(rpc_faults_meet(call->server->options.faults, call));
    if (state->request != NULL)
        TRY(rpc_validate(call, method->rules, state->request));

    state->handler_us = loop_now_us(call->loop);
    switch (method->kind) {
    case RPC_UNARY:
        return run_unary(state);
    case RPC_SERVER_STREAM:
        return method->server_stream(call, state->request, &state->out);
    case RPC_CLIENT_STREAM:
        return run_client_stream(state);
    case RPC_BIDI_STREAM:
        return method->bidi(call, &state->in, &state->out);
    }
    abort();
}
