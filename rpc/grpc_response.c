/* What gRPC answers, as header fields. */
#include "rpc/grpc_response.h"
#include "rpc/metadata.h"

#include <stdio.h>
#include <string.h>

/* What clients accept as trailers when they do not say: gRPC's own default
 * limit for metadata. */
enum { TRAILER_BYTES_MAX = 8192 };

static const struct http_header status_200 = HTTP_HEADER(":status", "200");
static const struct http_header encodings[ENCODING_COUNT] = {
    [ENCODING_GZIP] = HTTP_HEADER("grpc-encoding", "gzip"),
    [ENCODING_ZSTD] = HTTP_HEADER("grpc-encoding", "zstd"),
};
static const struct http_header accepted =
    HTTP_HEADER("grpc-accept-encoding", ENCODINGS_ACCEPTED);
const struct http_header grpc_status_ok = HTTP_HEADER("grpc-status", "0");

/* Who never speaks of encodings has no use for the list of ours. */
static void block_add_opening(struct http_block *block,
                              const struct wire_stream *stream)
{
    http_block_add(block, status_200);
    http_block_add(block, stream->format->content_type);
    wire_add_origin(block, stream->origin);
    if (stream->speaks_encodings)
        http_block_add(block, accepted);
}

/* The texts of one status line; a message may triple in size. */
enum {
    STATUS_FIELDS = 3,
    OPENING_FIELDS = 4 + WIRE_ORIGIN_FIELDS,
    CODE_BYTES_MAX = 10,
};

static void block_add_status(struct http_block *block,
                             const struct rpc_answer *answer)
{
    if (answer->code == RPC_OK) {
        http_block_add(block, grpc_status_ok);
        return;
    }
    int size = sprintf(block->text, "%u", (unsigned)answer->code);
    http_block_add_text(block, "grpc-status", 11, (size_t)size, 0);
    if (answer->message == NULL || *answer->message == '\0')
        return;
    size_t message_size = metadata_encode_message(block->text, answer->message);
    http_block_add_text(block, "grpc-message", 12, message_size,
                        HTTP_UNINDEXED);
}

/* A client whose limit is exceeded sees a broken transport and not even the
 * code: the details go first. */
static void block_add_details(struct http_block *block,
                              const struct wire_stream *stream,
                              const struct rpc_answer *answer)
{
    static const char name[] = "grpc-status-details-bin";
    if (answer->details_size == 0)
        return;
    size_t value_size = METADATA_BASE64_SIZE(answer->details_size);
    size_t limit = http_header_bytes_max(&stream->http);
    if (limit > TRAILER_BYTES_MAX)
        limit = TRAILER_BYTES_MAX;
    if (block->list_bytes + sizeof name - 1 + value_size +
            HTTP_FIELD_OVERHEAD_BYTES >
        limit)
        return;
    metadata_encode_base64(block->text, answer->details, answer->details_size);
    http_block_add_text(block, name, sizeof name - 1, value_size,
                        HTTP_UNINDEXED);
}

static size_t status_bytes(const struct rpc_answer *answer)
{
    size_t bytes = CODE_BYTES_MAX;
    if (answer->message != NULL)
        bytes += METADATA_MESSAGE_ENCODED_MAX;
    return bytes + METADATA_BASE64_SIZE(answer->details_size);
}

struct http_block *grpc_build_trailers(const struct wire_stream *stream,
                                       const struct rpc_answer *answer)
{
    size_t count = STATUS_FIELDS;
    size_t bytes = status_bytes(answer);
    http_block_measure(answer->trailers, 0, &count, &bytes);
    struct http_block *block =
        http_block_create(http_pool(&stream->http), count, bytes);
    block_add_status(block, answer);
    http_block_add_metadata(block, answer->trailers, "");
    block_add_details(block, stream, answer);
    return block;
}

struct http_block *grpc_build_trailers_only(const struct wire_stream *stream,
                                            const struct rpc_answer *answer)
{
    size_t count = OPENING_FIELDS + STATUS_FIELDS;
    size_t bytes = status_bytes(answer);
    http_block_measure(answer->headers, 0, &count, &bytes);
    http_block_measure(answer->trailers, 0, &count, &bytes);
    struct http_block *block =
        http_block_create(http_pool(&stream->http), count, bytes);
    block_add_opening(block, stream);
    block_add_status(block, answer);
    http_block_add_metadata(block, answer->headers, "");
    http_block_add_metadata(block, answer->trailers, "");
    block_add_details(block, stream, answer);
    return block;
}

struct http_block *grpc_build_headers(const struct wire_stream *stream,
                                      const struct rpc_field *headers)
{
    size_t count = OPENING_FIELDS;
    size_t bytes = 0;
    http_block_measure(headers, 0, &count, &bytes);
    struct http_block *block =
        http_block_create(http_pool(&stream->http), count, bytes);
    block_add_opening(block, stream);
    if (stream->out_encoding != ENCODING_IDENTITY)
        http_block_add(block, encodings[stream->out_encoding]);
    http_block_add_metadata(block, headers, "");
    return block;
}

static char *append(char *at, const void *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

/* "name: value" lines in a frame of their own: browsers show no trailers to the
 * page. */
void grpc_append_trailers(struct wire_stream *stream,
                          const struct http_block *trailers)
{
    size_t size = 0;
    for (size_t i = 0; i < trailers->count; i++)
        size +=
            trailers->fields[i].name_size + trailers->fields[i].value_size + 4;
    char *at = (char *)wire_envelope_begin(stream, size);
    for (size_t i = 0; i < trailers->count; i++) {
        const struct http_header *field = &trailers->fields[i];
        at = append(at, field->name, field->name_size);
        at = append(at, ": ", 2);
        at = append(at, field->value, field->value_size);
        at = append(at, "\r\n", 2);
    }
    wire_envelope_end(stream, GRPC_WEB_TRAILERS, size);
}
