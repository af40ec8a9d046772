/* What comes in on a gRPC stream.  Nothing here trusts the client. */
#include "rpc/grpc_stream.h"
#include "rpc/metadata.h"

#include <stdio.h>
#include <string.h>

enum {
    /* A message's buffer starts at this and doubles as bytes arrive: a length
     * prefix alone takes no memory. */
    MESSAGE_BYTES_FIRST = 4096,
    /* What a message may hold back of the stream's 64 KiB window until a
     * handler takes it.  Half: a longer message could never arrive. */
    WITHHELD_BYTES_MAX = 32 * 1024,
};

static struct rpc_worker *worker_of(const struct grpc_stream *stream)
{
    return http_worker(&stream->http);
}

/* --- the request's headers --- */

static const rpc_status fine = {RPC_OK, NULL};

static rpc_status read_timeout(struct rpc_head *head,
                               const struct http_field *field)
{
    if (!metadata_parse_timeout(field->value, field->value_size,
                                &head->timeout_us))
        return (rpc_status){RPC_INTERNAL, "malformed grpc-timeout"};
    return fine;
}

static rpc_status read_encoding(struct grpc_stream *stream,
                                const struct http_field *field)
{
    if (!encoding_find(field->value, field->value_size, &stream->in_encoding))
        return (rpc_status){RPC_UNIMPLEMENTED,
                            "this grpc-encoding is not supported; see "
                            "grpc-accept-encoding"};
    return fine;
}

static void add_text(struct grpc_stream *stream, const struct http_field *field)
{
    const char *value = field->value;
    size_t size = field->value_size;
    while (size > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        size--;
    }
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        size--;
    rpc_transport_add_metadata(&stream->http.transport, field->name,
                               field->name_size, value, size);
}

static const rpc_status metadata_too_large = {
    RPC_RESOURCE_EXHAUSTED, "the request's metadata is too large"};

/* A comma stands for one more field, and each field has a copy of the name: 4
 * KB of name and commas would become 4 MB. */
static bool may_join(struct grpc_stream *stream, const struct http_field *field)
{
    stream->joined_bytes += field->name_size + HTTP_FIELD_OVERHEAD_BYTES;
    return stream->joined_bytes <=
           worker_of(stream)->server->options.header_bytes_max;
}

/* Several values may come as one, joined by commas; each is checked here, so
 * that whoever reads it later cannot fail. */
static rpc_status add_values(struct grpc_stream *stream,
                             const struct http_field *field, char *scratch)
{
    const char *value = field->value;
    for (;;) {
        size_t size = strcspn(value, ",");
        size_t count;
        if (!metadata_decode_base64(scratch, &count, value, size))
            return (rpc_status){RPC_INTERNAL, "binary metadata is not base64"};
        rpc_transport_add_metadata(&stream->http.transport, field->name,
                                   field->name_size, value, size);
        if (value[size] == '\0')
            return fine;
        if (!may_join(stream, field))
            return metadata_too_large;
        value += size + 1;
    }
}

static rpc_status add_binary(struct grpc_stream *stream,
                             const struct http_field *field)
{
    struct pool *pool = http_pool(&stream->http);
    char *scratch = pool_alloc(pool, field->value_size + 1);
    rpc_status status = add_values(stream, field, scratch);
    pool_free(pool, scratch);
    return status;
}

/* Names that speak of the wire and not to the application. */
static bool is_of_the_wire(const struct http_field *field)
{
    return field->name[0] == ':' || http_field_is(field, "te") ||
           http_field_is(field, "content-length") ||
           http_field_is(field, "host") ||
           http_field_is(field, "grpc-message") ||
           http_field_is(field, "grpc-status") ||
           http_field_is(field, "grpc-status-details-bin");
}

static rpc_status read_field(struct grpc_stream *stream, struct rpc_head *head,
                             const struct http_field *field)
{
    if (http_field_is(field, ":path")) {
        head->path = arena_strndup(stream->http.transport.call->arena,
                                   field->value, field->value_size);
        head->path_size = field->value_size;
        return fine;
    }
    if (http_field_is(field, "content-type")) {
        stream->says_proto =
            field->value_size > 16 && strstr(field->value, "+proto") != NULL;
        return fine;
    }
    if (stream->is_web && stream->origin == NULL &&
        http_field_is(field, "origin")) {
        stream->origin =
            pool_alloc(http_pool(&stream->http), field->value_size + 1);
        memcpy(stream->origin, field->value, field->value_size + 1);
        return fine;
    }
    if (http_field_is(field, "grpc-timeout"))
        return read_timeout(head, field);
    if (http_field_is(field, "grpc-encoding"))
        return read_encoding(stream, field);
    if (http_field_is(field, "grpc-accept-encoding")) {
        stream->out_encoding = encoding_choose(field->value);
        return fine;
    }
    if (is_of_the_wire(field))
        return fine;
    if (metadata_name_is_binary(field->name, field->name_size))
        return add_binary(stream, field);
    add_text(stream, field);
    return fine;
}

static rpc_status read_fields(struct grpc_stream *stream, struct rpc_head *head,
                              const struct http_fields *fields)
{
    rpc_status first = fine;
    for (size_t i = 0; i < fields->count; i++) {
        rpc_status status = read_field(stream, head, &fields->fields[i]);
        if (first.code == RPC_OK)
            first = status;
    }
    if (fields->is_too_large)
        return metadata_too_large;
    return first;
}

void grpc_request(struct grpc_stream *stream, const struct http_fields *fields)
{
    struct http_stream *http = &stream->http;
    http->transport.ops = &grpc_ops;
    struct rpc_head *head = http_begin_call(http);
    head->path = "";
    rpc_status status = read_fields(stream, head, fields);
    if (status.code != RPC_OK)
        rpc_transport_fail(&http->transport, status.code, status.message);
    else
        rpc_transport_open(&http->transport);
}

/* --- the request's messages --- */

static void fail(struct grpc_stream *stream, rpc_code code, const char *message)
{
    stream->is_broken = true;
    rpc_transport_fail(&stream->http.transport, code, message);
}

static void fail_too_large(struct grpc_stream *stream)
{
    char text[80];
    snprintf(text, sizeof text, "a request message may have at most %zu bytes",
             rpc_transport_message_bytes_max(&stream->http.transport));
    fail(stream, RPC_RESOURCE_EXHAUSTED, text);
}

/* Bytes that arrived for the message are withheld from the window until the
 * handler takes it, up to a bound. */
static void withhold(struct grpc_stream *stream, size_t bytes)
{
    size_t withheld = stream->withheld_bytes + bytes;
    if (withheld > WITHHELD_BYTES_MAX) {
        http_consumed(&stream->http, withheld - WITHHELD_BYTES_MAX);
        withheld = WITHHELD_BYTES_MAX;
    }
    stream->withheld_bytes = (uint32_t)withheld;
}

void grpc_drop_message(struct grpc_stream *stream)
{
    rpc_worker_give_memory(worker_of(stream), stream->http.conn->share,
                           stream->message_capacity);
    pool_free(http_pool(&stream->http), stream->message);
    stream->message = NULL;
    stream->message_capacity = stream->message_have = 0;
}

static bool message_grow(struct grpc_stream *stream, uint32_t needed)
{
    uint32_t capacity = stream->message_capacity;
    if (needed <= capacity)
        return true;
    capacity = capacity == 0 ? MESSAGE_BYTES_FIRST : capacity * 2;
    if (capacity < needed)
        capacity = needed;
    if (capacity > stream->message_size)
        capacity = stream->message_size;
    if (!rpc_worker_take_memory(worker_of(stream), stream->http.conn->share,
                                capacity - stream->message_capacity))
        return false;
    stream->message =
        pool_realloc(http_pool(&stream->http), stream->message, capacity);
    stream->message_capacity = capacity;
    return true;
}

static void hand_over(struct grpc_stream *stream, const uint8_t *bytes,
                      size_t size)
{
    size_t window_bytes = stream->withheld_bytes;
    stream->withheld_bytes = 0;
    rpc_transport_message(&stream->http.transport, bytes, size, window_bytes);
}

static void inflate(struct grpc_stream *stream, const uint8_t *bytes,
                    size_t size)
{
    struct compress *compress = stream->http.conn->net->compress;
    const uint8_t *out;
    size_t out_size;
    compress_result result = compress_inflate(
        compress, stream->in_encoding, bytes, size,
        rpc_transport_message_bytes_max(&stream->http.transport), &out,
        &out_size);
    if (result == COMPRESS_DONE)
        hand_over(stream, out, out_size);
    else if (result == COMPRESS_TOO_LARGE)
        fail_too_large(stream);
    else if (result == COMPRESS_BROKEN)
        fail(stream, RPC_INTERNAL, "a message is not what grpc-encoding says");
    else
        fail(stream, RPC_RESOURCE_EXHAUSTED, "the server is short of memory");
    compress_trim(compress);
}

static void deliver(struct grpc_stream *stream, const uint8_t *bytes,
                    size_t size)
{
    stream->prefix_size = 0;
    http_message_received(&stream->http, size);
    stream->http.transport.was_compressed = stream->prefix[0] == 1;
    if (stream->prefix[0] == 1)
        inflate(stream, bytes, size);
    else
        hand_over(stream, bytes, size);
}

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
           (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Nothing is allocated for a message before its prefix was believed. */
static void begin_message(struct grpc_stream *stream)
{
    stream->message_size = big_endian(stream->prefix + 1);
    if (stream->prefix[0] > 1)
        fail(stream, RPC_INTERNAL, "a message's flag is neither 0 nor 1");
    else if (stream->prefix[0] == 1 && stream->in_encoding == ENCODING_IDENTITY)
        fail(stream, RPC_INTERNAL,
             "a message is compressed, but there is no grpc-encoding");
    else if (stream->message_size >
             rpc_transport_message_bytes_max(&stream->http.transport))
        fail_too_large(stream);
    else if (stream->message_size == 0)
        deliver(stream, (const uint8_t *)"", 0);
}

static size_t take_prefix(struct grpc_stream *stream, const uint8_t *bytes,
                          size_t size)
{
    size_t used = GRPC_PREFIX_BYTES - stream->prefix_size;
    if (used > size)
        used = size;
    memcpy(stream->prefix + stream->prefix_size, bytes, used);
    stream->prefix_size += used;
    withhold(stream, used);
    if (stream->prefix_size == GRPC_PREFIX_BYTES)
        begin_message(stream);
    return used;
}

/* A message that came in one piece is read where it lies. */
static size_t take_message(struct grpc_stream *stream, const uint8_t *bytes,
                           size_t size)
{
    size_t used = stream->message_size - stream->message_have;
    if (used > size)
        used = size;
    withhold(stream, used);
    if (used == stream->message_size) {
        deliver(stream, bytes, used);
        return used;
    }
    if (!message_grow(stream, stream->message_have + (uint32_t)used)) {
        fail(stream, RPC_RESOURCE_EXHAUSTED, "the server is short of memory");
        return used;
    }
    memcpy(stream->message + stream->message_have, bytes, used);
    stream->message_have += (uint32_t)used;
    if (stream->message_have == stream->message_size) {
        deliver(stream, stream->message, stream->message_size);
        grpc_drop_message(stream);
    }
    return used;
}

void grpc_receive(struct grpc_stream *stream, const uint8_t *bytes, size_t size)
{
    while (size > 0 && !stream->is_broken) {
        size_t used = stream->prefix_size < GRPC_PREFIX_BYTES
                          ? take_prefix(stream, bytes, size)
                          : take_message(stream, bytes, size);
        bytes += used;
        size -= used;
    }
    http_consumed(&stream->http, size);
}

void grpc_half_closed(struct grpc_stream *stream)
{
    if (stream->is_broken)
        return;
    if (stream->prefix_size > 0)
        fail(stream, RPC_INTERNAL, "the request ends within a message");
    else
        rpc_transport_half_close(&stream->http.transport);
}
