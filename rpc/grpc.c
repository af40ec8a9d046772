/* gRPC on an HTTP/2 stream: a transport of calls.
 *
 *   request    HEADERS, then { flag(1) size(4) message }..., END_STREAM
 *   response   HEADERS, then the same, then trailers with grpc-status
 *              or, when nothing was sent before: all in one HEADERS
 */
#include "rpc/metadata.h"
#include "rpc/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PREFIX_BYTES = 5,
    /* Smaller ones do not shrink enough to pay for the time. */
    COMPRESS_BYTES_MIN = 1024,
    /* A message's buffer starts at this and doubles as bytes arrive: a length
     * prefix alone takes no memory. */
    MESSAGE_BYTES_FIRST = 4096,
    /* What a message may hold back of the stream's 64 KiB window until a
     * handler takes it.  Half: a longer message could never arrive. */
    WITHHELD_BYTES_MAX = 32 * 1024,
    /* What clients accept as trailers when they do not say; gRPC's own default
     * limit for metadata. */
    TRAILER_BYTES_MAX = 8192,
};

/* Header fields for nghttp2, with the texts they point at, as one object. */
struct block {
    size_t count;
    size_t capacity;
    size_t list_bytes; /* as RFC 9113 6.5.2 counts */
    char *text;        /* where the next text goes */
    nghttp2_nv fields[];
};

struct grpc_stream {
    struct h2_stream h2; /* first */

    /* The message that is arriving. */
    uint8_t prefix[PREFIX_BYTES];
    uint8_t prefix_size;
    uint8_t *message;
    uint32_t message_size, message_have, message_capacity;
    uint32_t withheld_bytes; /* of the window, since the last message */

    bool is_broken;         /* what else arrives is not looked at */
    bool in_gzip;           /* grpc-encoding: gzip */
    bool out_gzip;          /* the client accepts it */
    bool tells_accepts;     /* the client spoke of encodings */
    bool says_proto;        /* content-type ended in +proto */
    struct block *trailers; /* NULL: grpc-status 0 and nothing else */
};

static struct grpc_stream *of_transport(struct rpc_transport *transport)
{
    return (struct grpc_stream *)transport;
}

static struct grpc_stream *of_h2(struct h2_stream *stream)
{
    return (struct grpc_stream *)stream;
}

static struct rpc_worker *worker_of(const struct grpc_stream *stream)
{
    return stream->h2.conn->net->worker;
}

/* --- fields that never change
 * ---------------------------------------------------- */

#define FIELD(n, v)                                                           \
    {                                                                         \
        .name = (uint8_t *)(n), .value = (uint8_t *)(v),                      \
        .namelen = sizeof(n) - 1, .valuelen = sizeof(v) - 1,                  \
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE \
    }

static const nghttp2_nv status_200 = FIELD(":status", "200");
static const nghttp2_nv content_grpc =
    FIELD("content-type", "application/grpc");
static const nghttp2_nv content_grpc_proto =
    FIELD("content-type", "application/grpc+proto");
static const nghttp2_nv encoding_gzip = FIELD("grpc-encoding", "gzip");
static const nghttp2_nv accepts_gzip =
    FIELD("grpc-accept-encoding", "identity,gzip");
static const nghttp2_nv status_ok = FIELD("grpc-status", "0");

/* --- building header blocks
 * -------------------------------------------------------- */

static size_t encoded_size(const struct rpc_field *field)
{
    if (metadata_name_is_binary(field->name, field->name_size))
        return METADATA_BASE64_SIZE(field->value_size);
    return field->value_size;
}

static void count_fields(const struct rpc_field *field, size_t *count,
                         size_t *bytes)
{
    for (; field != NULL; field = field->next) {
        ++*count;
        *bytes += field->name_size + encoded_size(field);
    }
}

static struct block *block_create(struct pool *pool, size_t count, size_t bytes)
{
    size_t head = sizeof(struct block) + count * sizeof(nghttp2_nv);
    struct block *block = pool_alloc(pool, head + bytes);
    *block = (struct block){.capacity = count, .text = (char *)block + head};
    return block;
}

static void block_add(struct block *block, nghttp2_nv field)
{
    assert(block->count < block->capacity);
    block->fields[block->count++] = field;
    block->list_bytes +=
        field.namelen + field.valuelen + H2_FIELD_OVERHEAD_BYTES;
}

/* What no proxy on the way may keep in its compression table. */
static bool is_secret(const char *name, size_t size)
{
    static const char *const names[] = {"authorization", "cookie", "set-cookie",
                                        "proxy-authorization"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
            return true;
    return size > 6 && memcmp(name + size - 6, "-token", 6) == 0;
}

/* `name` lives as long as the block. */
static void block_add_text(struct block *block, const char *name,
                           size_t name_size, size_t value_size, uint8_t flags)
{
    block_add(block, (nghttp2_nv){
                         .name = (uint8_t *)(uintptr_t)name,
                         .value = (uint8_t *)block->text,
                         .namelen = name_size,
                         .valuelen = value_size,
                         .flags = flags,
                     });
    block->text += value_size;
}

static void block_add_field(struct block *block, const struct rpc_field *field)
{
    char *name = memcpy(block->text, field->name, field->name_size);
    block->text += field->name_size;
    if (metadata_name_is_binary(field->name, field->name_size))
        metadata_encode_base64(block->text, field->value, field->value_size);
    else
        memcpy(block->text, field->value, field->value_size);
    block_add_text(block, name, field->name_size, encoded_size(field),
                   is_secret(field->name, field->name_size)
                       ? NGHTTP2_NV_FLAG_NO_INDEX
                       : NGHTTP2_NV_FLAG_NONE);
}

static void block_add_all(struct block *block, const struct rpc_field *field)
{
    for (; field != NULL; field = field->next)
        block_add_field(block, field);
}

static void block_add_opening(struct block *block,
                              const struct grpc_stream *stream)
{
    block_add(block, status_200);
    block_add(block, stream->says_proto ? content_grpc_proto : content_grpc);
    if (stream->tells_accepts)
        block_add(block, accepts_gzip);
}

/* The texts of one status line; a message may triple in size. */
enum {
    STATUS_FIELDS = 3,
    OPENING_FIELDS = 4,
    CODE_BYTES_MAX = 10,
};

static void block_add_status(struct block *block,
                             const struct rpc_answer *answer)
{
    if (answer->code == RPC_OK) {
        block_add(block, status_ok);
        return;
    }
    int size = sprintf(block->text, "%u", (unsigned)answer->code);
    block_add_text(block, "grpc-status", 11, (size_t)size,
                   NGHTTP2_NV_FLAG_NONE);
    if (answer->message == NULL || *answer->message == '\0')
        return;
    size_t message_size = metadata_encode_message(block->text, answer->message);
    block_add_text(block, "grpc-message", 12, message_size,
                   NGHTTP2_NV_FLAG_NO_INDEX);
}

/* A client whose limit is exceeded sees a broken transport and not even the
 * code: the details go first. */
static void block_add_details(struct block *block,
                              const struct grpc_stream *stream,
                              const struct rpc_answer *answer)
{
    static const char name[] = "grpc-status-details-bin";
    if (answer->details_size == 0)
        return;
    size_t value_size = METADATA_BASE64_SIZE(answer->details_size);
    size_t limit = h2_peer_header_bytes_max(&stream->h2);
    if (limit > TRAILER_BYTES_MAX)
        limit = TRAILER_BYTES_MAX;
    if (block->list_bytes + sizeof name - 1 + value_size +
            H2_FIELD_OVERHEAD_BYTES >
        limit)
        return;
    metadata_encode_base64(block->text, answer->details, answer->details_size);
    block_add_text(block, name, sizeof name - 1, value_size,
                   NGHTTP2_NV_FLAG_NO_INDEX);
}

static size_t status_bytes(const struct rpc_answer *answer)
{
    size_t bytes = CODE_BYTES_MAX;
    if (answer->message != NULL)
        bytes += METADATA_MESSAGE_ENCODED_MAX;
    return bytes + METADATA_BASE64_SIZE(answer->details_size);
}

static struct block *build_trailers(const struct grpc_stream *stream,
                                    const struct rpc_answer *answer)
{
    size_t count = STATUS_FIELDS;
    size_t bytes = status_bytes(answer);
    count_fields(answer->trailers, &count, &bytes);
    struct block *block = block_create(h2_pool(&stream->h2), count, bytes);
    block_add_status(block, answer);
    block_add_all(block, answer->trailers);
    block_add_details(block, stream, answer);
    return block;
}

static struct block *build_trailers_only(const struct grpc_stream *stream,
                                         const struct rpc_answer *answer)
{
    size_t count = OPENING_FIELDS + STATUS_FIELDS;
    size_t bytes = status_bytes(answer);
    count_fields(answer->headers, &count, &bytes);
    count_fields(answer->trailers, &count, &bytes);
    struct block *block = block_create(h2_pool(&stream->h2), count, bytes);
    block_add_opening(block, stream);
    block_add_status(block, answer);
    block_add_all(block, answer->headers);
    block_add_all(block, answer->trailers);
    block_add_details(block, stream, answer);
    return block;
}

/* --- what the call asks for: struct rpc_transport_ops
 * ------------------------------- */

static void send_headers(struct rpc_transport *transport,
                         const struct rpc_field *headers)
{
    struct grpc_stream *stream = of_transport(transport);
    if (stream->h2.is_finished)
        return;
    size_t count = OPENING_FIELDS;
    size_t bytes = 0;
    count_fields(headers, &count, &bytes);
    struct block *block = block_create(h2_pool(&stream->h2), count, bytes);
    block_add_opening(block, stream);
    if (stream->out_gzip)
        block_add(block, encoding_gzip);
    block_add_all(block, headers);
    h2_respond(&stream->h2, block->fields, block->count, true);
    pool_free(h2_pool(&stream->h2), block);
}

static uint8_t *reserve(struct rpc_transport *transport, size_t size)
{
    return h2_reserve(&of_transport(transport)->h2, size + PREFIX_BYTES) +
           PREFIX_BYTES;
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
    uint8_t *prefix = h2_reserve(&stream->h2, size + PREFIX_BYTES);
    size_t sent_size = size;
    if (stream->out_gzip && size > COMPRESS_BYTES_MIN)
        sent_size = compress(stream, prefix + PREFIX_BYTES, size);
    prefix[0] = sent_size < size;
    prefix[1] = (uint8_t)(sent_size >> 24);
    prefix[2] = (uint8_t)(sent_size >> 16);
    prefix[3] = (uint8_t)(sent_size >> 8);
    prefix[4] = (uint8_t)sent_size;
    h2_commit(&stream->h2, sent_size + PREFIX_BYTES);
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
        if (!is_plain_ok(answer))
            stream->trailers = build_trailers(stream, answer);
        h2_end_body(&stream->h2);
        return;
    }
    struct block *block = build_trailers_only(stream, answer);
    h2_respond(&stream->h2, block->fields, block->count, false);
    pool_free(h2_pool(&stream->h2), block);
}

static const struct rpc_transport_ops grpc_ops = {
    .name = "grpc",
    .headers = send_headers,
    .reserve = reserve,
    .commit = commit,
    .queued = queued,
    .consumed = consumed,
    .finish = finish,
};

/* --- the request's headers
 * ------------------------------------------------------------ */

static const rpc_status fine = {RPC_OK, NULL};

static bool is(const struct h2_field *field, const char *name)
{
    return strcmp(field->name, name) == 0;
}

/* Whether `word` is one of a list that is separated by commas. */
static bool lists(const char *list, const char *word)
{
    size_t size = strlen(word);
    while (*list != '\0') {
        list += strspn(list, ", \t");
        size_t token = strcspn(list, ", \t");
        if (token == size && memcmp(list, word, size) == 0)
            return true;
        list += token;
    }
    return false;
}

static rpc_status read_timeout(struct rpc_head *head,
                               const struct h2_field *field)
{
    if (!metadata_parse_timeout(field->value, field->value_size,
                                &head->timeout_us))
        return (rpc_status){RPC_INTERNAL, "malformed grpc-timeout"};
    return fine;
}

static rpc_status read_encoding(struct grpc_stream *stream,
                                const struct h2_field *field)
{
    stream->tells_accepts = true;
    stream->in_gzip = strcmp(field->value, "gzip") == 0;
    if (!stream->in_gzip && strcmp(field->value, "identity") != 0)
        return (rpc_status){RPC_UNIMPLEMENTED,
                            "this grpc-encoding is not supported; see "
                            "grpc-accept-encoding"};
    return fine;
}

static void add_text(struct grpc_stream *stream, const struct h2_field *field)
{
    const char *value = field->value;
    size_t size = field->value_size;
    while (size > 0 && (*value == ' ' || *value == '\t')) {
        value++;
        size--;
    }
    while (size > 0 && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        size--;
    rpc_transport_add_metadata(&stream->h2.transport, field->name,
                               field->name_size, value, size);
}

/* Several values may come as one, joined by commas; each is checked here, so
 * that whoever reads it later cannot fail. */
static rpc_status add_binary(struct grpc_stream *stream,
                             const struct h2_field *field)
{
    struct pool *pool = h2_pool(&stream->h2);
    char *scratch = pool_alloc(pool, field->value_size + 1);
    const char *value = field->value;
    bool is_good = true;
    for (;;) {
        size_t size = strcspn(value, ",");
        size_t count;
        is_good = metadata_decode_base64(scratch, &count, value, size);
        if (!is_good)
            break;
        rpc_transport_add_metadata(&stream->h2.transport, field->name,
                                   field->name_size, value, size);
        if (value[size] == '\0')
            break;
        value += size + 1;
    }
    pool_free(pool, scratch);
    if (!is_good)
        return (rpc_status){RPC_INTERNAL, "binary metadata is not base64"};
    return fine;
}

/* Names that speak of the wire and not to the application. */
static bool is_of_the_wire(const struct h2_field *field)
{
    static const char *const names[] = {
        "te",           "content-length",          "host",
        "grpc-message", "grpc-status-details-bin", "grpc-status",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is(field, names[i]))
            return true;
    return field->name[0] == ':';
}

static rpc_status read_field(struct grpc_stream *stream, struct rpc_head *head,
                             const struct h2_field *field)
{
    if (is(field, ":path")) {
        head->path = arena_strndup(stream->h2.transport.call->arena,
                                   field->value, field->value_size);
        head->path_size = field->value_size;
        return fine;
    }
    if (is(field, "content-type")) {
        stream->says_proto = strstr(field->value, "+proto") != NULL;
        return fine;
    }
    if (is(field, "grpc-timeout"))
        return read_timeout(head, field);
    if (is(field, "grpc-encoding"))
        return read_encoding(stream, field);
    if (is(field, "grpc-accept-encoding")) {
        stream->tells_accepts = true;
        stream->out_gzip = lists(field->value, "gzip");
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
                              const struct h2_fields *fields)
{
    rpc_status first = fine;
    for (size_t i = 0; i < fields->count; i++) {
        rpc_status status = read_field(stream, head, &fields->fields[i]);
        if (first.code == RPC_OK)
            first = status;
    }
    if (fields->is_too_large)
        return (rpc_status){RPC_RESOURCE_EXHAUSTED,
                            "the request's metadata is too large"};
    return first;
}

static void request(struct h2_stream *h2, const struct h2_fields *fields)
{
    struct grpc_stream *stream = of_h2(h2);
    h2->transport.ops = &grpc_ops;
    struct rpc_head *head =
        rpc_transport_begin(&h2->transport, worker_of(stream));
    head->path = "";
    head->peer = arena_strdup(h2->transport.call->arena, h2->conn->peer);
    head->peer_key = h2->conn->key;
    rpc_status status = read_fields(stream, head, fields);
    if (status.code != RPC_OK)
        rpc_transport_fail(&h2->transport, status.code, status.message);
    else
        rpc_transport_open(&h2->transport);
}

/* --- the request's messages
 * -------------------------------------------------------------- */

static void fail(struct grpc_stream *stream, rpc_code code, const char *message)
{
    stream->is_broken = true;
    rpc_transport_fail(&stream->h2.transport, code, message);
}

static void fail_too_large(struct grpc_stream *stream)
{
    char text[80];
    snprintf(text, sizeof text, "a request message may have at most %zu bytes",
             rpc_transport_message_bytes_max(&stream->h2.transport));
    fail(stream, RPC_RESOURCE_EXHAUSTED, text);
}

/* Bytes that arrived for the message are withheld from the window until the
 * handler takes it, up to a bound. */
static void withhold(struct grpc_stream *stream, size_t bytes)
{
    size_t withheld = stream->withheld_bytes + bytes;
    if (withheld > WITHHELD_BYTES_MAX) {
        h2_consumed(&stream->h2, withheld - WITHHELD_BYTES_MAX);
        withheld = WITHHELD_BYTES_MAX;
    }
    stream->withheld_bytes = (uint32_t)withheld;
}

static void message_free(struct grpc_stream *stream)
{
    rpc_worker_give_memory(worker_of(stream), stream->message_capacity);
    pool_free(h2_pool(&stream->h2), stream->message);
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
    if (!rpc_worker_take_memory(worker_of(stream),
                                capacity - stream->message_capacity))
        return false;
    stream->message =
        pool_realloc(h2_pool(&stream->h2), stream->message, capacity);
    stream->message_capacity = capacity;
    return true;
}

static void hand_over(struct grpc_stream *stream, const uint8_t *bytes,
                      size_t size)
{
    size_t window_bytes = stream->withheld_bytes;
    stream->withheld_bytes = 0;
    rpc_transport_message(&stream->h2.transport, bytes, size, window_bytes);
}

static void inflate(struct grpc_stream *stream, const uint8_t *bytes,
                    size_t size)
{
    struct gzip *gzip = stream->h2.conn->net->gzip;
    const uint8_t *out;
    size_t out_size;
    gzip_result result =
        gzip_inflate(gzip, bytes, size,
                     rpc_transport_message_bytes_max(&stream->h2.transport),
                     &out, &out_size);
    if (result == GZIP_DONE)
        hand_over(stream, out, out_size);
    else if (result == GZIP_TOO_LARGE)
        fail_too_large(stream);
    else if (result == GZIP_BROKEN)
        fail(stream, RPC_INTERNAL, "a message is not valid gzip");
    else
        fail(stream, RPC_RESOURCE_EXHAUSTED, "the server is short of memory");
    gzip_trim(gzip);
}

static void deliver(struct grpc_stream *stream, const uint8_t *bytes,
                    size_t size)
{
    stream->prefix_size = 0;
    guard_message_received(&stream->h2.conn->guard);
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
    else if (stream->prefix[0] == 1 && !stream->in_gzip)
        fail(stream, RPC_INTERNAL,
             "a message is compressed, but there is no grpc-encoding");
    else if (stream->message_size >
             rpc_transport_message_bytes_max(&stream->h2.transport))
        fail_too_large(stream);
    else if (stream->message_size == 0)
        deliver(stream, (const uint8_t *)"", 0);
}

static size_t take_prefix(struct grpc_stream *stream, const uint8_t *bytes,
                          size_t size)
{
    size_t used = PREFIX_BYTES - stream->prefix_size;
    if (used > size)
        used = size;
    memcpy(stream->prefix + stream->prefix_size, bytes, used);
    stream->prefix_size += used;
    withhold(stream, used);
    if (stream->prefix_size == PREFIX_BYTES)
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
        message_free(stream);
    }
    return used;
}

static void data(struct h2_stream *h2, const uint8_t *bytes, size_t size)
{
    struct grpc_stream *stream = of_h2(h2);
    while (size > 0 && !stream->is_broken) {
        size_t used = stream->prefix_size < PREFIX_BYTES
                          ? take_prefix(stream, bytes, size)
                          : take_message(stream, bytes, size);
        bytes += used;
        size -= used;
    }
    h2_consumed(h2, size);
}

static void half_closed(struct h2_stream *h2)
{
    struct grpc_stream *stream = of_h2(h2);
    if (stream->is_broken)
        return;
    if (stream->prefix_size > 0)
        fail(stream, RPC_INTERNAL, "the request ends within a message");
    else
        rpc_transport_half_close(&h2->transport);
}

/* --- the rest of the stream's life
 * --------------------------------------------------------- */

static void drained(struct h2_stream *h2)
{
    struct grpc_stream *stream = of_h2(h2);
    if (stream->trailers == NULL)
        h2_send_trailers(h2, &status_ok, 1);
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
    message_free(stream);
    pool_free(h2_pool(h2), stream->trailers);
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
