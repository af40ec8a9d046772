/* What callers of a channel use, on their coroutines. */
#include "rpc/channel_state.h"

#include "rpc/co.h"
#include "rpc/codec.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- metadata --- */

const char *rpc_channel_field(const struct rpc_field *fields, const char *name,
                              size_t *size)
{
    size_t name_size = strlen(name);
    for (; fields != NULL; fields = fields->next) {
        if (fields->name_size != name_size ||
            memcmp(fields->name, name, name_size) != 0)
            continue;
        if (size != NULL)
            *size = fields->value_size;
        return fields->value;
    }
    return NULL;
}

/* --- waiting --- */

static bool is_over(const struct rpc_channel_stream *stream)
{
    return stream->phase == CHANNEL_STREAM_OVER;
}

/* The calling call's end is the stream's: the server hears of it by RST_STREAM.
 */
static void heed_call(struct rpc_channel_stream *stream)
{
    const struct rpc_call *call = stream->call;
    if (call->ended.code != RPC_OK)
        channel_stream_end(stream, call->ended.code, "%s", call->ended.message);
}

/* Parks once. */
static void park(struct rpc_channel_stream *stream)
{
    if (stream->call->ended.code == RPC_OK)
        call_park(stream->call, "other server");
    heed_call(stream);
}

/* --- messages --- */

static struct rpc_received *take_received(struct rpc_channel_stream *stream)
{
    struct rpc_received *r = stream->received;
    stream->received = r->next;
    if (stream->received == NULL)
        stream->received_end = &stream->received;
    if (stream->reply != NULL)
        stream->reply->was_compressed = r->was_compressed;
    return r;
}

static rpc_status decode(struct rpc_channel_stream *stream,
                         const struct rpc_received *received,
                         struct arena *arena, ProtobufCMessage **message)
{
    struct codec_error error;
    const uint8_t *bytes;
    size_t size;
    TRY(channel_response_inflate(stream, received, &bytes, &size));
    *message =
        codec_decode(arena, stream->method->response, bytes, size, &error);
    compress_trim(stream->shared->compress);
    if (*message != NULL)
        return RPC_SUCCESS;
    return (rpc_status){RPC_INTERNAL,
                        arena_printf(stream->call->arena,
                                     "a response cannot be read: %s",
                                     error.text)};
}

/* The first message that has come. */
static rpc_status take_message(struct rpc_channel_stream *stream,
                               struct arena *arena, ProtobufCMessage **message)
{
    struct rpc_received *r = take_received(stream);
    channel_h2_consumed(stream, r->window_bytes);
    rpc_status status = decode(stream, r, arena, message);
    free(r);
    if (status.code != RPC_OK)
        channel_stream_end(stream, status.code, "%s", status.message);
    return status;
}

/* --- unary --- */

rpc_status rpc_channel_call(struct rpc_call *call, struct rpc_channel *channel,
                            const struct rpc_method *method,
                            const void *request, void *response,
                            const struct rpc_channel_call_options *options)
{
    struct rpc_channel_stream stream = {0};
    ProtobufCMessage **place = response;
    *place = NULL;
    channel_stream_start(&stream, call, channel, method, options);
    if (!is_over(&stream)) {
        channel_request_message(&stream, request);
        rpc_channel_half_close(&stream);
    }
    while (!is_over(&stream))
        park(&stream);
    rpc_status status = stream.status;
    if (status.code == RPC_OK)
        status = take_message(&stream, call->arena, place);
    channel_stream_finish(&stream);
    return status;
}

/* --- streams --- */

static void on_call_over(void *argument)
{
    rpc_channel_cancel(argument);
    channel_stream_finish(argument);
}

struct rpc_channel_stream *rpc_channel_open(
    struct rpc_call *call, struct rpc_channel *channel,
    const struct rpc_method *method,
    const struct rpc_channel_call_options *options)
{
    struct rpc_channel_stream *stream =
        ARENA_NEW(call->arena, struct rpc_channel_stream);
    channel_stream_start(stream, call, channel, method, options);
    rpc_defer(call, on_call_over, stream);
    return stream;
}

/* The call's status when it is over: with OK, what is sent is dropped. */
static rpc_status wait_for_room(struct rpc_channel_stream *stream)
{
    assert(!stream->is_half_closed);
    TRY(rpc_alive(stream->call));
    while (!is_over(stream) &&
           channel_request_queued(stream) > RPC_CHANNEL_OUT_BYTES_MAX)
        park(stream);
    return is_over(stream) ? stream->status : RPC_SUCCESS;
}

rpc_status rpc_channel_send(struct rpc_channel_stream *stream,
                            const void *message)
{
    TRY(wait_for_room(stream));
    if (!is_over(stream))
        channel_request_message(stream, message);
    return RPC_SUCCESS;
}

rpc_status rpc_channel_send_bytes(struct rpc_channel_stream *stream,
                                  const void *bytes, size_t size)
{
    TRY(wait_for_room(stream));
    if (!is_over(stream))
        channel_request_bytes(stream, bytes, size);
    return RPC_SUCCESS;
}

void rpc_channel_set_compression(struct rpc_channel_stream *stream, bool on)
{
    stream->may_compress = on;
}

void rpc_channel_half_close(struct rpc_channel_stream *stream)
{
    stream->is_half_closed = true;
    if (!is_over(stream))
        channel_h2_resume(stream);
}

rpc_status rpc_channel_wait_headers(struct rpc_channel_stream *stream)
{
    while (!is_over(stream) && !stream->response.has_headers)
        park(stream);
    if (stream->reply != NULL)
        stream->reply->headers = stream->response.headers.first;
    return is_over(stream) ? stream->status : RPC_SUCCESS;
}

rpc_status rpc_channel_recv(struct rpc_channel_stream *stream, void *message)
{
    ProtobufCMessage **place = message;
    *place = NULL;
    TRY(rpc_alive(stream->call));
    bool is_single = channel_response_is_single(stream);
    while (!is_over(stream) && (is_single || stream->received == NULL))
        park(stream);
    if (stream->received == NULL ||
        (is_single && stream->status.code != RPC_OK))
        return stream->status;
    if (stream->arena == NULL)
        stream->arena = arena_create();
    arena_reset(stream->arena);
    return take_message(stream, stream->arena, place);
}

rpc_status rpc_channel_finish(struct rpc_channel_stream *stream)
{
    if (!stream->is_half_closed)
        rpc_channel_half_close(stream);
    while (!is_over(stream)) {
        while (stream->received != NULL) {
            struct rpc_received *r = take_received(stream);
            channel_h2_consumed(stream, r->window_bytes);
            free(r);
        }
        park(stream);
    }
    rpc_undefer(stream->call, stream);
    channel_stream_finish(stream);
    return stream->status;
}

void rpc_channel_cancel(struct rpc_channel_stream *stream)
{
    heed_call(stream);
    channel_stream_end(stream, RPC_CANCELLED, "the caller has cancelled");
}
