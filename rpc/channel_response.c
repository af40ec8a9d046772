/* What a call receives, and the status that it makes.  Nothing here trusts the
 * server. */
#include "rpc/channel_state.h"

#include "rpc/metadata.h"

#include <stdlib.h>
#include <string.h>

static struct arena *arena_of(const struct rpc_channel_stream *stream)
{
    return stream->call->arena;
}

void channel_response_init(struct channel_response *response)
{
    *response = (struct channel_response){.grpc_status = -1};
    field_list_init(&response->headers);
    field_list_init(&response->trailers);
}

/* The message that has come in part. */
void channel_response_drop(struct rpc_channel_stream *stream)
{
    struct channel_response *r = &stream->response;
    pool_free(stream->channel->shared->pool, r->bytes);
    r->bytes = NULL;
    r->have = r->capacity = 0;
}

/* --- header fields --- */

static bool is(const char *name, size_t size, const char *expected)
{
    return strlen(expected) == size && memcmp(name, expected, size) == 0;
}

/* "application/grpc" or "application/grpc+proto", with or without parameters:
 * what we asked for, and not another format of messages. */
static bool is_grpc_type(const char *value, size_t size)
{
    const char *end = memchr(value, ';', size);
    if (end != NULL)
        size = (size_t)(end - value);
    return is(value, size, "application/grpc") ||
           is(value, size, "application/grpc+proto");
}

static int read_number(const char *value, size_t size)
{
    int number = 0;
    if (size == 0 || size > 9)
        return -1;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9')
            return -1;
        number = number * 10 + (value[i] - '0');
    }
    return number;
}

static void read_encoding(struct channel_response *r, const char *value,
                          size_t size)
{
    r->is_unreadable = !encoding_find(value, size, &r->encoding);
}

static void read_message(struct rpc_channel_stream *stream, const char *value,
                         size_t size)
{
    char *text = arena_strndup(arena_of(stream), value, size);
    metadata_decode_message(text);
    stream->response.message = text;
}

static void read_details(struct rpc_channel_stream *stream, const char *value,
                         size_t size)
{
    struct channel_response *r = &stream->response;
    uint8_t *bytes = arena_alloc(arena_of(stream), size * 3 / 4 + 1);
    if (metadata_decode_base64(bytes, &r->details_size, value, size))
        r->details = bytes;
    else
        r->details_size = 0;
}

/* A number that is none, or is negative, says: do not come back. */
static void read_pushback(struct channel_response *r, const char *value,
                          size_t size)
{
    r->has_pushback = true;
    r->pushback_ms = read_number(value, size);
}

/* Names that speak of the wire and not to the application. */
static bool is_of_the_wire(const char *name, size_t size)
{
    return name[0] == ':' || is(name, size, "content-type") ||
           is(name, size, "grpc-accept-encoding") ||
           is(name, size, "content-length");
}

static void read_status_field(struct rpc_channel_stream *stream,
                              const char *name, size_t name_size,
                              const char *value, size_t value_size)
{
    struct channel_response *r = &stream->response;
    if (is(name, name_size, "grpc-status")) {
        int status = read_number(value, value_size);
        r->grpc_status = status >= 0 ? status : RPC_UNKNOWN;
    } else if (is(name, name_size, "grpc-message")) {
        read_message(stream, value, value_size);
    } else if (is(name, name_size, "grpc-status-details-bin")) {
        read_details(stream, value, value_size);
    } else if (is(name, name_size, "grpc-retry-pushback-ms")) {
        read_pushback(r, value, value_size);
    }
}

/* One value of several that commas join (PROTOCOL-HTTP2.md). */
static void add_binary(struct rpc_channel_stream *stream,
                       struct field_list *list, const char *name,
                       const char *value, size_t size)
{
    char *bytes = arena_alloc(arena_of(stream), size * 3 / 4 + 1);
    size_t count;
    if (metadata_decode_base64(bytes, &count, value, size))
        field_list_add(list, arena_of(stream), name, bytes, count);
}

/* Answers of calls side by side come in any order: the greatest is the latest.
 */
static void keep_echo(struct rpc_channel *channel, const char *name,
                      const char *value, size_t size)
{
    const char *wanted = channel->options.echoes;
    if (wanted == NULL || strcmp(name, wanted) != 0 ||
        size >= sizeof channel->echo)
        return;
    char text[sizeof channel->echo];
    memcpy(text, value, size);
    text[size] = '\0';
    if (strcmp(text, channel->echo) > 0)
        memcpy(channel->echo, text, size + 1);
}

static void add_metadata(struct rpc_channel_stream *stream, const char *name,
                         size_t name_size, const char *value, size_t size)
{
    struct channel_response *r = &stream->response;
    struct field_list *list = r->is_last_block ? &r->trailers : &r->headers;
    const char *text = arena_strndup(arena_of(stream), name, name_size);
    if (!metadata_name_is_binary(name, name_size)) {
        keep_echo(stream->channel, text, value, size);
        field_list_add(list, arena_of(stream), text, value, size);
        return;
    }
    const char *end = value + size;
    for (;;) {
        const char *comma = memchr(value, ',', (size_t)(end - value));
        const char *stop = comma != NULL ? comma : end;
        add_binary(stream, list, text, value, (size_t)(stop - value));
        /* Each costs a copy of the name. */
        r->block_bytes += name_size + HTTP_FIELD_OVERHEAD_BYTES;
        if (comma == NULL ||
            r->block_bytes > stream->channel->options.header_bytes_max)
            return;
        value = comma + 1;
    }
}

void channel_response_block(struct rpc_channel_stream *stream, bool is_last)
{
    stream->response.has_begun = true;
    stream->response.block_bytes = 0;
    stream->response.is_last_block = is_last;
}

void channel_response_field(struct rpc_channel_stream *stream, const char *name,
                            size_t name_size, const char *value,
                            size_t value_size)
{
    struct channel_response *r = &stream->response;
    if (is(name, name_size, ":status"))
        r->http_status = read_number(value, value_size);
    else if (is(name, name_size, "content-type") && !r->has_headers)
        r->is_grpc = is_grpc_type(value, value_size);
    else if (is(name, name_size, "grpc-encoding"))
        read_encoding(r, value, value_size);
    else if (name_size > 5 && memcmp(name, "grpc-", 5) == 0 && r->is_last_block)
        read_status_field(stream, name, name_size, value, value_size);
    else if (!is_of_the_wire(name, name_size) && r->http_status >= 200)
        add_metadata(stream, name, name_size, value, value_size);
}

/* What is no gRPC has no trailers worth waiting for. */
void channel_response_block_end(struct rpc_channel_stream *stream)
{
    struct channel_response *r = &stream->response;
    if (r->http_status < 200 || r->has_headers)
        return;
    r->has_headers = true;
    if (r->is_last_block)
        return;
    channel_request_commit(stream);
    if (r->http_status == 200 && r->is_grpc)
        rpc_wake(stream->call);
    else
        channel_stream_complete(stream);
}

/* --- messages --- */

static void fail(struct rpc_channel_stream *stream, rpc_code code,
                 const char *message)
{
    channel_stream_end(stream, code, "%s", message);
}

static rpc_status too_large(const struct rpc_channel_stream *stream)
{
    return (rpc_status){
        RPC_RESOURCE_EXHAUSTED,
        arena_printf(arena_of(stream),
                     "a response message has more than %u bytes",
                     stream->response_bytes_max)};
}

/* A message waits as it came, and is inflated when it is taken: what waits is
 * then never more than the window. */
rpc_status channel_response_inflate(struct rpc_channel_stream *stream,
                                    const struct rpc_received *received,
                                    const uint8_t **bytes, size_t *size)
{
    *bytes = received->bytes;
    *size = received->size;
    if (!received->was_compressed)
        return RPC_SUCCESS;
    switch (compress_inflate(
        stream->shared->compress, stream->response.encoding, received->bytes,
        received->size, stream->response_bytes_max, bytes, size)) {
    case COMPRESS_DONE:
        return RPC_SUCCESS;
    case COMPRESS_TOO_LARGE:
    case COMPRESS_BOMB: /* channels take any ratio */
        return too_large(stream);
    case COMPRESS_BROKEN:
        return (rpc_status){RPC_INTERNAL,
                            "a message is not what grpc-encoding says"};
    case COMPRESS_NO_MEMORY:
        return (rpc_status){RPC_RESOURCE_EXHAUSTED, "memory is short"};
    }
    abort();
}

/* What a caller has not taken yet holds the window back; but half of it at
 * most, or a message that is larger than the window could never arrive. */
static void withhold(struct rpc_channel_stream *stream, size_t bytes)
{
    struct channel_response *r = &stream->response;
    size_t withheld_max = stream->channel->options.window_bytes / 2;
    size_t withheld = r->withheld_bytes + bytes;
    if (withheld > withheld_max) {
        channel_h2_consumed(stream, withheld - withheld_max);
        withheld = withheld_max;
    }
    r->withheld_bytes = (uint32_t)withheld;
}

bool channel_response_is_single(const struct rpc_channel_stream *stream)
{
    return stream->method->kind == RPC_UNARY ||
           stream->method->kind == RPC_CLIENT_STREAM;
}

static void hand_over(struct rpc_channel_stream *stream, const uint8_t *bytes,
                      size_t size)
{
    struct channel_response *r = &stream->response;
    if (++r->message_count > 1 && channel_response_is_single(stream)) {
        fail(stream, RPC_UNIMPLEMENTED,
             "the server sent more than one response message");
        return;
    }
    struct rpc_received *received = malloc(sizeof *received + size);
    if (received == NULL)
        abort();
    *received = (struct rpc_received){.size = size,
                                      .window_bytes = r->withheld_bytes,
                                      .was_compressed =
                                          r->prefix[0] == ENVELOPE_COMPRESSED};
    r->withheld_bytes = 0;
    if (size > 0)
        memcpy(received->bytes, bytes, size);
    *stream->received_end = received;
    stream->received_end = &received->next;
    rpc_wake(stream->call);
}

static void deliver(struct rpc_channel_stream *stream, const uint8_t *bytes,
                    size_t size)
{
    stream->response.prefix_size = 0;
    hand_over(stream, bytes, size);
}

/* Nothing is allocated for a message before its prefix was believed. */
static void begin_message(struct rpc_channel_stream *stream)
{
    struct channel_response *r = &stream->response;
    r->size = envelope_size(r->prefix);
    if (r->prefix[0] > ENVELOPE_COMPRESSED)
        fail(stream, RPC_INTERNAL, "a message's flag is neither 0 nor 1");
    else if (r->prefix[0] == ENVELOPE_COMPRESSED &&
             (r->is_unreadable || r->encoding == ENCODING_IDENTITY))
        fail(stream, RPC_INTERNAL,
             r->is_unreadable
                 ? "a message is compressed in a way that was not asked for"
                 : "a message is compressed, but there is no grpc-encoding");
    else if (r->size > stream->response_bytes_max)
        fail(stream, RPC_RESOURCE_EXHAUSTED, too_large(stream).message);
    else if (r->size == 0)
        deliver(stream, (const uint8_t *)"", 0);
}

static size_t take_prefix(struct rpc_channel_stream *stream,
                          const uint8_t *bytes, size_t size)
{
    struct channel_response *r = &stream->response;
    size_t used = ENVELOPE_PREFIX_BYTES - r->prefix_size;
    if (used > size)
        used = size;
    memcpy(r->prefix + r->prefix_size, bytes, used);
    r->prefix_size += used;
    withhold(stream, used);
    if (r->prefix_size == ENVELOPE_PREFIX_BYTES)
        begin_message(stream);
    return used;
}

static void grow(struct rpc_channel_stream *stream, uint32_t needed)
{
    struct channel_response *r = &stream->response;
    uint32_t capacity = envelope_grown_room(r->capacity, needed, r->size);
    if (capacity == r->capacity)
        return;
    r->bytes = pool_realloc(stream->channel->shared->pool, r->bytes, capacity);
    r->capacity = capacity;
}

/* A message that came in one piece is read where it lies. */
static size_t take_message(struct rpc_channel_stream *stream,
                           const uint8_t *bytes, size_t size)
{
    struct channel_response *r = &stream->response;
    size_t used = r->size - r->have;
    if (used > size)
        used = size;
    withhold(stream, used);
    if (used == r->size) {
        deliver(stream, bytes, used);
        return used;
    }
    grow(stream, r->have + (uint32_t)used);
    memcpy(r->bytes + r->have, bytes, used);
    r->have += (uint32_t)used;
    if (r->have == r->size) {
        uint8_t *whole = r->bytes;
        struct pool *pool = stream->channel->shared->pool;
        r->bytes = NULL; /* the stream may end with this message */
        r->have = r->capacity = 0;
        deliver(stream, whole, r->size);
        pool_free(pool, whole);
    }
    return used;
}

void channel_response_data(struct rpc_channel_stream *stream,
                           const uint8_t *bytes, size_t size)
{
    stream->response.has_begun = true;
    while (size > 0 && stream->phase == CHANNEL_STREAM_OPEN) {
        size_t used = stream->response.prefix_size < ENVELOPE_PREFIX_BYTES
                          ? take_prefix(stream, bytes, size)
                          : take_message(stream, bytes, size);
        bytes += used;
        size -= used;
    }
}

/* --- the status --- */

/* gRPC's http-grpc-status-mapping.md: for answers that are no gRPC, most often
 * a proxy's. */
static rpc_code code_of_http(int http_status)
{
    switch (http_status) {
    case 400:
        return RPC_INTERNAL;
    case 401:
        return RPC_UNAUTHENTICATED;
    case 403:
        return RPC_PERMISSION_DENIED;
    case 404:
        return RPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return RPC_UNAVAILABLE;
    default:
        return RPC_UNKNOWN;
    }
}

static rpc_status told_status(const struct rpc_channel_stream *stream)
{
    const struct channel_response *r = &stream->response;
    rpc_code code = (unsigned)r->grpc_status < RPC_CODE_COUNT
                        ? (rpc_code)r->grpc_status
                        : RPC_UNKNOWN;
    const char *message = r->message != NULL ? r->message : "";
    if (code != RPC_OK)
        return (rpc_status){code, message};
    if (r->prefix_size > 0)
        return (rpc_status){RPC_INTERNAL, "the response ends in a message"};
    if (channel_response_is_single(stream) && r->message_count == 0)
        return (rpc_status){RPC_UNIMPLEMENTED,
                            "the server sent OK, but no response message"};
    return RPC_SUCCESS;
}

rpc_status channel_response_status(struct rpc_channel_stream *stream)
{
    const struct channel_response *r = &stream->response;
    if (r->is_too_large)
        return (rpc_status){RPC_RESOURCE_EXHAUSTED,
                            "the response's metadata is too large"};
    if (r->grpc_status >= 0)
        return told_status(stream);
    if (r->http_status != 200)
        return (rpc_status){code_of_http(r->http_status),
                            arena_printf(arena_of(stream),
                                         "the server answered HTTP %d",
                                         r->http_status)};
    if (!r->is_grpc)
        return (rpc_status){RPC_UNKNOWN,
                            "the server answered something else than gRPC"};
    if (r->is_last_block)
        return (rpc_status){RPC_UNKNOWN, "the trailers have no grpc-status"};
    return (rpc_status){RPC_INTERNAL, "the response ends without trailers"};
}
