#ifndef PRBAL_RPC_WIRE_STREAM_H
#define PRBAL_RPC_WIRE_STREAM_H

#include "rpc/base64_stream.h"
#include "rpc/envelope.h"
#include "rpc/http_block.h"
#include "rpc/wire.h"

/* A call on a stream of HTTP: what gRPC, gRPC-Web and Connect have in common.
 *
 *   rpc/wire.c           the content types, and which wire serves each
 *   rpc/wire_request.c   header fields that come in
 *   rpc/wire_message.c   messages that come in
 *   rpc/wire_stream.c    messages that go out, and the stream's end
 *   rpc/grpc*.c          what is gRPC's and gRPC-Web's own
 *   rpc/connect*.c       what is Connect's own
 *
 * Messages travel in envelopes { flags(1) size(4) message }, but for a unary
 * call of Connect, whose message is the body. */

struct wire_stream;

/* One of the three protocols. */
struct wire_protocol {
    const struct rpc_transport_ops *ops;
    /* True when the field is the protocol's own; *status then says whether its
     * value will do. */
    bool (*read_field)(struct wire_stream *stream, struct rpc_head *head,
                       const struct http_field *field, rpc_status *status);
    rpc_code malformed;   /* what a body that is cut or garbled is */
    const char *encoding; /* the field that names the encoding, for sentences */
};

extern const struct wire_protocol grpc_protocol, grpc_web_protocol;
extern const struct wire_protocol connect_unary_protocol,
    connect_stream_protocol;

/* One content type. */
struct wire_format {
    struct http_wire http; /* first */
    const struct wire_protocol *protocol;
    struct http_header content_type; /* its value has no parameters */
    rpc_codec codec;
    bool is_text; /* all of both bodies is in base64 */

    /* What is asked before: */
    bool needs_trailers; /* of HTTP */
    bool is_for_unary;   /* Connect has a content type for each of the two */
    bool is_for_streams;
};

enum {
    WIRE_ORIGIN_FIELDS = 3, /* of wire_add_origin() */
};

struct wire_stream {
    struct http_stream http; /* first */
    const struct wire_format *format;

    /* The message that is arriving. */
    uint8_t prefix[ENVELOPE_PREFIX_BYTES];
    uint8_t prefix_size;
    uint8_t *message;
    uint32_t message_size, message_have, message_capacity;
    uint32_t withheld_bytes; /* of the window, since the last message */
    uint32_t joined_bytes;   /* what commas save in the request's metadata */
    struct base64_reader base64;

    bool is_broken;        /* what else arrives is not looked at */
    encoding in_encoding;  /* of compressed messages */
    encoding out_encoding; /* of what the client accepts */
    bool speaks_encodings; /* it has said something of them */

    /* A unary call of Connect: */
    bool is_get;
    bool has_token;         /* no cache may keep the answer */
    bool is_packed;         /* the response is compressed */
    const char *refused_as; /* HTTP status, when the code's will not do */

    char *origin; /* of the calling page; the loop's pool */

    struct http_block *trailers; /* gRPC: NULL is grpc-status 0 alone */
};

/* Idle streams are many: with what HTTP/2 keeps of one (rpc/h2.h) it is to fit
 * the pool's size of 240 bytes, or it takes 496. */
enum { WIRE_STREAM_BYTES_MAX = 208 };
_Static_assert(sizeof(struct wire_stream) <= WIRE_STREAM_BYTES_MAX,
               "an idle stream takes twice the memory");

static inline struct wire_stream *wire_of(struct http_stream *http)
{
    return (struct wire_stream *)http;
}

static inline struct wire_stream *wire_of_transport(
    struct rpc_transport *transport)
{
    return (struct wire_stream *)transport;
}

/* --- rpc/wire_request.c --- */

/* The beginning of a call in its three steps: the call is taken; the fields
 * read, the first fault returned; and the gate, or the answer that tells of the
 * fault. */
struct rpc_head *wire_begin(struct wire_stream *stream);
rpc_status wire_read_fields(struct wire_stream *stream, struct rpc_head *head,
                            const struct http_fields *fields);
void wire_open(struct wire_stream *stream, rpc_status status);

/* All three. */
void wire_request(struct http_stream *http, const struct http_fields *fields);

/* For read_field(): true when the field was `origin`, which is kept. */
bool wire_take_origin(struct wire_stream *stream,
                      const struct http_field *field);

/* --- rpc/wire_message.c --- */

/* For struct http_wire: envelopes, the same in base64, a bare message. */
void wire_data(struct http_stream *http, const uint8_t *bytes, size_t size);
void wire_half_closed(struct http_stream *http);
void wire_text_data(struct http_stream *http, const uint8_t *bytes,
                    size_t size);
void wire_text_half_closed(struct http_stream *http);
void wire_bare_data(struct http_stream *http, const uint8_t *bytes,
                    size_t size);
void wire_bare_half_closed(struct http_stream *http);

/* Adds to a bare message what did not come in the body. */
void wire_bare_append(struct wire_stream *stream, const void *bytes,
                      size_t size);

/* A whole message, compressed as in_encoding says or not. */
void wire_deliver(struct wire_stream *stream, const uint8_t *bytes, size_t size,
                  bool is_compressed);

/* Gives up the message that is arriving. */
void wire_drop_message(struct wire_stream *stream);

/* --- rpc/wire_stream.c --- */

/* For struct rpc_transport_ops. */
uint8_t *wire_reserve(struct rpc_transport *transport, size_t size);
void wire_commit(struct rpc_transport *transport, size_t size);
size_t wire_queued(const struct rpc_transport *transport);
void wire_consumed(struct rpc_transport *transport, size_t window_bytes);

/* For struct http_wire. */
void wire_writable(struct http_stream *http);
void wire_closed(struct http_stream *http);
struct rpc_call *wire_running_call(const struct http_stream *http);

/* Whether a message of this size goes out compressed; and compresses it in
 * place when that helps: returns the size that is left. */
bool wire_may_compress(const struct wire_stream *stream, size_t size);
size_t wire_compress(struct wire_stream *stream, uint8_t *message, size_t size);

/* Room for an envelope's `size` bytes, behind its prefix; and the envelope with
 * what of it was used. */
uint8_t *wire_envelope_begin(struct wire_stream *stream, size_t size);
void wire_envelope_end(struct wire_stream *stream, uint8_t flags, size_t size);

/* Response headers with a body, or without one; the block is freed. */
void wire_respond(struct wire_stream *stream, struct http_block *block,
                  bool with_body);

/* What lets the calling page read the response; nothing for NULL. */
void wire_add_origin(struct http_block *block, const char *origin);

/* --- what the rows of rpc/wire.c need besides --- */

void grpc_drained(struct http_stream *http);
void connect_request(struct http_stream *http,
                     const struct http_fields *fields);
void connect_get_request(struct http_stream *http,
                         const struct http_fields *fields);
/* A GET has no body; one that comes is not looked at. */
void connect_get_data(struct http_stream *http, const uint8_t *bytes,
                      size_t size);

#endif
