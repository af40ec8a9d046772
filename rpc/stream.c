/* Messages in both directions, with their flow control. */
#include "rpc/call_state.h"

#include "rpc/co.h"
#include "rpc/codec.h"
#include "rpc/validate.h"

#include <stdlib.h>
#include <string.h>

/* --- sending -------------------------------------------------------------- */

void call_send_headers(struct call_state *state)
{
    struct rpc_transport *transport = state->call.transport;
    if (state->headers_sent || transport == NULL)
        return;
    state->headers_sent = true;
    call_leave(state, rpc_set_header);
    transport->ops->headers(transport, state->headers.first);
}

void rpc_set_compression(struct rpc_call *call, bool on)
{
    if (call->transport != NULL)
        call->transport->sends_plain = !on;
}

static rpc_status wait_for_room(struct call_state *state)
{
    struct rpc_call *call = &state->call;
    for (;;) {
        TRY(rpc_alive(call));
        struct rpc_transport *transport = call->transport;
        if (transport == NULL)
            return (rpc_status){RPC_CANCELLED, "the stream is closed"};
        if (transport->ops->queued(transport) <= RPC_OUT_BYTES_MAX)
            return RPC_SUCCESS;
        call_park(call, "client to take");
    }
}

rpc_status rpc_send(struct rpc_out *out, const void *message)
{
    TRY(wait_for_room(out->state));
    return call_send(out->state, message);
}

rpc_status rpc_send_bytes(struct rpc_out *out, const void *bytes, size_t size)
{
    TRY(wait_for_room(out->state));
    return call_send_bytes(out->state, bytes, size);
}

rpc_status rpc_send_headers(struct rpc_out *out)
{
    TRY(rpc_alive(&out->state->call));
    call_send_headers(out->state);
    return RPC_SUCCESS;
}

/* --- receiving ------------------------------------------------------------ */

bool rpc_was_compressed(const struct rpc_call *call)
{
    return call_state_of(call)->was_compressed;
}

void stream_receive(struct call_state *state, const void *bytes, size_t size,
                    size_t window_bytes)
{
    struct rpc_received *r = malloc(sizeof *r + size);
    if (r == NULL)
        abort();
    r->next = NULL;
    r->size = size;
    r->window_bytes = window_bytes;
    r->was_compressed = state->call.transport->was_compressed;
    if (size > 0)
        memcpy(r->bytes, bytes, size);
    *state->in.last = r;
    state->in.last = &r->next;
    state->queued_in_bytes += sizeof *r + size;
    if (!call_charge(state))
        call_end_starved(state);
    else
        rpc_wake(&state->call);
}

static struct rpc_received *take_received(struct call_state *state)
{
    struct rpc_in *in = &state->in;
    struct rpc_received *r = in->first;
    in->first = r->next;
    if (in->first == NULL)
        in->last = &in->first;
    state->queued_in_bytes -= sizeof *r + r->size;
    return r;
}

void stream_drop_received(struct call_state *state)
{
    while (state->in.first != NULL)
        free(take_received(state));
}

static rpc_status decode_received(struct call_state *state,
                                  ProtobufCMessage **message)
{
    struct rpc_in *in = &state->in;
    if (in->arena == NULL)
        in->arena = arena_create();
    arena_reset(in->arena);

    struct rpc_received *r = take_received(state);
    struct rpc_transport *transport = state->call.transport;
    if (transport != NULL)
        transport->ops->consumed(transport, r->window_bytes);
    state->was_compressed = r->was_compressed;
    rpc_status status =
        call_decode(state, in->arena, r->bytes, r->size, message);
    free(r);
    TRY(status);
    return rpc_validate(&state->call, state->call.method->rules, *message);
}

static rpc_status receive(struct rpc_in *in, void *message, bool heeds_drain)
{
    struct rpc_call *call = &in->state->call;
    ProtobufCMessage **place = message;
    *place = NULL;
    for (;;) {
        TRY(rpc_alive(call));
        if (in->first != NULL)
            return decode_received(in->state, place);
        if (in->half_closed || (heeds_drain && rpc_is_draining(call)))
            return RPC_SUCCESS;
        call_park(call, "client to send");
    }
}

rpc_status rpc_recv(struct rpc_in *in, void *message)
{
    return receive(in, message, false);
}

rpc_status rpc_recv_or_drain(struct rpc_in *in, void *message)
{
    return receive(in, message, true);
}
