#ifndef PRBAL_RPC_JSON_PUT_H
#define PRBAL_RPC_JSON_PUT_H

#include "rpc/json_write.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* Values that are no messages, as JSON. */

/* Integers of 64 bits, which stand in quotes. */
bool json_is_wide(ProtobufCType type);

/* `from` points to a value of `field`, or to one of its array.  False for a
 * string that is not UTF-8. */
bool json_put_scalar(struct json_out *out,
                     const ProtobufCFieldDescriptor *field, const void *from);

#endif
