#ifndef PRBAL_RPC_CONNECT_RESPONSE_H
#define PRBAL_RPC_CONNECT_RESPONSE_H

#include "rpc/wire_stream.h"

/* What Connect answers, as header fields. */

/* Of a stream. */
struct http_block *connect_build_headers(const struct wire_stream *stream,
                                         const struct rpc_field *headers);

/* Of a unary call: all that is not the body. */
struct http_block *connect_build_unary(const struct wire_stream *stream,
                                       const struct rpc_answer *answer);

#endif
