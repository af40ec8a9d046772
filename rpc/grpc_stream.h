#ifndef PRBAL_RPC_GRPC_STREAM_H
#define PRBAL_RPC_GRPC_STREAM_H

#include "rpc/http_block.h"
#include "rpc/wire.h"

/* A gRPC or gRPC-Web call on a stream of HTTP, as its three files see it:
 *
 *   rpc/grpc_request.c    what comes in: header fields, messages
 *   rpc/grpc_response.c   the header blocks that go out
 *   rpc/grpc.c            the transport: what the call asks for, and the end */

enum { GRPC_PREFIX_BYTES = 5 };

struct grpc_stream {
    struct http_stream http; /* first */

    /* The message that is arriving. */
    uint8_t prefix[GRPC_PREFIX_BYTES];
    uint8_t prefix_size;
    uint8_t *message;
    uint32_t message_size, message_have, message_capacity;
    uint32_t withheld_bytes; /* of the window, since the last message */
    uint32_t joined_bytes;   /* what commas save in the request's metadata */

    bool is_broken;              /* what else arrives is not looked at */
    encoding in_encoding;        /* grpc-encoding */
    encoding out_encoding;       /* of what the client accepts */
    bool says_proto;             /* content-type ended in +proto */
    bool is_web;                 /* gRPC-Web: trailers go into the body */
    char *origin;                /* of the calling page; the loop's pool */
    struct http_block *trailers; /* NULL: grpc-status 0 and nothing else */
};

/* Response headers; trailers; and both as one, for when there is no body. */
struct http_block *grpc_build_headers(const struct grpc_stream *stream,
                                      const struct rpc_field *headers);
struct http_block *grpc_build_trailers(const struct grpc_stream *stream,
                                       const struct rpc_answer *answer);
struct http_block *grpc_build_trailers_only(const struct grpc_stream *stream,
                                            const struct rpc_answer *answer);
extern const struct http_header grpc_status_ok;

/* Adds trailers to the body as gRPC-Web has them: one more frame. */
void grpc_append_trailers(struct grpc_stream *stream,
                          const struct http_block *trailers);

/* Begins the call and passes the gate, or answers why not. */
void grpc_request(struct grpc_stream *stream, const struct http_fields *fields);
void grpc_receive(struct grpc_stream *stream, const uint8_t *bytes,
                  size_t size);
void grpc_half_closed(struct grpc_stream *stream);
/* Gives up the message that is arriving. */
void grpc_drop_message(struct grpc_stream *stream);

extern const struct rpc_transport_ops grpc_ops;

#endif
