#include "rpc/http_block.h"

#include "rpc/metadata.h"

#include <assert.h>

static size_t encoded_size(const struct rpc_field *field)
{
    if (metadata_name_is_binary(field->name, field->name_size))
        return METADATA_BASE64_SIZE(field->value_size);
    return field->value_size;
}

void http_block_measure(const struct rpc_field *fields, size_t prefix_size,
                        size_t *count, size_t *bytes)
{
    for (; fields != NULL; fields = fields->next) {
        ++*count;
        *bytes += prefix_size + fields->name_size + encoded_size(fields);
    }
}

struct http_block *http_block_create(struct pool *pool, size_t count,
                                     size_t bytes)
{
    size_t head =
        sizeof(struct http_block) + count * sizeof(struct http_header);
    struct http_block *block = pool_alloc(pool, head + bytes);
    *block =
        (struct http_block){.capacity = count, .text = (char *)block + head};
    return block;
}

void http_block_add(struct http_block *block, struct http_header field)
{
    assert(block->count < block->capacity);
    block->fields[block->count++] = field;
    block->list_bytes +=
        field.name_size + field.value_size + HTTP_FIELD_OVERHEAD_BYTES;
}

void http_block_add_text(struct http_block *block, const char *name,
                         size_t name_size, size_t value_size, uint8_t flags)
{
    http_block_add(block, (struct http_header){
                              .name = name,
                              .value = block->text,
                              .name_size = name_size,
                              .value_size = value_size,
                              .flags = flags,
                          });
    block->text += value_size;
}

/* What no proxy on the way may keep in its compression table, because it is
 * secret; and what no table should: a value that does not come again pushes out
 * those that do, and nghttp2 compares a new value with all the old ones of its
 * name, some sixty. */
static bool is_kept_out(const char *name, size_t size)
{
    static const char *const names[] = {
        "authorization",          "cookie",          "set-cookie",
        "proxy-authorization",    "x-request-id",    "x-ratelimit-remaining",
        "grpc-retry-pushback-ms", "prbal-read-after"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
            return true;
    return size > 6 && memcmp(name + size - 6, "-token", 6) == 0;
}

static void add_field(struct http_block *block, const struct rpc_field *field,
                      const char *prefix, size_t prefix_size)
{
    char *name = memcpy(block->text, prefix, prefix_size);
    memcpy(name + prefix_size, field->name, field->name_size);
    block->text += prefix_size + field->name_size;
    if (metadata_name_is_binary(field->name, field->name_size))
        metadata_encode_base64(block->text, field->value, field->value_size);
    else
        memcpy(block->text, field->value, field->value_size);
    http_block_add_text(
        block, name, prefix_size + field->name_size, encoded_size(field),
        is_kept_out(field->name, field->name_size) ? HTTP_UNINDEXED : 0);
}

void http_block_add_metadata(struct http_block *block,
                             const struct rpc_field *fields, const char *prefix)
{
    size_t prefix_size = strlen(prefix);
    for (; fields != NULL; fields = fields->next)
        add_field(block, fields, prefix, prefix_size);
}
