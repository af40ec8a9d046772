/* Which content type is served, and by which wire. */
#include "rpc/wire_stream.h"

#include "rpc/cors.h"
#include "rpc/methods.h"
#include "rpc/plain.h"

#include <strings.h>

#define HTTP_WIRE(...)                                          \
    {                                                           \
        .writable = wire_writable, .closed = wire_closed,       \
        .running_call = wire_running_call,                      \
        .stream_bytes = sizeof(struct wire_stream), __VA_ARGS__ \
    }
#define GRPC                                              \
    HTTP_WIRE(.request = wire_request, .data = wire_data, \
              .half_closed = wire_half_closed, .drained = grpc_drained)
#define WEB                                               \
    HTTP_WIRE(.request = wire_request, .data = wire_data, \
              .half_closed = wire_half_closed, .reads_late = true)
#define WEB_TEXT                                               \
    HTTP_WIRE(.request = wire_request, .data = wire_text_data, \
              .half_closed = wire_text_half_closed, .reads_late = true)
#define CONNECT                                                   \
    HTTP_WIRE(.request = connect_request, .data = wire_bare_data, \
              .half_closed = wire_bare_half_closed, .reads_late = true)
#define CONNECT_GET                                                     \
    HTTP_WIRE(.request = connect_get_request, .data = connect_get_data, \
              .half_closed = wire_bare_half_closed, .reads_late = true)
#define CONNECT_STREAM                                       \
    HTTP_WIRE(.request = connect_request, .data = wire_data, \
              .half_closed = wire_half_closed, .reads_late = true)

#define TYPE(text) HTTP_HEADER("content-type", text)

/* The most frequent first. */
static const struct wire_format formats[] = {
    {GRPC, &grpc_protocol, TYPE("application/grpc"), .needs_trailers = true},
    {GRPC, &grpc_protocol, TYPE("application/grpc+proto"),
     .needs_trailers = true},
    {CONNECT, &connect_unary_protocol, TYPE("application/json"), RPC_CODEC_JSON,
     .is_for_unary = true},
    {CONNECT, &connect_unary_protocol, TYPE("application/proto"),
     .is_for_unary = true},
    {CONNECT_STREAM, &connect_stream_protocol, TYPE("application/connect+json"),
     RPC_CODEC_JSON, .is_for_streams = true},
    {CONNECT_STREAM, &connect_stream_protocol,
     TYPE("application/connect+proto"), .is_for_streams = true},
    {WEB, &grpc_web_protocol, TYPE("application/grpc-web+proto")},
    {WEB, &grpc_web_protocol, TYPE("application/grpc-web")},
    {WEB, &grpc_web_protocol, TYPE("application/grpc-web+json"),
     RPC_CODEC_JSON},
    {WEB_TEXT, &grpc_web_protocol, TYPE("application/grpc-web-text"),
     .is_text = true},
    {WEB_TEXT, &grpc_web_protocol, TYPE("application/grpc-web-text+proto"),
     .is_text = true},
    {WEB_TEXT, &grpc_web_protocol, TYPE("application/grpc-web-text+json"),
     RPC_CODEC_JSON, .is_text = true},
    {GRPC, &grpc_protocol, TYPE("application/grpc+json"), RPC_CODEC_JSON,
     .needs_trailers = true},
};

/* The query says which codec. */
static const struct wire_format get_format = {
    CONNECT_GET, &connect_unary_protocol, TYPE("application/proto")};

/* Media types do not care for case (RFC 9110 8.3.1). */
static const struct wire_format *find_format(const char *content_type)
{
    size_t size = strcspn(content_type, "; \t");
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        const struct http_header *type = &formats[i].content_type;
        if (type->value_size == size &&
            strncasecmp(type->value, content_type, size) == 0)
            return &formats[i];
    }
    return NULL;
}

static bool is_utf8(const char *charset)
{
    static const char *const spellings[] = {"utf-8", "\"utf-8\"", "utf8"};
    size_t size = strcspn(charset, "; \t");
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        if (strlen(spellings[i]) == size &&
            strncasecmp(spellings[i], charset, size) == 0)
            return true;
    return false;
}

/* Of text in another charset every second word would be read wrong. */
static bool has_foreign_charset(const char *content_type)
{
    static const char charset[] = "charset=";
    const char *at = content_type;
    while ((at = strchr(at, ';')) != NULL) {
        at += 1 + strspn(at + 1, " \t");
        if (strncasecmp(at, charset, sizeof charset - 1) == 0 &&
            !is_utf8(at + sizeof charset - 1))
            return true;
    }
    return false;
}

static bool is(const struct http_fields *fields, const char *name,
               const char *value)
{
    const struct http_field *field = http_field_find(fields, name);
    return field != NULL && strcmp(field->value, value) == 0;
}

/* No origin: no page of another site is behind it. */
static bool is_allowed(const struct conn *conn,
                       const struct http_fields *fields)
{
    const struct http_field *origin = http_field_find(fields, "origin");
    return origin == NULL ||
           cors_allows(conn_options(conn)->web_origins, origin->value);
}

static const struct rpc_method *find_method(const struct conn *conn,
                                            const struct http_fields *fields)
{
    const struct http_field *path = http_field_find(fields, ":path");
    if (path == NULL)
        return NULL;
    const struct method_entry *entry =
        method_table_find(conn->net->worker->server->methods, path->value,
                          strcspn(path->value, "?"));
    return entry == NULL ? NULL : entry->method;
}

/* A method that is not there is the gate's to refuse, as for any call. */
static bool suits(const struct wire_format *format, const struct conn *conn,
                  const struct http_fields *fields)
{
    if (!format->is_for_unary && !format->is_for_streams)
        return true;
    const struct rpc_method *method = find_method(conn, fields);
    return method == NULL ||
           format->is_for_unary == (method->kind == RPC_UNARY);
}

static const struct http_wire *choose_post(const struct conn *conn,
                                           const struct http_ops *http,
                                           const struct http_fields *fields,
                                           const struct wire_format *format)
{
    if (format == NULL)
        return plain_wire(PLAIN_UNKNOWN_TYPE);
    if (format->needs_trailers)
        return http->has_trailers ? &format->http
                                  : plain_wire(PLAIN_NO_TRAILERS);
    if (!suits(format, conn, fields))
        return plain_wire(format->is_for_unary ? PLAIN_IS_STREAM
                                               : PLAIN_IS_UNARY);
    if (format->codec == RPC_CODEC_JSON &&
        has_foreign_charset(http_field_find(fields, "content-type")->value))
        return plain_wire(PLAIN_FOREIGN_CHARSET);
    return &format->http;
}

static const struct http_wire *choose_other(const struct conn *conn,
                                            const struct http_fields *fields,
                                            const struct wire_format *format)
{
    if (format != NULL && format->needs_trailers)
        return plain_wire(PLAIN_NOT_POST);
    const struct rpc_method *method = find_method(conn, fields);
    if (method == NULL)
        return plain_wire(PLAIN_NO_METHOD);
    if (!method->has_no_side_effects || method->kind != RPC_UNARY)
        return plain_wire(PLAIN_ONLY_POST);
    if (!is(fields, ":method", "GET"))
        return plain_wire(PLAIN_ONLY_GET_AND_POST);
    return &get_format.http;
}

static bool is_preflight(const struct http_fields *fields)
{
    return is(fields, ":method", "OPTIONS") &&
           http_field_find(fields, "origin") != NULL &&
           http_field_find(fields, "access-control-request-method") != NULL;
}

/* gRPC proper comes first because most calls are gRPC's: pages cannot speak it,
 * and a client is told in its own words that its header was too large. */
static const struct http_wire *choose(const struct conn *conn,
                                      const struct http_ops *http,
                                      const struct http_fields *fields,
                                      const struct wire_format *format)
{
    bool is_grpc = format != NULL && format->needs_trailers;
    if (fields->is_too_large && format == NULL)
        return plain_wire(PLAIN_TOO_LARGE);
    if (!is_grpc && !is_allowed(conn, fields))
        return plain_wire(PLAIN_FOREIGN_PAGE);
    if (is(fields, ":method", "POST"))
        return choose_post(conn, http, fields, format);
    if (is_preflight(fields))
        return plain_wire(PLAIN_PREFLIGHT);
    return choose_other(conn, fields, format);
}

const struct http_wire *wire_choose(const struct conn *conn,
                                    const struct http_ops *http,
                                    const struct http_fields *fields)
{
    const struct http_field *type = http_field_find(fields, "content-type");
    return choose(conn, http, fields,
                  type == NULL ? NULL : find_format(type->value));
}
