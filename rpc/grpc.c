/* gRPC on a stream of HTTP/2: a transport of calls.
 *
 *   request    HEADERS, then { flag(1) size(4) message }..., END_STREAM
 *   response   HEADERS, then the same, then trailers with grpc-status
 *              or, when nothing was sent before: all in one HEADERS
 *
 * gRPC-Web differs in where the trailers are: one more frame of the body.
 */
#include "rpc/grpc_stream.h"

#include <string.h>

static struct grpc_stream *of_transport(struct rpc_transport *transport)
{
    return (struct grpc_stream *)transport;
}

static struct grpc_stream *of_http(struct http_stream *stream)
{
    return (struct grpc_stream *)stream;
}

/* --- what the call asks for: struct rpc_transport_ops --- */

static void send_headers(struct rpc_transport *transport,
                         const struct rpc_field *headers)
{
    struct grpc_stream *stream = of_transport(transport);
    if (stream->http.is_finished)
        return;
    struct http_block *block = grpc_build_headers(stream, headers);
    http_respond(&stream->http, block->fields, block->count, true);
    pool_free(http_pool(&stream->http), block);
}

static uint8_t *reserve(struct rpc_transport *transport, size_t size)
{
    return http_reserve(&of_transport(transport)->http,
                        size + GRPC_PREFIX_BYTES) +
           GRPC_PREFIX_BYTES;
}

/* Compresses in place when that helps; returns the size that is left. */
static size_t shrink(struct grpc_stream *stream, uint8_t *message, size_t size)
{
    const uint8_t *packed;
    size_t packed_size;
    struct compress *compress = stream->http.conn->net->compress;
    if (compress_deflate(compress, stream->out_encoding, message, size, &packed,
                         &packed_size) == COMPRESS_DONE) {
        memcpy(message, packed, packed_size);
        size = packed_size;
    }
    compress_trim(compress);
    return size;
}

static bool may_compress(const struct grpc_stream *stream, size_t size)
{
    return stream->out_encoding != ENCODING_IDENTITY &&
           !stream->http.transport.sends_plain &&
           size >= conn_options(stream->http.conn)->compress_bytes_min;
}

static void commit(struct rpc_transport *transport, size_t size)
{
    struct grpc_stream *stream = of_transport(transport);
    if (stream->http.is_finished)
        return;
    uint8_t *prefix = http_reserve(&stream->http, size + GRPC_PREFIX_BYTES);
    size_t sent_size = size;
    if (may_compress(stream, size))
        sent_size = shrink(stream, prefix + GRPC_PREFIX_BYTES, size);
    prefix[0] = sent_size < size;
    prefix[1] = (uint8_t)(sent_size >> 24);
    prefix[2] = (uint8_t)(sent_size >> 16);
    prefix[3] = (uint8_t)(sent_size >> 8);
    prefix[4] = (uint8_t)sent_size;
    http_commit(&stream->http, sent_size + GRPC_PREFIX_BYTES);
    http_message_sent(&stream->http, sent_size);
}

static size_t queued(const struct rpc_transport *transport)
{
    return http_queued(&((const struct grpc_stream *)transport)->http);
}

static void consumed(struct rpc_transport *transport, size_t window_bytes)
{
    http_consumed(&of_transport(transport)->http, window_bytes);
}

static bool is_plain_ok(const struct rpc_answer *answer)
{
    return answer->code == RPC_OK && answer->trailers == NULL;
}

static void finish(struct rpc_transport *transport,
                   const struct rpc_answer *answer)
{
    struct grpc_stream *stream = of_transport(transport);
    stream->is_broken = true;
    if (stream->http.is_finished)
        return;
    if (stream->http.is_responded) {
        if (stream->is_web || !is_plain_ok(answer))
            stream->trailers = grpc_build_trailers(stream, answer);
        if (stream->is_web)
            grpc_append_trailers(stream, stream->trailers);
        http_end_body(&stream->http);
        return;
    }
    struct http_block *block = grpc_build_trailers_only(stream, answer);
    http_respond(&stream->http, block->fields, block->count, false);
    pool_free(http_pool(&stream->http), block);
}

const struct rpc_transport_ops grpc_ops = {
    .name = "grpc",
    .headers = send_headers,
    .reserve = reserve,
    .commit = commit,
    .queued = queued,
    .consumed = consumed,
    .finish = finish,
};

/* --- what the stream asks for: struct http_wire --- */

static void request(struct http_stream *http, const struct http_fields *fields)
{
    grpc_request(of_http(http), fields);
}

static void web_request(struct http_stream *http,
                        const struct http_fields *fields)
{
    of_http(http)->is_web = true;
    grpc_request(of_http(http), fields);
}

static void data(struct http_stream *http, const uint8_t *bytes, size_t size)
{
    grpc_receive(of_http(http), bytes, size);
}

static void half_closed(struct http_stream *http)
{
    grpc_half_closed(of_http(http));
}

static void drained(struct http_stream *http)
{
    struct grpc_stream *stream = of_http(http);
    if (stream->trailers == NULL)
        http_send_trailers(http, &grpc_status_ok, 1);
    else
        http_send_trailers(http, stream->trailers->fields,
                           stream->trailers->count);
    pool_free(http_pool(http), stream->trailers);
    stream->trailers = NULL;
}

static void writable(struct http_stream *http)
{
    rpc_transport_writable(&http->transport);
}

static void closed(struct http_stream *http)
{
    struct grpc_stream *stream = of_http(http);
    stream->is_broken = true;
    http->is_finished = true;
    grpc_drop_message(stream);
    pool_free(http_pool(http), stream->trailers);
    pool_free(http_pool(http), stream->origin);
    rpc_transport_lost(&http->transport, RPC_CANCELLED,
                       http->conn->stage == CONN_TALKING
                           ? "the client has cancelled the call"
                           : "the connection was lost");
}

static struct rpc_call *running_call(const struct http_stream *http)
{
    struct rpc_call *call = http->transport.call;
    return call != NULL && call->co != NULL ? call : NULL;
}

const struct http_wire grpc_wire = {
    .request = request,
    .data = data,
    .half_closed = half_closed,
    .drained = drained,
    .writable = writable,
    .closed = closed,
    .running_call = running_call,
    .stream_bytes = sizeof(struct grpc_stream),
};

/* The body ends the stream: its last frame has the trailers. */
const struct http_wire grpc_web_wire = {
    .request = web_request,
    .data = data,
    .half_closed = half_closed,
    .drained = NULL,
    .writable = writable,
    .closed = closed,
    .running_call = running_call,
    .stream_bytes = sizeof(struct grpc_stream),
};
