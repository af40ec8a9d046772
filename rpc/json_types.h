#ifndef PRBAL_RPC_JSON_TYPES_H
#define PRBAL_RPC_JSON_TYPES_H

#include "rpc/json.h"
#include "rpc/json_table.h"

/* Finding tables, for the two halves of rpc/json.h.  NULL when there is none.
 */
const struct json_message *json_types_of(
    const struct json_types *types, const ProtobufCMessageDescriptor *type);

/* By a type URL: what stands behind the last slash of
 * "type.googleapis.com/google.rpc.ErrorInfo". */
const struct json_message *json_types_named(const struct json_types *types,
                                            const char *url);

/* The index of the field with this name, -1 when there is none.  Texts mostly
 * have the fields in their order: the one at `guess` is tried first. */
int json_field_named(const struct json_message *message, const char *name,
                     size_t size, size_t guess);

#endif
