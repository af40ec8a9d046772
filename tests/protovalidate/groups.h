#ifndef PRBAL_TESTS_PROTOVALIDATE_GROUPS_H
#define PRBAL_TESTS_PROTOVALIDATE_GROUPS_H

#include "rpc/arena.h"

#include <protobuf-c/protobuf-c.h>

/* The encoding of a message with its groups made into messages, in the arena.
 * proto3 has no groups, and the decoder skips them; only the encoding differs,
 * not what is validated.  `bytes` are well-formed. */
uint8_t *groups_to_messages(struct arena *arena,
                            const ProtobufCMessageDescriptor *type,
                            const uint8_t *bytes, size_t *size);

#endif
