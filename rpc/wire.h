#ifndef PRBAL_RPC_WIRE_H
#define PRBAL_RPC_WIRE_H

#include "rpc/h2.h"

/* The wires that an HTTP/2 stream may speak. */
extern const struct h2_wire grpc_wire;     /* rpc/grpc.c */
extern const struct h2_wire grpc_web_wire; /* the same */
extern const struct h2_wire plain_wire;    /* rpc/plain.c: everything else */

/* By the method, content type and origin of the request. */
const struct h2_wire *wire_choose(const struct conn *conn,
                                  const struct h2_fields *fields);

#endif
