/* The fields of the header block that is arriving.  An idle connection has
 * none; a loop keeps one spare. */
#include "rpc/http.h"

#include <assert.h>

/* What is stored never exceeds the limit on what is counted, since counting
 * adds 32 for each field. */
static struct http_fields *fields_create(struct rpc_net_worker *net)
{
    struct http_fields *fields = pool_alloc(net->pool, sizeof *fields);
    fields->bytes_capacity = net->worker->server->options.header_bytes_max;
    fields->bytes = pool_alloc(net->pool, fields->bytes_capacity);
    return fields;
}

/* A block that nghttp2 dropped as malformed leaves its fields behind. */
struct http_fields *http_fields_take(struct conn *conn)
{
    struct rpc_net_worker *net = conn->net;
    struct http_fields *fields = conn->fields;
    if (fields == NULL) {
        fields = net->spare_fields;
        net->spare_fields = NULL;
    }
    if (fields == NULL)
        fields = fields_create(net);
    fields->count = fields->seen = 0;
    fields->list_bytes = fields->bytes_used = 0;
    fields->is_too_large = false;
    return fields;
}

void http_fields_free(struct pool *pool, struct http_fields *fields)
{
    if (fields == NULL)
        return;
    pool_free(pool, fields->bytes);
    pool_free(pool, fields);
}

/* Header blocks are seldom in flight on two connections at once: one spare is
 * enough. */
void http_fields_give(struct conn *conn)
{
    struct rpc_net_worker *net = conn->net;
    if (net->spare_fields == NULL)
        net->spare_fields = conn->fields;
    else
        http_fields_free(net->pool, conn->fields);
    conn->fields = NULL;
}

static char *fields_store(struct http_fields *fields, const uint8_t *text,
                          size_t size)
{
    char *copy = fields->bytes + fields->bytes_used;
    memcpy(copy, text, size);
    copy[size] = '\0';
    fields->bytes_used += size + 1;
    return copy;
}

void http_fields_add(struct http_fields *fields, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size)
{
    assert(fields->count < HTTP_FIELDS_MAX);
    assert(fields->bytes_used + name_size + value_size + 2 <=
           fields->bytes_capacity);
    fields->fields[fields->count++] = (struct http_field){
        .name = fields_store(fields, name, name_size),
        .value = fields_store(fields, value, value_size),
        .name_size = (uint32_t)name_size,
        .value_size = (uint32_t)value_size,
    };
}
