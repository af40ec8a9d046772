#ifndef PRBAL_TESTS_PROTOVALIDATE_TYPES_H
#define PRBAL_TESTS_PROTOVALIDATE_TYPES_H

#include "rpc/gen/gen.h"

#include <protobuf-c/protobuf-c.h>

/* Message types at run time: what protoc-c writes for a .proto, made from the
 * .proto's descriptor, with proto2, proto3 and editions' presence.  Groups are
 * messages here (see groups.h). */
struct types;

/* Of all messages in `gen`; lives in its arena. */
struct types *types_create(struct gen *gen);

/* By ".buf.validate.conformance.cases.StringLen"; NULL when there is none. */
const ProtobufCMessageDescriptor *types_find(const struct types *types,
                                             const char *type_name);

/* Whether values of a field travel as a group, and of any field of all. */
bool types_is_group(struct gen *gen, const struct message_at *at,
                    const proto_field *field);
bool types_have_groups(const struct types *types);

#endif
