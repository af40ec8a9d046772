#ifndef PRBAL_RPC_GRPC_RESPONSE_H
#define PRBAL_RPC_GRPC_RESPONSE_H

#include "rpc/wire_stream.h"

/* What gRPC answers, as header fields. */

enum { GRPC_WEB_TRAILERS = 0x80 }; /* an envelope's flag */

/* Response headers; trailers; and both as one, for when there is no body. */
struct http_block *grpc_build_headers(const struct wire_stream *stream,
                                      const struct rpc_field *headers);
struct http_block *grpc_build_trailers(const struct wire_stream *stream,
                                       const struct rpc_answer *answer);
struct http_block *grpc_build_trailers_only(const struct wire_stream *stream,
                                            const struct rpc_answer *answer);
extern const struct http_header grpc_status_ok;

/* Adds trailers to the body as gRPC-Web has them. */
void grpc_append_trailers(struct wire_stream *stream,
                          const struct http_block *trailers);

#endif
