/* The messages of a call that go out, and the end of its stream. */
#include "rpc/wire_stream.h"

#include <string.h>

/* --- what the call asks for: struct rpc_transport_ops --- */

bool wire_may_compress(const struct wire_stream *stream, size_t size)
{
    return stream->out_encoding != ENCODING_IDENTITY &&
           !stream->http.transport.sends_plain &&
           size >= conn_options(stream->http.conn)->compress_bytes_min;
}

size_t wire_compress(struct wire_stream *stream, uint8_t *message, size_t size)
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

static size_t envelope_room(const struct wire_stream *stream, size_t size)
{
    size += ENVELOPE_PREFIX_BYTES;
    return stream->format->is_text ? BASE64_PADDED_SIZE(size) : size;
}

uint8_t *wire_envelope_begin(struct wire_stream *stream, size_t size)
{
    return http_reserve(&stream->http, envelope_room(stream, size)) +
           ENVELOPE_PREFIX_BYTES;
}

void wire_envelope_end(struct wire_stream *stream, uint8_t flags, size_t size)
{
    uint8_t *prefix = wire_envelope_begin(stream, size) - ENVELOPE_PREFIX_BYTES;
    envelope_write_prefix(prefix, flags, size);
    size += ENVELOPE_PREFIX_BYTES;
    http_commit(&stream->http,
                stream->format->is_text ? base64_expand(prefix, size) : size);
}

uint8_t *wire_reserve(struct rpc_transport *transport, size_t size)
{
    return wire_envelope_begin(wire_of_transport(transport), size);
}

void wire_commit(struct rpc_transport *transport, size_t size)
{
    struct wire_stream *stream = wire_of_transport(transport);
    if (stream->http.is_finished)
        return;
    size_t sent_size = size;
    if (wire_may_compress(stream, size))
        sent_size =
            wire_compress(stream, wire_envelope_begin(stream, size), size);
    wire_envelope_end(stream, sent_size < size ? ENVELOPE_COMPRESSED : 0,
                      sent_size);
    http_message_sent(&stream->http, sent_size);
}

size_t wire_queued(const struct rpc_transport *transport)
{
    return http_queued(&((const struct wire_stream *)transport)->http);
}

void wire_consumed(struct rpc_transport *transport, size_t window_bytes)
{
    http_consumed(&wire_of_transport(transport)->http, window_bytes);
}

/* --- what the stream asks for: struct http_wire --- */

void wire_writable(struct http_stream *http)
{
    rpc_transport_writable(&http->transport);
}

void wire_closed(struct http_stream *http)
{
    struct wire_stream *stream = wire_of(http);
    struct pool *pool = http_pool(http);
    stream->is_broken = true;
    wire_drop_message(stream);
    pool_free(pool, stream->trailers);
    pool_free(pool, stream->origin);
    rpc_transport_lost(&http->transport, RPC_CANCELLED,
                       http->conn->stage == CONN_TALKING
                           ? "the client has cancelled the call"
                           : "the connection was lost");
}

struct rpc_call *wire_running_call(const struct http_stream *http)
{
    struct rpc_call *call = http->transport.call;
    return call != NULL && call->co != NULL ? call : NULL;
}

/* --- what responses have in common --- */

void wire_respond(struct wire_stream *stream, struct http_block *block,
                  bool with_body)
{
    http_respond(&stream->http, block->fields, block->count, with_body);
    pool_free(http_pool(&stream->http), block);
}

/* For a page, response headers are secret unless they are named.  "*" is all;
 * older browsers need the names. */
static const struct http_header exposes_all =
    HTTP_HEADER("access-control-expose-headers",
                "*, grpc-status, grpc-message, grpc-status-details-bin");
static const struct http_header varies_by_origin =
    HTTP_HEADER("vary", "origin");

void wire_add_origin(struct http_block *block, const char *origin)
{
    static const char name[] = "access-control-allow-origin";
    if (origin == NULL)
        return;
    http_block_add(block, (struct http_header){
                              .name = name,
                              .value = origin,
                              .name_size = sizeof name - 1,
                              .value_size = strlen(origin),
                          });
    http_block_add(block, exposes_all);
    http_block_add(block, varies_by_origin);
}
