#ifndef PRBAL_RPC_READ_MASK_H
#define PRBAL_RPC_READ_MASK_H

#include "rpc/status.h"

#include <google/protobuf/field_mask.pb-c.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* Partial reads.  A unary method whose request has a field
 *
 *     google.protobuf.FieldMask read_mask = 9;
 *
 * answers what the mask names and leaves the rest out; its handler need not
 * know.  Paths are those of the response message, "services.owner.full_name":
 * they lead through messages, and through all members of repeated ones.  An
 * empty mask names everything.
 *
 * What the response says of itself is always there: its own singular fields
 * that are no messages, such as next_page_token and total_size.  A client that
 * forgot to name them would take a first page for all there is. */
enum { READ_MASK_PATHS_MAX = 100, READ_MASK_DEPTH_MAX = 16 };

struct read_mask;

/* The read_mask field of a request type; NULL when it has none. */
const ProtobufCFieldDescriptor *read_mask_field(
    const ProtobufCMessageDescriptor *request);

/* Reads that field (NULL: there is none) of `request` for the response of the
 * call's method.  *mask is NULL when everything is wanted; it lives as long as
 * the request.  INVALID_ARGUMENT on read_mask for a path that leads nowhere,
 * or beyond the limits above. */
rpc_status read_mask_open(struct rpc_call *call,
                          const ProtobufCFieldDescriptor *field,
                          const ProtobufCMessage *request,
                          const struct read_mask **mask);

/* Takes out of `response`, in place, what `mask` (NULL: everything) does not
 * name. */
void read_mask_prune(const struct read_mask *mask, ProtobufCMessage *response);

/* For handlers that can save work: whether anything at or below `path` is
 * wanted. */
bool read_mask_wants(const Google__Protobuf__FieldMask *mask, const char *path);

#endif
