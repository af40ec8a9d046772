/* What gRPC answers, as HTTP/2 header blocks. */
#include "rpc/grpc_stream.h"
#include "rpc/metadata.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What clients accept as trailers when they do not say: gRPC's own default
 * limit for metadata. */
enum { TRAILER_BYTES_MAX = 8192 };

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
static const nghttp2_nv content_web =
    FIELD("content-type", "application/grpc-web");
static const nghttp2_nv content_web_proto =
    FIELD("content-type", "application/grpc-web+proto");
/* For a page, response headers are secret unless they are named.  "*" is all;
 * older browsers need the names. */
static const nghttp2_nv exposes_all =
    FIELD("access-control-expose-headers",
          "*, grpc-status, grpc-message, grpc-status-details-bin");
static const nghttp2_nv varies_by_origin = FIELD("vary", "origin");
static const nghttp2_nv encoding_gzip = FIELD("grpc-encoding", "gzip");
static const nghttp2_nv accepts_gzip =
    FIELD("grpc-accept-encoding", "identity,gzip");
const nghttp2_nv grpc_status_ok = FIELD("grpc-status", "0");

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

static struct grpc_block *block_create(struct pool *pool, size_t count,
                                       size_t bytes)
{
    size_t head = sizeof(struct grpc_block) + count * sizeof(nghttp2_nv);
    struct grpc_block *block = pool_alloc(pool, head + bytes);
    *block =
        (struct grpc_block){.capacity = count, .text = (char *)block + head};
    return block;
}

static void block_add(struct grpc_block *block, nghttp2_nv field)
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
static void block_add_text(struct grpc_block *block, const char *name,
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

static void block_add_field(struct grpc_block *block,
                            const struct rpc_field *field)
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

static void block_add_all(struct grpc_block *block,
                          const struct rpc_field *field)
{
    for (; field != NULL; field = field->next)
        block_add_field(block, field);
}

static nghttp2_nv content_type_of(const struct grpc_stream *stream)
{
    if (stream->is_web)
        return stream->says_proto ? content_web_proto : content_web;
    return stream->says_proto ? content_grpc_proto : content_grpc;
}

static void block_add_origin(struct grpc_block *block, const char *origin)
{
    static const char name[] = "access-control-allow-origin";
    block_add(block, (nghttp2_nv){
                         .name = (uint8_t *)(uintptr_t)name,
                         .value = (uint8_t *)(uintptr_t)origin,
                         .namelen = sizeof name - 1,
                         .valuelen = strlen(origin),
                     });
    block_add(block, exposes_all);
    block_add(block, varies_by_origin);
}

static void block_add_opening(struct grpc_block *block,
                              const struct grpc_stream *stream)
{
    block_add(block, status_200);
    block_add(block, content_type_of(stream));
    if (stream->origin != NULL)
        block_add_origin(block, stream->origin);
    if (stream->tells_accepts)
        block_add(block, accepts_gzip);
}

/* The texts of one status line; a message may triple in size. */
enum {
    STATUS_FIELDS = 3,
    OPENING_FIELDS = 7,
    CODE_BYTES_MAX = 10,
};

static void block_add_status(struct grpc_block *block,
                             const struct rpc_answer *answer)
{
    if (answer->code == RPC_OK) {
        block_add(block, grpc_status_ok);
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
static void block_add_details(struct grpc_block *block,
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

struct grpc_block *grpc_build_trailers(const struct grpc_stream *stream,
                                       const struct rpc_answer *answer)
{
    size_t count = STATUS_FIELDS;
    size_t bytes = status_bytes(answer);
    count_fields(answer->trailers, &count, &bytes);
    struct grpc_block *block = block_create(h2_pool(&stream->h2), count, bytes);
    block_add_status(block, answer);
    block_add_all(block, answer->trailers);
    block_add_details(block, stream, answer);
    return block;
}

struct grpc_block *grpc_build_trailers_only(const struct grpc_stream *stream,
                                            const struct rpc_answer *answer)
{
    size_t count = OPENING_FIELDS + STATUS_FIELDS;
    size_t bytes = status_bytes(answer);
    count_fields(answer->headers, &count, &bytes);
    count_fields(answer->trailers, &count, &bytes);
    struct grpc_block *block = block_create(h2_pool(&stream->h2), count, bytes);
    block_add_opening(block, stream);
    block_add_status(block, answer);
    block_add_all(block, answer->headers);
    block_add_all(block, answer->trailers);
    block_add_details(block, stream, answer);
    return block;
}

struct grpc_block *grpc_build_headers(const struct grpc_stream *stream,
                                      const struct rpc_field *headers)
{
    size_t count = OPENING_FIELDS;
    size_t bytes = 0;
    count_fields(headers, &count, &bytes);
    struct grpc_block *block = block_create(h2_pool(&stream->h2), count, bytes);
    block_add_opening(block, stream);
    if (stream->out_gzip)
        block_add(block, encoding_gzip);
    block_add_all(block, headers);
    return block;
}

static char *append(char *at, const void *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

/* "name: value" lines in a frame with flag 0x80: browsers show no trailers to
 * the page. */
void grpc_append_trailers(struct grpc_stream *stream,
                          const struct grpc_block *trailers)
{
    size_t size = 0;
    for (size_t i = 0; i < trailers->count; i++)
        size += trailers->fields[i].namelen + trailers->fields[i].valuelen + 4;
    char *at = (char *)h2_reserve(&stream->h2, GRPC_PREFIX_BYTES + size);
    const uint8_t prefix[GRPC_PREFIX_BYTES] = {
        0x80, (uint8_t)(size >> 24), (uint8_t)(size >> 16),
        (uint8_t)(size >> 8), (uint8_t)size};
    at = append(at, prefix, sizeof prefix);
    for (size_t i = 0; i < trailers->count; i++) {
        const nghttp2_nv *field = &trailers->fields[i];
        at = append(at, field->name, field->namelen);
        at = append(at, ": ", 2);
        at = append(at, field->value, field->valuelen);
        at = append(at, "\r\n", 2);
    }
    h2_commit(&stream->h2, GRPC_PREFIX_BYTES + size);
}
