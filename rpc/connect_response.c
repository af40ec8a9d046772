#include "rpc/connect_response.h"

#include "rpc/connect_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STREAM_FIELDS = 4 + WIRE_ORIGIN_FIELDS,
    UNARY_FIELDS = 7 + WIRE_ORIGIN_FIELDS,
    RETRY_BYTES = 24,
};

/* Metadata that comes after the body in other protocols. */
static const char trailer_prefix[] = "trailer-";

static const struct http_header status_200 = HTTP_HEADER(":status", "200");
static const struct http_header content_json =
    HTTP_HEADER("content-type", "application/json");
static const struct http_header unary_types[RPC_CODEC_COUNT] = {
    [RPC_CODEC_PROTO] = HTTP_HEADER("content-type", "application/proto"),
    [RPC_CODEC_JSON] = HTTP_HEADER("content-type", "application/json"),
};
static const struct http_header unary_encodings[ENCODING_COUNT] = {
    [ENCODING_GZIP] = HTTP_HEADER("content-encoding", "gzip"),
    [ENCODING_ZSTD] = HTTP_HEADER("content-encoding", "zstd"),
};
static const struct http_header stream_encodings[ENCODING_COUNT] = {
    [ENCODING_GZIP] = HTTP_HEADER("connect-content-encoding", "gzip"),
    [ENCODING_ZSTD] = HTTP_HEADER("connect-content-encoding", "zstd"),
};
static const struct http_header unary_accepts =
    HTTP_HEADER("accept-encoding", ENCODINGS_ACCEPTED);
static const struct http_header stream_accepts =
    HTTP_HEADER("connect-accept-encoding", ENCODINGS_ACCEPTED);

/* For caches between: what an answer to GET depends on besides its URL. */
static const struct http_header get_varies =
    HTTP_HEADER("vary", "accept-encoding, authorization, origin");
static const struct http_header never_kept =
    HTTP_HEADER("cache-control", "private, no-store");
static const struct http_header asked_anew =
    HTTP_HEADER("cache-control", "no-cache");

struct http_block *connect_build_headers(const struct wire_stream *stream,
                                         const struct rpc_field *headers)
{
    size_t count = STREAM_FIELDS;
    size_t bytes = 0;
    http_block_measure(headers, 0, &count, &bytes);
    struct http_block *block =
        http_block_create(http_pool(&stream->http), count, bytes);
    http_block_add(block, status_200);
    http_block_add(block, stream->format->content_type);
    wire_add_origin(block, stream->origin);
    http_block_add(block, stream_accepts);
    if (stream->out_encoding != ENCODING_IDENTITY)
        http_block_add(block, stream_encodings[stream->out_encoding]);
    http_block_add_metadata(block, headers, "");
    return block;
}

static struct http_header status_of(const struct wire_stream *stream,
                                    const struct rpc_answer *answer)
{
    static const char name[] = ":status";
    const char *status = stream->refused_as != NULL
                             ? stream->refused_as
                             : connect_http_status(answer->code);
    return (struct http_header){name, status, sizeof name - 1, strlen(status),
                                HTTP_STATIC};
}

static const struct rpc_field *find(const struct rpc_field *fields,
                                    const char *name)
{
    while (fields != NULL && strcmp(fields->name, name) != 0)
        fields = fields->next;
    return fields;
}

/* A handler that answers the same to everybody may say how long it holds. */
static void add_caching(struct http_block *block,
                        const struct wire_stream *stream,
                        const struct rpc_answer *answer)
{
    if (!stream->is_get)
        return;
    http_block_add(block, get_varies);
    if (find(answer->headers, "cache-control") != NULL)
        return;
    http_block_add(block, stream->has_token || answer->code != RPC_OK
                              ? never_kept
                              : asked_anew);
}

/* What gRPC clients obey, for clients of HTTP: in whole seconds. */
static void add_retry(struct http_block *block, const struct rpc_answer *answer)
{
    const struct rpc_field *pushback =
        find(answer->trailers, "grpc-retry-pushback-ms");
    if (pushback == NULL)
        return;
    long long ms = strtoll(pushback->value, NULL, 10);
    int size = snprintf(block->text, RETRY_BYTES, "%lld", (ms + 999) / 1000);
    http_block_add_text(block, "retry-after", 11, (size_t)size, 0);
}

static void add_content(struct http_block *block,
                        const struct wire_stream *stream,
                        const struct rpc_answer *answer)
{
    if (answer->code != RPC_OK) {
        http_block_add(block, content_json);
        return;
    }
    http_block_add(block, unary_types[stream->http.transport.codec]);
    if (stream->is_packed)
        http_block_add(block, unary_encodings[stream->out_encoding]);
}

struct http_block *connect_build_unary(const struct wire_stream *stream,
                                       const struct rpc_answer *answer)
{
    size_t count = UNARY_FIELDS;
    size_t bytes = RETRY_BYTES;
    http_block_measure(answer->headers, 0, &count, &bytes);
    http_block_measure(answer->trailers, sizeof trailer_prefix - 1, &count,
                       &bytes);
    struct http_block *block =
        http_block_create(http_pool(&stream->http), count, bytes);
    http_block_add(block, status_of(stream, answer));
    add_content(block, stream, answer);
    wire_add_origin(block, stream->origin);
    http_block_add(block, unary_accepts);
    add_caching(block, stream, answer);
    add_retry(block, answer);
    http_block_add_metadata(block, answer->headers, "");
    http_block_add_metadata(block, answer->trailers, trailer_prefix);
    return block;
}
