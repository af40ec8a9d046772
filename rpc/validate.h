#ifndef PRBAL_RPC_VALIDATE_H
#define PRBAL_RPC_VALIDATE_H

#include "rpc/status.h"

#include <protobuf-c/protobuf-c.h>

/* Checks a decoded message against the buf.validate rules of its .proto, as
 * tables that protoc-gen-prbal wrote.  All violations go into one
 * INVALID_ARGUMENT with google.rpc.BadRequest details (at most
 * VALIDATE_VIOLATIONS_MAX of them). */
enum { VALIDATE_VIOLATIONS_MAX = 20 };
struct rpc_rules;

rpc_status rpc_validate(struct rpc_call *call, const struct rpc_rules *rules,
                        const ProtobufCMessage *message);

#endif
