/* gRPC and gRPC-Web.
 *
 *   request    HEADERS, then { flag(1) size(4) message }..., END_STREAM
 *   response   HEADERS, then the same, then trailers with grpc-status
 *              or, when nothing was sent before: all in one HEADERS
 *
 * gRPC-Web differs in where the trailers are: one more envelope of the body.
 */
#include "rpc/grpc_response.h"
#include "rpc/metadata.h"

#include <string.h>

/* --- the request's header fields --- */

static rpc_status read_timeout(struct rpc_head *head,
                               const struct http_field *field)
{
    if (!metadata_parse_timeout(field->value, field->value_size,
                                &head->timeout_us))
        return (rpc_status){RPC_INTERNAL, "malformed grpc-timeout"};
    return RPC_SUCCESS;
}

static rpc_status read_encoding(struct wire_stream *stream,
                                const struct http_field *field)
{
    stream->speaks_encodings = true;
    if (!encoding_find(field->value, field->value_size, &stream->in_encoding))
        return (rpc_status){RPC_UNIMPLEMENTED,
                            "this grpc-encoding is not supported; see "
                            "grpc-accept-encoding"};
    return RPC_SUCCESS;
}

static rpc_status read_accepted(struct wire_stream *stream,
                                const struct http_field *field)
{
    stream->speaks_encodings = true;
    stream->out_encoding = encoding_choose(field->value);
    return RPC_SUCCESS;
}

static bool is_of_responses(const struct http_field *field)
{
    return http_field_is(field, "grpc-message") ||
           http_field_is(field, "grpc-status") ||
           http_field_is(field, "grpc-status-details-bin");
}

static bool read_field(struct wire_stream *stream, struct rpc_head *head,
                       const struct http_field *field, rpc_status *status)
{
    if (http_field_is(field, "grpc-timeout"))
        *status = read_timeout(head, field);
    else if (http_field_is(field, "grpc-encoding"))
        *status = read_encoding(stream, field);
    else if (http_field_is(field, "grpc-accept-encoding"))
        *status = read_accepted(stream, field);
    else
        return is_of_responses(field);
    return true;
}

static bool read_web_field(struct wire_stream *stream, struct rpc_head *head,
                           const struct http_field *field, rpc_status *status)
{
    return wire_take_origin(stream, field) ||
           read_field(stream, head, field, status);
}

/* --- the answer --- */

static void send_headers(struct rpc_transport *transport,
                         const struct rpc_field *headers)
{
    struct wire_stream *stream = wire_of_transport(transport);
    if (!stream->http.is_finished)
        wire_respond(stream, grpc_build_headers(stream, headers), true);
}

static bool is_plain_ok(const struct rpc_answer *answer)
{
    return answer->code == RPC_OK && answer->trailers == NULL;
}

/* Without a body, headers and trailers are one; and nobody may listen. */
static bool ends_at_once(struct wire_stream *stream,
                         const struct rpc_answer *answer)
{
    stream->is_broken = true;
    if (stream->http.is_finished)
        return true;
    if (stream->http.is_responded)
        return false;
    wire_respond(stream, grpc_build_trailers_only(stream, answer), false);
    return true;
}

static void finish(struct rpc_transport *transport,
                   const struct rpc_answer *answer)
{
    struct wire_stream *stream = wire_of_transport(transport);
    if (ends_at_once(stream, answer))
        return;
    if (!is_plain_ok(answer))
        stream->trailers = grpc_build_trailers(stream, answer);
    http_end_body(&stream->http);
}

static void finish_web(struct rpc_transport *transport,
                       const struct rpc_answer *answer)
{
    struct wire_stream *stream = wire_of_transport(transport);
    if (ends_at_once(stream, answer))
        return;
    stream->trailers = grpc_build_trailers(stream, answer);
    grpc_append_trailers(stream, stream->trailers);
    http_end_body(&stream->http);
}

void grpc_drained(struct http_stream *http)
{
    struct wire_stream *stream = wire_of(http);
    if (stream->trailers == NULL)
        http_send_trailers(http, &grpc_status_ok, 1);
    else
        http_send_trailers(http, stream->trailers->fields,
                           stream->trailers->count);
    pool_free(http_pool(http), stream->trailers);
    stream->trailers = NULL;
}

static const struct rpc_transport_ops grpc_ops = {
    .name = "grpc",
    .headers = send_headers,
    .reserve = wire_reserve,
    .commit = wire_commit,
    .queued = wire_queued,
    .consumed = wire_consumed,
    .finish = finish,
};

static const struct rpc_transport_ops web_ops = {
    .name = "grpc-web",
    .headers = send_headers,
    .reserve = wire_reserve,
    .commit = wire_commit,
    .queued = wire_queued,
    .consumed = wire_consumed,
    .finish = finish_web,
};

const struct wire_protocol grpc_protocol = {
    .ops = &grpc_ops,
    .read_field = read_field,
    .malformed = RPC_INTERNAL,
    .encoding = "grpc-encoding",
};

const struct wire_protocol grpc_web_protocol = {
    .ops = &web_ops,
    .read_field = read_web_field,
    .malformed = RPC_INTERNAL,
    .encoding = "grpc-encoding",
};
