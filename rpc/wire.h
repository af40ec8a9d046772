#ifndef PRBAL_RPC_WIRE_H
#define PRBAL_RPC_WIRE_H

#include "rpc/http.h"

/* The wires that a stream may speak. */
extern const struct http_wire grpc_wire;     /* rpc/grpc.c */
extern const struct http_wire grpc_web_wire; /* the same */
extern const struct http_wire plain_wire;    /* rpc/plain.c: everything else */

/* By the method, content type and origin of the request, and what this version
 * of HTTP can. */
const struct http_wire *wire_choose(const struct conn *conn,
                                    const struct http_ops *http,
                                    const struct http_fields *fields);

#endif
