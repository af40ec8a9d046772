/* The messages of a call that come in.  Nothing here trusts the client. */
#include "rpc/observe.h"
#include "rpc/wire_stream.h"

#include <stdio.h>
#include <string.h>

enum {
    /* What a message may hold back of the stream's 64 KiB window until a
     * handler takes it.  With half of it, a longer message could never arrive;
     * less than half, because a group of base64 may wait too. */
    WITHHELD_BYTES_MAX = 31 * 1024,
    /* Characters of base64 that are decoded at once. */
    TEXT_STEP_BYTES = 2048,
};

static void fail(struct wire_stream *stream, rpc_code code, const char *message)
{
    stream->is_broken = true;
    rpc_transport_fail(&stream->http.transport, code, message);
}

static void fail_malformed(struct wire_stream *stream, const char *message)
{
    fail(stream, stream->format->protocol->malformed, message);
}

static size_t message_bytes_max(const struct wire_stream *stream)
{
    return rpc_transport_message_bytes_max(&stream->http.transport);
}

static void fail_too_large(struct wire_stream *stream)
{
    char text[80];
    observe_refusal("message_size");
    snprintf(text, sizeof text, "a request message may have at most %zu bytes",
             message_bytes_max(stream));
    fail(stream, RPC_RESOURCE_EXHAUSTED, text);
}

static void fail_bomb(struct wire_stream *stream)
{
    char text[120];
    observe_refusal("message_ratio");
    snprintf(text, sizeof text,
             "a compressed message of more than %d bytes may become at most %d "
             "times as large as it came",
             COMPRESS_RATIO_FREE_BYTES, COMPRESS_RATIO_MAX);
    fail(stream, RPC_RESOURCE_EXHAUSTED, text);
}

static void fail_memory(struct wire_stream *stream)
{
    observe_refusal("memory");
    stream->is_broken = true;
    rpc_transport_starve(&stream->http.transport);
}

static void fail_encoding(struct wire_stream *stream, rpc_code code,
                          const char *format)
{
    char text[80];
    snprintf(text, sizeof text, "a message is %s %s", format,
             stream->format->protocol->encoding);
    fail(stream, code, text);
}

/* Bytes that arrived for the message are withheld from the window until the
 * handler takes it, up to a bound. */
static void withhold(struct wire_stream *stream, size_t bytes)
{
    size_t withheld = stream->withheld_bytes + bytes;
    if (withheld > WITHHELD_BYTES_MAX) {
        http_consumed(&stream->http, withheld - WITHHELD_BYTES_MAX);
        withheld = WITHHELD_BYTES_MAX;
    }
    stream->withheld_bytes = (uint32_t)withheld;
}

void wire_drop_message(struct wire_stream *stream)
{
    rpc_worker_give_memory(http_worker(&stream->http), stream->http.conn->share,
                           stream->message_capacity);
    pool_free(http_pool(&stream->http), stream->message);
    stream->message = NULL;
    stream->message_capacity = stream->message_have = 0;
}

static bool message_grow(struct wire_stream *stream, uint32_t needed)
{
    uint32_t capacity = envelope_grown_room(stream->message_capacity, needed,
                                            stream->message_size);
    if (capacity == stream->message_capacity)
        return true;
    if (!rpc_worker_take_memory(http_worker(&stream->http),
                                stream->http.conn->share,
                                capacity - stream->message_capacity))
        return false;
    stream->message =
        pool_realloc(http_pool(&stream->http), stream->message, capacity);
    stream->message_capacity = capacity;
    return true;
}

/* False when the call has failed for it. */
static bool message_append(struct wire_stream *stream, const uint8_t *bytes,
                           size_t size)
{
    if (!message_grow(stream, stream->message_have + (uint32_t)size)) {
        fail_memory(stream);
        return false;
    }
    memcpy(stream->message + stream->message_have, bytes, size);
    stream->message_have += (uint32_t)size;
    return true;
}

static void hand_over(struct wire_stream *stream, const uint8_t *bytes,
                      size_t size)
{
    size_t window_bytes = stream->withheld_bytes;
    stream->withheld_bytes = 0;
    rpc_transport_message(&stream->http.transport, bytes, size, window_bytes);
}

static void inflate(struct wire_stream *stream, const uint8_t *bytes,
                    size_t size)
{
    struct compress *compress = stream->http.conn->net->compress;
    const uint8_t *out;
    size_t out_size;
    compress_result result =
        compress_inflate(compress, stream->in_encoding, bytes, size,
                         message_bytes_max(stream), &out, &out_size);
    switch (result) {
    case COMPRESS_DONE:
        hand_over(stream, out, out_size);
        break;
    case COMPRESS_TOO_LARGE:
        fail_too_large(stream);
        break;
    case COMPRESS_BOMB:
        fail_bomb(stream);
        break;
    case COMPRESS_BROKEN:
        fail_encoding(stream, stream->format->protocol->malformed,
                      "not compressed as it says in");
        break;
    case COMPRESS_NO_MEMORY:
        fail_memory(stream);
        break;
    }
    compress_trim(compress);
}

void wire_deliver(struct wire_stream *stream, const uint8_t *bytes, size_t size,
                  bool is_compressed)
{
    http_message_received(&stream->http, size);
    stream->http.transport.was_compressed = is_compressed;
    if (is_compressed)
        inflate(stream, bytes, size);
    else
        hand_over(stream, bytes, size);
}

/* --- envelopes --- */

static void deliver_envelope(struct wire_stream *stream, const uint8_t *bytes,
                             size_t size)
{
    stream->prefix_size = 0;
    wire_deliver(stream, bytes, size, stream->prefix[0] == ENVELOPE_COMPRESSED);
}

/* Nothing is allocated for a message before its prefix was believed. */
static void begin_message(struct wire_stream *stream)
{
    stream->message_size = envelope_size(stream->prefix);
    if (stream->prefix[0] != 0)
        stream->speaks_encodings = true;
    if (stream->prefix[0] > ENVELOPE_COMPRESSED)
        fail(stream, RPC_INTERNAL, "a message's flag is neither 0 nor 1");
    else if (stream->prefix[0] == ENVELOPE_COMPRESSED &&
             stream->in_encoding == ENCODING_IDENTITY)
        fail_encoding(stream, RPC_INTERNAL, "compressed, but there is no");
    else if (stream->message_size > message_bytes_max(stream))
        fail_too_large(stream);
    else if (stream->message_size == 0)
        deliver_envelope(stream, (const uint8_t *)"", 0);
}

static size_t take_prefix(struct wire_stream *stream, const uint8_t *bytes,
                          size_t size)
{
    size_t used = ENVELOPE_PREFIX_BYTES - stream->prefix_size;
    if (stream->prefix_size == 0)
        http_message_begins(&stream->http);
    if (used > size)
        used = size;
    memcpy(stream->prefix + stream->prefix_size, bytes, used);
    stream->prefix_size += used;
    withhold(stream, used);
    if (stream->prefix_size == ENVELOPE_PREFIX_BYTES)
        begin_message(stream);
    return used;
}

/* A message that came in one piece is read where it lies. */
static size_t take_message(struct wire_stream *stream, const uint8_t *bytes,
                           size_t size)
{
    size_t used = stream->message_size - stream->message_have;
    if (used > size)
        used = size;
    withhold(stream, used);
    if (used == stream->message_size) {
        deliver_envelope(stream, bytes, used);
        return used;
    }
    if (message_append(stream, bytes, used) &&
        stream->message_have == stream->message_size) {
        deliver_envelope(stream, stream->message, stream->message_size);
        wire_drop_message(stream);
    }
    return used;
}

static void receive(struct wire_stream *stream, const uint8_t *bytes,
                    size_t size)
{
    while (size > 0 && !stream->is_broken) {
        size_t used = stream->prefix_size < ENVELOPE_PREFIX_BYTES
                          ? take_prefix(stream, bytes, size)
                          : take_message(stream, bytes, size);
        bytes += used;
        size -= used;
    }
    http_consumed(&stream->http, size);
}

void wire_data(struct http_stream *http, const uint8_t *bytes, size_t size)
{
    receive(wire_of(http), bytes, size);
}

void wire_half_closed(struct http_stream *http)
{
    struct wire_stream *stream = wire_of(http);
    if (stream->is_broken)
        return;
    if (stream->prefix_size > 0)
        fail_malformed(stream, "the request ends within a message");
    else
        rpc_transport_half_close(&http->transport);
}

/* --- envelopes in base64 --- */

/* Only what the text says counts as the message's: the rest of its characters
 * are given back at once, but for those of a group that is not complete. */
static size_t take_text(struct wire_stream *stream, const uint8_t *text,
                        size_t size)
{
    uint8_t bytes[BASE64_READ_MAX(TEXT_STEP_BYTES)];
    size_t pending = stream->base64.size;
    size_t count;
    if (size > TEXT_STEP_BYTES)
        size = TEXT_STEP_BYTES;
    if (!base64_read(&stream->base64, text, size, bytes, &count)) {
        http_consumed(&stream->http, size);
        fail_malformed(stream, "the request's body is not base64");
        return size;
    }
    http_consumed(&stream->http, pending + size - count - stream->base64.size);
    receive(stream, bytes, count);
    return size;
}

void wire_text_data(struct http_stream *http, const uint8_t *bytes, size_t size)
{
    struct wire_stream *stream = wire_of(http);
    while (size > 0 && !stream->is_broken) {
        size_t used = take_text(stream, bytes, size);
        bytes += used;
        size -= used;
    }
    http_consumed(http, size);
}

void wire_text_half_closed(struct http_stream *http)
{
    struct wire_stream *stream = wire_of(http);
    if (stream->is_broken || stream->base64.size == 0)
        wire_half_closed(http);
    else
        fail_malformed(stream, "the request's base64 ends within a group");
}

/* --- the body as the message --- */

void wire_bare_append(struct wire_stream *stream, const void *bytes,
                      size_t size)
{
    stream->message_size = (uint32_t)message_bytes_max(stream);
    if (size > stream->message_size - stream->message_have)
        fail_too_large(stream);
    else if (size > 0)
        message_append(stream, bytes, size);
}

void wire_bare_data(struct http_stream *http, const uint8_t *bytes, size_t size)
{
    struct wire_stream *stream = wire_of(http);
    if (stream->is_broken) {
        http_consumed(http, size);
        return;
    }
    if (stream->message_have == 0)
        http_message_begins(http);
    withhold(stream, size);
    wire_bare_append(stream, bytes, size);
}

/* An empty body is an empty message, whatever it says of its encoding. */
void wire_bare_half_closed(struct http_stream *http)
{
    struct wire_stream *stream = wire_of(http);
    if (stream->is_broken)
        return;
    size_t size = stream->message_have;
    wire_deliver(stream, size == 0 ? (const uint8_t *)"" : stream->message,
                 size, size > 0 && stream->in_encoding != ENCODING_IDENTITY);
    wire_drop_message(stream);
    if (!stream->is_broken)
        rpc_transport_half_close(&http->transport);
}
