#ifndef PRBAL_SERVICES_IDEMPOTENCY_KEY_H
#define PRBAL_SERVICES_IDEMPOTENCY_KEY_H

#include "rpc/call.h"

#include <protobuf-c/protobuf-c.h>

/* What names a call that may be retried: caller, method and key.  Keys of two
 * people, or of two methods, have nothing to do with each other. */

enum { IDEMPOTENCY_KEY_MAX = 255, REQUEST_HASH_BYTES = 32 };

/* The value of `idempotency-key`: 1 to 255 visible ASCII characters, sent once;
 * else INVALID_ARGUMENT with reason IDEMPOTENCY_KEY_INVALID.  NULL when there
 * is none. */
rpc_status idempotency_key_read(struct rpc_call *call, const char **key);

/* Method and request as they were understood: the same fields hash alike in
 * JSON and in protobuf, in whatever order they came.  Fields that this server
 * does not know count for nothing. */
void idempotency_request_hash(struct rpc_call *call,
                              const ProtobufCMessage *request,
                              uint8_t hash[REQUEST_HASH_BYTES]);

/* "user method key", and a number for it that all processes agree on. */
const char *idempotency_name(struct rpc_call *call, const char *key);
int64_t idempotency_name_number(const char *name);

#endif
