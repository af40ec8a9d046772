/* Messages as the client has them: the codec is the stream's, and the rest of
 * the runtime knows structs and protobuf's bytes alone. */
#include "rpc/call_state.h"

#include "rpc/codec.h"
#include "rpc/json.h"

#include <string.h>

/* --- what comes in --- */

static rpc_status unreadable(struct rpc_call *call, const char *why)
{
    return rpc_fail(call, RPC_INVALID_ARGUMENT,
                    "the request cannot be read: %s", why);
}

static rpc_status decode_proto(struct rpc_call *call, struct arena *arena,
                               const void *bytes, size_t size,
                               ProtobufCMessage **message)
{
    struct codec_error error;
    *message = codec_decode(arena, call->method->request, bytes, size, &error);
    return *message != NULL ? RPC_SUCCESS : unreadable(call, error.text);
}

static rpc_status decode_json(struct rpc_call *call, struct arena *arena,
                              const void *bytes, size_t size,
                              ProtobufCMessage **message)
{
    struct json_error error;
    if (json_decode(arena, call->server->json, call->method->request, bytes,
                    size, message, &error))
        return RPC_SUCCESS;
    *message = NULL;
    return unreadable(call, error.text);
}

rpc_status call_decode(struct call_state *state, struct arena *arena,
                       const void *bytes, size_t size,
                       ProtobufCMessage **message)
{
    struct rpc_call *call = &state->call;
    TRY(state->codec == RPC_CODEC_JSON
            ? decode_json(call, arena, bytes, size, message)
            : decode_proto(call, arena, bytes, size, message));
    return call_charge(state) ? RPC_SUCCESS : call_starved(call);
}

/* --- what goes out --- */

static uint8_t *reserve(struct call_state *state, size_t size)
{
    struct rpc_transport *transport = state->call.transport;
    call_send_headers(state);
    state->messages_out++;
    state->bytes_out += size;
    return transport->ops->reserve(transport, size);
}

static void send_raw(struct call_state *state, const void *bytes, size_t size)
{
    uint8_t *place = reserve(state, size);
    if (size > 0)
        memcpy(place, bytes, size);
    state->call.transport->ops->commit(state->call.transport, size);
}

/* Measuring a message takes nearly as long as writing it, and copying it takes
 * nothing: what fits is written into a scratch first. */
enum { SCRATCH_BYTES = 64 * 1024 };

static void send_proto(struct call_state *state,
                       const ProtobufCMessage *message)
{
    static _Thread_local uint8_t scratch[SCRATCH_BYTES];
    const uint8_t *bytes = codec_write_end(message, scratch, sizeof scratch);
    if (bytes != NULL) {
        send_raw(state, bytes, (size_t)(scratch + sizeof scratch - bytes));
        return;
    }
    size_t size = codec_size(message);
    codec_write(message, reserve(state, size), size);
    state->call.transport->ops->commit(state->call.transport, size);
}

static bool hold_text(struct call_state *state, size_t bytes)
{
    state->text_bytes = bytes;
    return call_charge(state);
}

/* The text and its copy in the transport are there at once.  When both do not
 * fit, the client is told: the transport, which charges the copy itself, could
 * only cut it off. */
static rpc_status send_text(struct call_state *state, const struct arena *arena,
                            const char *text, size_t size)
{
    size_t text_bytes = arena_bytes(arena);
    bool fits =
        hold_text(state, text_bytes + size) && hold_text(state, text_bytes);
    if (fits)
        send_raw(state, text, size);
    hold_text(state, 0);
    return fits ? RPC_SUCCESS : call_starved(&state->call);
}

static rpc_status put_json(struct call_state *state, struct arena *arena,
                           const ProtobufCMessage *message)
{
    char *text;
    size_t size;
    if (!json_encode(arena, state->call.server->json, message, &text, &size))
        return rpc_fail(&state->call, RPC_INTERNAL,
                        "the answer cannot be said in JSON: %s", text);
    return send_text(state, arena, text, size);
}

/* The text has an arena of its own: a stream would fill the call's. */
rpc_status call_send(struct call_state *state, const ProtobufCMessage *message)
{
    if (state->call.transport == NULL)
        return RPC_SUCCESS;
    if (state->codec == RPC_CODEC_PROTO) {
        send_proto(state, message);
        return RPC_SUCCESS;
    }
    struct arena *arena = arena_create();
    rpc_status status = put_json(state, arena, message);
    arena_destroy(arena);
    return status;
}

bool call_json(struct arena *arena, const struct rpc_server *server,
               const struct rpc_method *method, const void *bytes, size_t size,
               char **text, size_t *text_size)
{
    struct codec_error error;
    const ProtobufCMessage *message =
        codec_decode(arena, method->response, bytes, size, &error);
    if (message != NULL)
        return json_encode(arena, server->json, message, text, text_size);
    *text = arena_strdup(arena, error.text);
    *text_size = strlen(*text);
    return false;
}

static rpc_status transcode(struct call_state *state, struct arena *arena,
                            const void *bytes, size_t size)
{
    struct rpc_call *call = &state->call;
    char *text;
    size_t text_size;
    if (!call_json(arena, call->server, call->method, bytes, size, &text,
                   &text_size))
        return rpc_fail(call, RPC_INTERNAL,
                        "the answer cannot be said in JSON: %s", text);
    return send_text(state, arena, text, text_size);
}

rpc_status call_send_bytes(struct call_state *state, const void *bytes,
                           size_t size)
{
    if (state->call.transport == NULL)
        return RPC_SUCCESS;
    if (state->codec == RPC_CODEC_PROTO) {
        send_raw(state, bytes, size);
        return RPC_SUCCESS;
    }
    struct arena *arena = arena_create();
    rpc_status status = transcode(state, arena, bytes, size);
    arena_destroy(arena);
    return status;
}
