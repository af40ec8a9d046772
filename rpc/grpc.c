/* gRPC on an HTTP/2 stream: a transport of calls.
 *
 *   request    HEADERS, then { flag(1) size(4) message }..., END_STREAM
 *   response   HEADERS, then the same, then trailers with grpc-status
 *              or, when nothing was sent before: all in one HEADERS
 *
 * gRPC-Web differs in where the trailers are: one more frame of the body.
 */
#include "rpc/grpc_stream.h"

#include <string.h>

/* Smaller messages do not shrink enough to pay for the time. */
enum { COMPRESS_BYTES_MIN = 1024 };

static struct grpc_stream *of_transport(struct rpc_transport *transport)
{
    return (struct grpc_stream *)transport;
}

static struct grpc_stream *of_h2(struct h2_stream *stream)
{
    return (struct grpc_stream *)stream;
}

/* --- what the call asks for: struct rpc_transport_ops --- */

static void send_headers(struct rpc_transport *transport,
                         const struct rpc_field *headers)
{
    struct grpc_stream *stream = of_transport(transport);
    if (stream->h2.is_finished)
        return;
    struct grpc_block *block = grpc_build_headers(stream, headers);
    h2_respond(&stream->h2, block->fields, block->count, true);
    pool_free(h2_pool(&stream->h2), block);
}

static uint8_t *reserve(struct rpc_transport *transport, size_t size)
{
    return h2_reserve(&of_transport(transport)->h2, size + GRPC_PREFIX_BYTES) +
           GRPC_PREFIX_BYTES;
}

/* Compresses in place when that helps; returns the size that is left. */
static size_t compress(struct grpc_stream *stream, uint8_t *message,
                       size_t size)
{
    const uint8_t *packed;
    size_t packed_size;
    struct gzip *gzip = stream->h2.conn->net->gzip;
    if (gzip_deflate(gzip, message, size, &packed, &packed_size) != GZIP_DONE)
        return size;
    memcpy(message, packed, packed_size);
    gzip_trim(gzip);
    return packed_size;
}

static void commit(struct rpc_transport *transport, size_t size)
{
    struct grpc_stream *stream = of_transport(transport);
    if (stream->h2.is_finished)
        return;
    uint8_t *prefix = h2_reserve(&stream->h2, size + GRPC_PREFIX_BYTES);
    size_t sent_size = size;
    if (stream->out_gzip && size > COMPRESS_BYTES_MIN)
        sent_size = compress(stream, prefix + GRPC_PREFIX_BYTES, size);
    prefix[0] = sent_size < size;
    prefix[1] = (uint8_t)(sent_size >> 24);
    prefix[2] = (uint8_t)(sent_size >> 16);
    prefix[3] = (uint8_t)(sent_size >> 8);
    prefix[4] = (uint8_t)sent_size;
    h2_commit(&stream->h2, sent_size + GRPC_PREFIX_BYTES);
}

static size_t queued(const struct rpc_transport *transport)
{
    return h2_queued(&((const struct grpc_stream *)transport)->h2);
}

static void consumed(struct rpc_transport *transport, size_t window_bytes)
{
    h2_consumed(&of_transport(transport)->h2, window_bytes);
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
    if (stream->h2.is_finished)
        return;
    if (stream->h2.is_responded) {
        if (stream->is_web || !is_plain_ok(answer))
            stream->trailers = grpc_build_trailers(stream, answer);
        if (stream->is_web)
            grpc_append_trailers(stream, stream->trailers);
        h2_end_body(&stream->h2);
        return;
    }
    struct grpc_block *block = grpc_build_trailers_only(stream, answer);
    h2_respond(&stream->h2, block->fields, block->count, false);
    pool_free(h2_pool(&stream->h2), block);
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

/* --- what the stream asks for: struct h2_wire --- */

static void request(struct h2_stream *h2, const struct h2_fields *fields)
{
    grpc_request(of_h2(h2), fields);
}

static void web_request(struct h2_stream *h2, const struct h2_fields *fields)
{
    of_h2(h2)->is_web = true;
    grpc_request(of_h2(h2), fields);
}

static void data(struct h2_stream *h2, const uint8_t *bytes, size_t size)
{
    grpc_receive(of_h2(h2), bytes, size);
}

static void half_closed(struct h2_stream *h2)
{
    grpc_half_closed(of_h2(h2));
}

static void drained(struct h2_stream *h2)
{
    struct grpc_stream *stream = of_h2(h2);
    if (stream->trailers == NULL)
        h2_send_trailers(h2, &grpc_status_ok, 1);
    else
        h2_send_trailers(h2, stream->trailers->fields, stream->trailers->count);
    pool_free(h2_pool(h2), stream->trailers);
    stream->trailers = NULL;
}

static void writable(struct h2_stream *h2)
{
    rpc_transport_writable(&h2->transport);
}

static void closed(struct h2_stream *h2)
{
    struct grpc_stream *stream = of_h2(h2);
    stream->is_broken = true;
    h2->is_finished = true;
    grpc_drop_message(stream);
    pool_free(h2_pool(h2), stream->trailers);
    pool_free(h2_pool(h2), stream->origin);
    rpc_transport_lost(&h2->transport, RPC_CANCELLED,
                       h2->conn->stage == CONN_TALKING
                           ? "the client has cancelled the call"
                           : "the connection was lost");
}

static struct rpc_call *running_call(const struct h2_stream *h2)
{
    struct rpc_call *call = h2->transport.call;
    return call != NULL && call->co != NULL ? call : NULL;
}

const struct h2_wire grpc_wire = {
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
const struct h2_wire grpc_web_wire = {
    .request = web_request,
    .data = data,
    .half_closed = half_closed,
    .drained = NULL,
    .writable = writable,
    .closed = closed,
    .running_call = running_call,
    .stream_bytes = sizeof(struct grpc_stream),
};
