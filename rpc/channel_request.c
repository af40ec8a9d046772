/* What a call sends: its header block, once for all attempts, and its
 * messages, kept until no other attempt can need them. */
#include "rpc/channel_state.h"

#include "rpc/codec.h"
#include "rpc/metadata.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    FIXED_FIELDS_MAX = 9,
    /* A streaming call that has sent more is not sent again. */
    REPLAY_BYTES_MAX = 256 * 1024,
};

/* --- the header block --- */

static void add_literal(struct http_block *block, const char *name,
                        const char *value)
{
    http_block_add(block, (struct http_header){
                              .name = name,
                              .value = value,
                              .name_size = strlen(name),
                              .value_size = strlen(value),
                          });
}

static bool is_given(const struct rpc_channel_metadata *metadata,
                     const char *name)
{
    for (; metadata != NULL && metadata->name != NULL; metadata++)
        if (strcmp(metadata->name, name) == 0)
            return true;
    return false;
}

/* What a handler was told of its own call it tells those it calls: one id and
 * one trace for a request, whoever works on it. */
static void add_inherited(struct field_list *list, const struct rpc_call *call,
                          const struct rpc_channel_metadata *given)
{
    char parent[TRACE_PARENT_SIZE + 1];
    if (!is_given(given, "x-request-id"))
        field_list_add(list, call->arena, "x-request-id", call->request_id,
                       strlen(call->request_id));
    if (is_given(given, "traceparent"))
        return;
    trace_write(&call->trace, parent);
    field_list_add(list, call->arena, "traceparent", parent, TRACE_PARENT_SIZE);
    size_t size;
    const char *state = rpc_metadata(call, "tracestate", &size);
    if (state != NULL && call->trace.parent != 0)
        field_list_add(list, call->arena, "tracestate", state, size);
}

/* What answers have told of it so far. */
static void add_echo(struct field_list *list,
                     const struct rpc_channel_stream *stream,
                     const struct rpc_channel_metadata *given)
{
    const struct rpc_channel *channel = stream->channel;
    const char *name = channel->options.echoes;
    if (name != NULL && *channel->echo != '\0' && !is_given(given, name))
        field_list_add(list, stream->call->arena, name, channel->echo,
                       strlen(channel->echo));
}

static void add_given(struct field_list *list, struct arena *arena,
                      const struct rpc_channel_metadata *m)
{
    for (; m != NULL && m->name != NULL; m++) {
        assert(metadata_name_is_free(m->name, strlen(m->name)));
        field_list_add(list, arena, m->name, m->value,
                       m->size != 0 ? m->size : strlen(m->value));
    }
}

void channel_request_build(struct rpc_channel_stream *stream,
                           const struct rpc_channel_metadata *metadata)
{
    const struct rpc_channel *channel = stream->channel;
    struct field_list list;
    field_list_init(&list);
    add_inherited(&list, stream->call, metadata);
    add_echo(&list, stream, metadata);
    add_given(&list, stream->call->arena, metadata);

    size_t count = FIXED_FIELDS_MAX;
    size_t bytes = 0;
    http_block_measure(list.first, 0, &count, &bytes);
    struct http_block *block =
        http_block_create(channel->shared->pool, count, bytes);
    add_literal(block, ":method", "POST");
    add_literal(block, ":scheme", channel->identity != NULL ? "https" : "http");
    add_literal(block, ":path", stream->method->path);
    add_literal(block, ":authority", channel->options.authority);
    add_literal(block, "te", "trailers");
    add_literal(block, "content-type", "application/grpc");
    add_literal(block, "user-agent", channel->options.user_agent);
    add_literal(block, "grpc-accept-encoding", ENCODINGS_ACCEPTED);
    if (stream->encoding != ENCODING_IDENTITY)
        add_literal(block, "grpc-encoding", encoding_name(stream->encoding));
    http_block_add_metadata(block, list.first, "");
    stream->fields = block;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
    };
}

size_t channel_request_attempt(
    const struct rpc_channel_stream *stream, nghttp2_nv *fields,
    char texts[CHANNEL_ATTEMPT_FIELDS][CHANNEL_ATTEMPT_TEXT_BYTES])
{
    size_t count = 0;
    if (stream->deadline_us != 0) {
        int64_t left_us =
            stream->deadline_us - loop_now_us(stream->channel->loop);
        metadata_encode_timeout(texts[count], left_us > 0 ? left_us : 1);
        fields[count] = field("grpc-timeout", texts[count]);
        count++;
    }
    /* Those that the server may have seen (gRFC A6). */
    uint32_t previous = stream->attempts - stream->resends;
    if (previous > 0) {
        snprintf(texts[count], CHANNEL_ATTEMPT_TEXT_BYTES, "%u", previous);
        fields[count] = field("grpc-previous-rpc-attempts", texts[count]);
        count++;
    }
    return count;
}

/* --- messages --- */

static struct pool *pool_of(const struct rpc_channel_stream *stream)
{
    return stream->channel->shared->pool;
}

static void forget_sent(struct channel_body *body)
{
    if (body->start == 0)
        return;
    memmove(body->bytes, body->bytes + body->start, body->end - body->start);
    body->end -= body->start;
    body->start = 0;
}

static uint8_t *reserve(struct rpc_channel_stream *stream, size_t size)
{
    struct channel_body *body = &stream->body;
    if (!stream->is_replayable && body->end + size > body->capacity)
        forget_sent(body);
    if (body->end + size > body->capacity) {
        size_t doubled = body->capacity * 2;
        body->capacity =
            doubled > body->end + size ? doubled : body->end + size;
        body->bytes =
            pool_realloc(pool_of(stream), body->bytes, body->capacity);
    }
    return body->bytes + body->end;
}

/* In place, when that helps and no careful server takes it for a bomb, as ours
 * does; returns the size that is left. */
static size_t compress(struct rpc_channel_stream *stream, uint8_t *message,
                       size_t size)
{
    struct compress *compress = stream->channel->shared->compress;
    const uint8_t *packed;
    size_t packed_size;
    if (stream->encoding == ENCODING_IDENTITY || !stream->may_compress ||
        size < COMPRESS_BYTES_MIN ||
        compress_deflate(compress, stream->encoding, message, size, &packed,
                         &packed_size) != COMPRESS_DONE ||
        compress_is_bomb(packed_size, size))
        return size;
    memcpy(message, packed, packed_size);
    compress_trim(compress);
    return packed_size;
}

/* The message stands behind the room for its prefix. */
static void commit(struct rpc_channel_stream *stream, uint8_t *prefix,
                   size_t size)
{
    size_t sent = compress(stream, prefix + ENVELOPE_PREFIX_BYTES, size);
    envelope_write_prefix(prefix, sent < size ? ENVELOPE_COMPRESSED : 0, sent);
    stream->body.end += sent + ENVELOPE_PREFIX_BYTES;
    bool is_single = stream->method->kind == RPC_UNARY ||
                     stream->method->kind == RPC_SERVER_STREAM;
    if (!is_single && stream->body.end > REPLAY_BYTES_MAX)
        channel_request_commit(stream);
    channel_h2_resume(stream);
}

void channel_request_message(struct rpc_channel_stream *stream,
                             const ProtobufCMessage *message)
{
    size_t size = codec_size(message);
    uint8_t *prefix = reserve(stream, size + ENVELOPE_PREFIX_BYTES);
    codec_write(message, prefix + ENVELOPE_PREFIX_BYTES, size);
    commit(stream, prefix, size);
}

void channel_request_bytes(struct rpc_channel_stream *stream, const void *bytes,
                           size_t size)
{
    uint8_t *prefix = reserve(stream, size + ENVELOPE_PREFIX_BYTES);
    if (size > 0)
        memcpy(prefix + ENVELOPE_PREFIX_BYTES, bytes, size);
    commit(stream, prefix, size);
}

size_t channel_request_queued(const struct rpc_channel_stream *stream)
{
    return stream->body.end - stream->body.start;
}

size_t channel_request_read(struct rpc_channel_stream *stream, uint8_t *bytes,
                            size_t size)
{
    struct channel_body *body = &stream->body;
    size_t count = channel_request_queued(stream);
    if (count > size)
        count = size;
    if (count > 0)
        memcpy(bytes, body->bytes + body->start, count);
    body->start += count;
    if (!stream->is_replayable && body->start == body->end) {
        pool_free(pool_of(stream), body->bytes);
        *body = (struct channel_body){0};
    }
    rpc_wake(stream->call);
    return count;
}

void channel_request_commit(struct rpc_channel_stream *stream)
{
    stream->is_replayable = false;
    if (channel_request_queued(stream) > 0)
        return;
    pool_free(pool_of(stream), stream->body.bytes);
    stream->body = (struct channel_body){0};
}
