/* Requests that are no call: preflights of browsers get their answer, all else
 * an HTTP status and a sentence for the person who sent it. */
#include "rpc/cors.h"
#include "rpc/wire.h"

#include <string.h>

static bool is(const struct http_field *field, const char *value)
{
    return field != NULL && strcmp(field->value, value) == 0;
}

/* `type` alone, with "+proto", or with parameters; a longer word is another
 * protocol. */
static bool is_type(const struct http_field *content_type, const char *type)
{
    size_t size = strlen(type);
    if (content_type == NULL || strncmp(content_type->value, type, size) != 0)
        return false;
    const char *rest = content_type->value + size;
    if (strncmp(rest, "+proto", 6) == 0)
        rest += 6;
    return *rest == '\0' || *rest == ';';
}

static bool is_grpc(const struct http_fields *fields)
{
    return is_type(http_field_find(fields, "content-type"), "application/grpc");
}

static bool is_web(const struct http_fields *fields)
{
    return is_type(http_field_find(fields, "content-type"),
                   "application/grpc-web");
}

/* No origin: no page of another site is behind it. */
static bool is_allowed(const struct conn *conn,
                       const struct http_fields *fields)
{
    const struct http_field *origin = http_field_find(fields, "origin");
    return origin == NULL ||
           cors_allows(conn_options(conn)->web_origins, origin->value);
}

const struct http_wire *wire_choose(const struct conn *conn,
                                    const struct http_ops *http,
                                    const struct http_fields *fields)
{
    if (!is(http_field_find(fields, ":method"), "POST"))
        return &plain_wire;
    if (is_grpc(fields))
        return http->has_trailers ? &grpc_wire : &plain_wire;
    if (conn_options(conn)->web_origins != NULL && is_web(fields) &&
        is_allowed(conn, fields))
        return &grpc_web_wire;
    return &plain_wire;
}

struct refusal {
    const char *status;
    const char *grpc_status; /* NULL: not for gRPC clients */
    const char *sentence;
};

struct plain_stream {
    struct http_stream http; /* first */
    const struct refusal *refusal;
};

static struct plain_stream *plain_of(struct http_stream *stream)
{
    return (struct plain_stream *)stream;
}

static const struct refusal too_large = {
    "431", NULL, "The request's header fields are too large.\n"};
static const struct refusal not_post = {"405", "13",
                                        "gRPC calls are made with POST.\n"};
static const struct refusal no_trailers = {
    "505", NULL,
    "gRPC needs HTTP/2; over HTTP/1.1 this server speaks gRPC-Web: "
    "content-type application/grpc-web+proto.\n"};
static const struct refusal not_grpc = {
    "415", NULL, "This server speaks gRPC: content-type application/grpc.\n"};
static const struct refusal not_your_page = {
    "403", NULL, "Pages of this origin may not call here.\n"};

static const struct refusal *choose(const struct http_stream *stream,
                                    const struct http_fields *fields)
{
    if (fields->is_too_large)
        return &too_large;
    if (is_grpc(fields))
        return stream->ops->has_trailers ? &not_post : &no_trailers;
    if (!is_allowed(stream->conn, fields))
        return &not_your_page;
    return &not_grpc;
}

/* Of texts that outlive the connection. */
static struct http_header field(const char *name, const char *value)
{
    return (struct http_header){
        .name = name,
        .value = value,
        .name_size = strlen(name),
        .value_size = strlen(value),
        .flags = HTTP_STATIC,
    };
}

/* A gRPC client reads the status of a response without a body from its
 * headers; a person reads the body. */
static void refuse(struct http_stream *stream, const struct refusal *refusal)
{
    struct http_header answer[3] = {field(":status", refusal->status)};
    if (refusal->grpc_status != NULL) {
        answer[1] = field("content-type", "application/grpc");
        answer[2] = field("grpc-status", refusal->grpc_status);
        http_respond(stream, answer, 3, false);
        return;
    }
    answer[1] = field("content-type", "text/plain; charset=utf-8");
    http_respond(stream, answer, 2, true);
    size_t size = strlen(refusal->sentence);
    memcpy(http_reserve(stream, size), refusal->sentence, size);
    http_commit(stream, size);
    http_end_body(stream);
}

static bool is_preflight(const struct conn *conn,
                         const struct http_fields *fields)
{
    return is(http_field_find(fields, ":method"), "OPTIONS") &&
           http_field_find(fields, "origin") != NULL &&
           http_field_find(fields, "access-control-request-method") != NULL &&
           is_allowed(conn, fields);
}

/* The browser asks before the page's call whether it may.  Headers need no list
 * of ours: what a page sends is checked when it comes. */
static void answer_preflight(struct http_stream *stream,
                             const struct http_fields *fields)
{
    const struct http_field *headers =
        http_field_find(fields, "access-control-request-headers");
    struct http_header answer[] = {
        field(":status", "204"),
        field("access-control-allow-origin",
              http_field_find(fields, "origin")->value),
        field("access-control-allow-methods", "POST"),
        field("access-control-allow-headers",
              headers != NULL ? headers->value : "content-type"),
        field("access-control-max-age", "7200"),
        field("vary", "origin, access-control-request-method, "
                      "access-control-request-headers"),
    };
    enum { ORIGIN = 1, HEADERS = 3 };
    answer[ORIGIN].flags = answer[HEADERS].flags = 0;
    http_respond(stream, answer, sizeof answer / sizeof answer[0], false);
}

/* The answer waits for the end of the request, as most HTTP clients do not read
 * before; HTTP resets those that never come to it. */
static void request(struct http_stream *stream,
                    const struct http_fields *fields)
{
    if (is_preflight(stream->conn, fields))
        answer_preflight(stream, fields);
    else
        plain_of(stream)->refusal = choose(stream, fields);
}

static void half_closed(struct http_stream *stream)
{
    const struct refusal *refusal = plain_of(stream)->refusal;
    if (refusal != NULL)
        refuse(stream, refusal);
}

static void data(struct http_stream *stream, const uint8_t *bytes, size_t size)
{
    (void)bytes;
    http_consumed(stream, size);
}

static void nothing(struct http_stream *stream)
{
    (void)stream;
}

static struct rpc_call *no_call(const struct http_stream *stream)
{
    (void)stream;
    return NULL;
}

const struct http_wire plain_wire = {
    .request = request,
    .data = data,
    .half_closed = half_closed,
    .writable = nothing,
    .closed = nothing,
    .running_call = no_call,
    .stream_bytes = sizeof(struct plain_stream),
};
