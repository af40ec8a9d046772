/* Answers to what is no call. */
#include "rpc/plain.h"

#include "rpc/wire_stream.h"

#include <string.h>

/* Curl is the first that a person tries. */
#define ASK_LIKE_THIS                                                    \
    "Ask with POST and one of these content types: application/json or " \
    "application/proto (Connect), application/grpc (gRPC), "             \
    "application/grpc-web (gRPC-Web). For example: curl --json '{}' URL\n"

#define ACCEPT_POST                                                         \
    "application/json, application/proto, application/connect+json, "       \
    "application/connect+proto, application/grpc, application/grpc+proto, " \
    "application/grpc+json, application/grpc-web, "                         \
    "application/grpc-web+proto, application/grpc-web+json, "               \
    "application/grpc-web-text, application/grpc-web-text+proto"

struct refusal {
    struct http_wire http; /* first */
    const char *status;
    const char *grpc_status; /* NULL: not for gRPC clients */
    struct http_header besides;
    const char *sentence;
};

struct plain_stream {
    struct http_stream http; /* first */
    char *origin;            /* of the calling page; the loop's pool */
};

static struct plain_stream *plain_of(struct http_stream *stream)
{
    return (struct plain_stream *)stream;
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
        field("access-control-allow-methods", "GET, POST"),
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

/* A page that may call may read why it was refused. */
static void keep_origin(struct http_stream *stream,
                        const struct http_fields *fields)
{
    const struct http_field *origin = http_field_find(fields, "origin");
    if (origin == NULL)
        return;
    plain_of(stream)->origin =
        pool_alloc(http_pool(stream), origin->value_size + 1);
    memcpy(plain_of(stream)->origin, origin->value, origin->value_size + 1);
}

static void nothing(struct http_stream *stream)
{
    (void)stream;
}

static void ignore(struct http_stream *stream, const struct http_fields *fields)
{
    (void)stream;
    (void)fields;
}

/* A gRPC client reads the status of a response without a body from its
 * headers; a person reads the body. */
static void refuse(struct http_stream *stream)
{
    const struct refusal *refusal = (const struct refusal *)stream->wire;
    struct http_block *block =
        http_block_create(http_pool(stream), 4 + WIRE_ORIGIN_FIELDS, 0);
    bool is_grpc = refusal->grpc_status != NULL;
    http_block_add(block, field(":status", refusal->status));
    http_block_add(
        block, field("content-type", is_grpc ? "application/grpc"
                                             : "text/plain; charset=utf-8"));
    if (is_grpc)
        http_block_add(block, field("grpc-status", refusal->grpc_status));
    if (refusal->besides.name != NULL)
        http_block_add(block, refusal->besides);
    wire_add_origin(block, plain_of(stream)->origin);
    http_respond(stream, block->fields, block->count, !is_grpc);
    pool_free(http_pool(stream), block);
    if (is_grpc)
        return;
    size_t size = strlen(refusal->sentence);
    memcpy(http_reserve(stream, size), refusal->sentence, size);
    http_commit(stream, size);
    http_end_body(stream);
}

static void data(struct http_stream *stream, const uint8_t *bytes, size_t size)
{
    (void)bytes;
    http_consumed(stream, size);
}

static void closed(struct http_stream *stream)
{
    pool_free(http_pool(stream), plain_of(stream)->origin);
}

static struct rpc_call *no_call(const struct http_stream *stream)
{
    (void)stream;
    return NULL;
}

#define PLAIN(request_, half_closed_)                                     \
    {                                                                     \
        .request = (request_), .data = data, .half_closed = half_closed_, \
        .writable = nothing, .closed = closed, .running_call = no_call,   \
        .stream_bytes = sizeof(struct plain_stream), .reads_late = true,  \
    }

/* The answer waits for the end of the request, as most HTTP clients do not read
 * before; HTTP resets those that never come to it. */
#define REFUSAL PLAIN(keep_origin, refuse)
#define SECRET_REFUSAL PLAIN(ignore, refuse) /* the page must not read it */

static const struct refusal refusals[PLAIN_REASONS] = {
    [PLAIN_PREFLIGHT] = {PLAIN(answer_preflight, nothing)},
    [PLAIN_TOO_LARGE] = {REFUSAL, "431",
                         .sentence =
                             "The request's header fields are too large.\n"},
    [PLAIN_NOT_POST] = {REFUSAL, "405", "13", HTTP_HEADER("allow", "POST")},
    [PLAIN_NO_TRAILERS] =
        {REFUSAL, "505",
         .sentence = "gRPC needs HTTP/2. Over HTTP/1.1 this server speaks "
                     "Connect (application/json, application/proto) and "
                     "gRPC-Web (application/grpc-web).\n"},
    [PLAIN_FOREIGN_PAGE] =
        {SECRET_REFUSAL, "403", .besides = HTTP_HEADER("vary", "origin"),
         .sentence = "Pages of this origin may not call here: the server's "
                     "web_origins does not name it.\n"},
    [PLAIN_UNKNOWN_TYPE] = {REFUSAL, "415",
                            .besides = HTTP_HEADER("accept-post", ACCEPT_POST),
                            .sentence = ASK_LIKE_THIS},
    [PLAIN_FOREIGN_CHARSET] = {REFUSAL, "415",
                               .sentence = "JSON is UTF-8 (RFC 8259 8.1): send "
                                           "it so, with charset=utf-8 or "
                                           "without a charset.\n"},
    [PLAIN_IS_STREAM] =
        {REFUSAL, "415", .besides = HTTP_HEADER("accept-post", ACCEPT_POST),
         .sentence = "This method streams: its content types are "
                     "application/connect+json and application/connect+proto "
                     "(Connect), gRPC's and gRPC-Web's. A tool that speaks "
                     "them: buf curl.\n"},
    [PLAIN_IS_UNARY] =
        {REFUSAL, "415", .besides = HTTP_HEADER("accept-post", ACCEPT_POST),
         .sentence = "This method takes one message: application/json or "
                     "application/proto, not application/connect+...\n"},
    [PLAIN_NO_METHOD] =
        {REFUSAL, "404",
         .sentence = "There is no such method. This server speaks gRPC, "
                     "gRPC-Web and Connect: POST to "
                     "/package.Service/Method.\n"},
    [PLAIN_ONLY_POST] = {REFUSAL, "405",
                         .besides = HTTP_HEADER("allow", "POST"),
                         .sentence = ASK_LIKE_THIS},
    [PLAIN_ONLY_GET_AND_POST] = {REFUSAL, "405",
                                 .besides = HTTP_HEADER("allow", "GET, POST"),
                                 .sentence = ASK_LIKE_THIS},
};

const struct http_wire *plain_wire(plain_reason reason)
{
    return &refusals[reason].http;
}
