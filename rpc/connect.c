/* Connect (https://connectrpc.com/docs/protocol).
 *
 *   unary     POST, the message as the body; or GET, the message in the query
 *             200 and the message, or an HTTP status and the error as JSON
 *   streams   POST and 200, { flag(1) size(4) message }... both ways; the
 *             response's last one has flag 2: error and trailers as JSON
 */
#include "rpc/connect_error.h"
#include "rpc/connect_query.h"
#include "rpc/connect_response.h"
#include "rpc/methods.h"

#include <string.h>
#include <strings.h>

enum {
    END_OF_STREAM = 2, /* an envelope's flag */
    TIMEOUT_DIGITS_MAX = 10,
};

/* --- the request's header fields --- */

static rpc_status read_timeout(struct rpc_head *head,
                               const struct http_field *field)
{
    size_t digits = strspn(field->value, "0123456789");
    if (digits == 0 || digits > TIMEOUT_DIGITS_MAX ||
        digits != field->value_size)
        return (rpc_status){
            RPC_INVALID_ARGUMENT,
            "connect-timeout-ms must be milliseconds: at most ten digits"};
    int64_t ms = 0;
    for (size_t i = 0; i < digits; i++)
        ms = ms * 10 + (field->value[i] - '0');
    head->timeout_us = ms * 1000;
    return RPC_SUCCESS;
}

static rpc_status read_version(const struct http_field *field)
{
    if (strcmp(field->value, "1") != 0)
        return (rpc_status){RPC_INVALID_ARGUMENT,
                            "connect-protocol-version must be 1"};
    return RPC_SUCCESS;
}

static rpc_status set_encoding(struct wire_stream *stream, const char *name)
{
    if (!encoding_find(name, strlen(name), &stream->in_encoding))
        return (rpc_status){RPC_UNIMPLEMENTED,
                            "this compression is not supported; use one of "
                            "these: " ENCODINGS_ACCEPTED};
    return RPC_SUCCESS;
}

static bool read_common_field(struct wire_stream *stream, struct rpc_head *head,
                              const struct http_field *field,
                              rpc_status *status)
{
    if (http_field_is(field, "connect-timeout-ms"))
        *status = read_timeout(head, field);
    else if (http_field_is(field, "connect-protocol-version"))
        *status = read_version(field);
    else
        return wire_take_origin(stream, field);
    return true;
}

static bool read_unary_field(struct wire_stream *stream, struct rpc_head *head,
                             const struct http_field *field, rpc_status *status)
{
    stream->has_token |= http_field_is(field, "authorization");
    if (http_field_is(field, "content-encoding"))
        *status = set_encoding(stream, field->value);
    else if (http_field_is(field, "accept-encoding"))
        stream->out_encoding = encoding_choose(field->value);
    else
        return read_common_field(stream, head, field, status);
    return true;
}

/* Of a stream each message is compressed alone; HTTP's encoding would be one of
 * the body as a whole, which nobody could read before its end. */
static rpc_status check_body_encoding(const char *name)
{
    if (strcasecmp(name, encoding_name(ENCODING_IDENTITY)) == 0)
        return RPC_SUCCESS;
    return (rpc_status){RPC_UNIMPLEMENTED,
                        "a stream's body cannot have a content-encoding; its "
                        "messages can, by connect-content-encoding"};
}

static bool read_stream_field(struct wire_stream *stream, struct rpc_head *head,
                              const struct http_field *field,
                              rpc_status *status)
{
    if (http_field_is(field, "connect-content-encoding"))
        *status = set_encoding(stream, field->value);
    else if (http_field_is(field, "content-encoding"))
        *status = check_body_encoding(field->value);
    else if (http_field_is(field, "connect-accept-encoding"))
        stream->out_encoding = encoding_choose(field->value);
    else
        return read_common_field(stream, head, field, status);
    return true;
}

/* --- the beginning of a call --- */

/* HTTP has a status for a path that is not there; the gate tells the rest. */
static void check_path(struct wire_stream *stream, const struct rpc_head *head)
{
    const struct rpc_server *server = http_worker(&stream->http)->server;
    if (method_table_find(server->methods, head->path, head->path_size) == NULL)
        stream->refused_as = "404";
}

void connect_request(struct http_stream *http, const struct http_fields *fields)
{
    struct wire_stream *stream = wire_of(http);
    struct rpc_head *head = wire_begin(stream);
    rpc_status status = wire_read_fields(stream, head, fields);
    check_path(stream, head);
    wire_open(stream, status);
}

static const char get_like_this[] =
    "a GET needs a query like ?connect=v1&encoding=json&message=%7B%7D";

static rpc_status set_codec(struct wire_stream *stream, const char *name)
{
    if (name == NULL)
        return (rpc_status){RPC_INVALID_ARGUMENT, get_like_this};
    if (strcmp(name, "json") == 0) {
        stream->http.transport.codec = RPC_CODEC_JSON;
        return RPC_SUCCESS;
    }
    if (strcmp(name, "proto") == 0)
        return RPC_SUCCESS;
    stream->refused_as = "415";
    return (rpc_status){RPC_UNIMPLEMENTED,
                        "the query's \"encoding\" must be json or proto"};
}

/* Cuts the query off the path and reads it. */
static rpc_status read_query(struct wire_stream *stream, struct rpc_head *head,
                             struct connect_query *query)
{
    const char *mark = memchr(head->path, '?', head->path_size);
    if (mark == NULL)
        return (rpc_status){RPC_INVALID_ARGUMENT, get_like_this};
    size_t size = head->path_size - (size_t)(mark + 1 - head->path);
    head->path_size = (size_t)(mark - head->path);
    const char *problem = connect_query_read(stream->http.transport.call->arena,
                                             mark + 1, size, query);
    if (problem != NULL)
        return (rpc_status){RPC_INVALID_ARGUMENT, problem};
    TRY(set_codec(stream, query->encoding));
    if (query->message == NULL)
        return (rpc_status){RPC_INVALID_ARGUMENT, get_like_this};
    if (query->compression != NULL)
        TRY(set_encoding(stream, query->compression));
    return RPC_SUCCESS;
}

void connect_get_request(struct http_stream *http,
                         const struct http_fields *fields)
{
    struct wire_stream *stream = wire_of(http);
    struct connect_query query = {0};
    struct rpc_head *head = wire_begin(stream);
    stream->is_get = true;
    rpc_status status = wire_read_fields(stream, head, fields);
    rpc_status of_query = read_query(stream, head, &query);
    wire_open(stream, status.code != RPC_OK ? status : of_query);
    if (!stream->is_broken)
        wire_bare_append(stream, query.message, query.message_size);
}

void connect_get_data(struct http_stream *http, const uint8_t *bytes,
                      size_t size)
{
    (void)bytes;
    http_consumed(http, size);
}

static const struct json_types *json_types(const struct wire_stream *stream)
{
    return http_worker(&stream->http)->server->json;
}

/* --- the answer to a unary call --- */

/* They wait for the status. */
static void hold_headers(struct rpc_transport *transport,
                         const struct rpc_field *headers)
{
    (void)transport;
    (void)headers;
}

static uint8_t *reserve_unary(struct rpc_transport *transport, size_t size)
{
    return http_reserve(&wire_of_transport(transport)->http, size);
}

static void commit_unary(struct rpc_transport *transport, size_t size)
{
    struct wire_stream *stream = wire_of_transport(transport);
    if (stream->http.is_finished)
        return;
    size_t sent_size = size;
    if (wire_may_compress(stream, size))
        sent_size =
            wire_compress(stream, http_reserve(&stream->http, size), size);
    stream->is_packed = sent_size < size;
    http_commit(&stream->http, sent_size);
    http_message_sent(&stream->http, sent_size);
}

static void put_body(struct wire_stream *stream, const void *bytes, size_t size)
{
    memcpy(http_reserve(&stream->http, size), bytes, size);
    http_commit(&stream->http, size);
}

/* A message that was made before the call failed is not sent. */
static void send_error(struct wire_stream *stream,
                       const struct rpc_answer *answer)
{
    struct arena *arena = arena_create();
    size_t size;
    const char *json =
        connect_error_json(arena, json_types(stream), answer, &size);
    http_discard_body(&stream->http);
    wire_respond(stream, connect_build_unary(stream, answer), true);
    put_body(stream, json, size);
    arena_destroy(arena);
}

static void finish_unary(struct rpc_transport *transport,
                         const struct rpc_answer *answer)
{
    struct wire_stream *stream = wire_of_transport(transport);
    stream->is_broken = true;
    if (stream->http.is_finished)
        return;
    if (answer->code != RPC_OK)
        send_error(stream, answer);
    else
        wire_respond(stream, connect_build_unary(stream, answer), true);
    http_end_body(&stream->http);
}

/* --- the answer to a stream --- */

static void send_headers(struct rpc_transport *transport,
                         const struct rpc_field *headers)
{
    struct wire_stream *stream = wire_of_transport(transport);
    if (!stream->http.is_finished)
        wire_respond(stream, connect_build_headers(stream, headers), true);
}

static void finish_stream(struct rpc_transport *transport,
                          const struct rpc_answer *answer)
{
    struct wire_stream *stream = wire_of_transport(transport);
    stream->is_broken = true;
    if (stream->http.is_finished)
        return;
    if (!stream->http.is_responded)
        send_headers(transport, answer->headers);
    struct arena *arena = arena_create();
    size_t size;
    const char *json =
        connect_end_json(arena, json_types(stream), answer, &size);
    memcpy(wire_envelope_begin(stream, size), json, size);
    wire_envelope_end(stream, END_OF_STREAM, size);
    http_end_body(&stream->http);
    arena_destroy(arena);
}

static const struct rpc_transport_ops unary_ops = {
    .name = "connect",
    .headers = hold_headers,
    .reserve = reserve_unary,
    .commit = commit_unary,
    .queued = wire_queued,
    .consumed = wire_consumed,
    .finish = finish_unary,
};

static const struct rpc_transport_ops stream_ops = {
    .name = "connect",
    .headers = send_headers,
    .reserve = wire_reserve,
    .commit = wire_commit,
    .queued = wire_queued,
    .consumed = wire_consumed,
    .finish = finish_stream,
};

const struct wire_protocol connect_unary_protocol = {
    .ops = &unary_ops,
    .read_field = read_unary_field,
    .malformed = RPC_INVALID_ARGUMENT,
    .encoding = "content-encoding",
};

const struct wire_protocol connect_stream_protocol = {
    .ops = &stream_ops,
    .read_field = read_stream_field,
    .malformed = RPC_INVALID_ARGUMENT,
    .encoding = "connect-content-encoding",
};
