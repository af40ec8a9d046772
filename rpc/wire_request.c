/* The header fields of a call.  Nothing here trusts the client. */
#include "rpc/base64.h"
#include "rpc/metadata.h"
#include "rpc/observe.h"
#include "rpc/wire_stream.h"

#include <string.h>

static const rpc_status fine = {RPC_OK, NULL};

static void add_text(struct wire_stream *stream, const struct http_field *field)
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
static bool may_join(struct wire_stream *stream, const struct http_field *field)
{
    stream->joined_bytes += field->name_size + HTTP_FIELD_OVERHEAD_BYTES;
    return stream->joined_bytes <=
           http_worker(&stream->http)->server->options.header_bytes_max;
}

/* Several values may come as one, joined by commas; each is checked here, so
 * that whoever reads it later cannot fail. */
static rpc_status add_values(struct wire_stream *stream,
                             const struct http_field *field, char *scratch)
{
    const char *value = field->value;
    for (;;) {
        size_t size = strcspn(value, ",");
        size_t count;
        if (!base64_decode(scratch, &count, value, size, BASE64_STANDARD))
            return (rpc_status){stream->format->protocol->malformed,
                                "binary metadata is not base64"};
        rpc_transport_add_metadata(&stream->http.transport, field->name,
                                   field->name_size, value, size);
        if (value[size] == '\0')
            return fine;
        if (!may_join(stream, field))
            return metadata_too_large;
        value += size + 1;
    }
}

static rpc_status add_binary(struct wire_stream *stream,
                             const struct http_field *field)
{
    struct pool *pool = http_pool(&stream->http);
    char *scratch = pool_alloc(pool, field->value_size + 1);
    rpc_status status = add_values(stream, field, scratch);
    pool_free(pool, scratch);
    return status;
}

/* Names that speak of HTTP and not to the application. */
static bool is_of_http(const struct http_field *field)
{
    return field->name[0] == ':' || http_field_is(field, "content-type") ||
           http_field_is(field, "te") ||
           http_field_is(field, "content-length") ||
           http_field_is(field, "host");
}

bool wire_take_origin(struct wire_stream *stream,
                      const struct http_field *field)
{
    if (stream->origin != NULL || !http_field_is(field, "origin"))
        return false;
    stream->origin =
        pool_alloc(http_pool(&stream->http), field->value_size + 1);
    memcpy(stream->origin, field->value, field->value_size + 1);
    return true;
}

static rpc_status read_field(struct wire_stream *stream, struct rpc_head *head,
                             const struct http_field *field)
{
    rpc_status status = fine;
    if (http_field_is(field, ":path")) {
        head->path = arena_strndup(stream->http.transport.call->arena,
                                   field->value, field->value_size);
        head->path_size = field->value_size;
        return fine;
    }
    if (is_of_http(field) ||
        stream->format->protocol->read_field(stream, head, field, &status))
        return status;
    if (metadata_name_is_binary(field->name, field->name_size))
        return add_binary(stream, field);
    add_text(stream, field);
    return fine;
}

rpc_status wire_read_fields(struct wire_stream *stream, struct rpc_head *head,
                            const struct http_fields *fields)
{
    rpc_status first = fine;
    for (size_t i = 0; i < fields->count; i++) {
        rpc_status status = read_field(stream, head, &fields->fields[i]);
        if (first.code == RPC_OK)
            first = status;
    }
    if (!fields->is_too_large)
        return first;
    observe_refusal("header_bytes");
    return metadata_too_large;
}

struct rpc_head *wire_begin(struct wire_stream *stream)
{
    struct http_stream *http = &stream->http;
    stream->format = (const struct wire_format *)http->wire;
    http->transport.ops = stream->format->protocol->ops;
    http->transport.codec = stream->format->codec;
    struct rpc_head *head = http_begin_call(http);
    head->path = "";
    return head;
}

void wire_open(struct wire_stream *stream, rpc_status status)
{
    struct rpc_transport *transport = &stream->http.transport;
    if (status.code != RPC_OK)
        rpc_transport_fail(transport, status.code, status.message);
    else
        rpc_transport_open(transport);
}

void wire_request(struct http_stream *http, const struct http_fields *fields)
{
    struct wire_stream *stream = wire_of(http);
    struct rpc_head *head = wire_begin(stream);
    wire_open(stream, wire_read_fields(stream, head, fields));
}
