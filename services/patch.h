#ifndef PRBAL_SERVICES_PATCH_H
#define PRBAL_SERVICES_PATCH_H

#include "rpc/status.h"

#include <google/protobuf/field_mask.pb-c.h>
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* Partial updates.  An update request has the fields of the object that it
 * changes, by the same names: scalars as proto3 `optional`, messages and
 * repeated fields as they are.  Those are the patch; its other scalars, such as
 * the object's id, are not.
 *
 * The patch touches the fields that update_mask names, or, when that is empty,
 * those that are set.  A field that is named but not set goes to its default.
 */
struct patch {
    const ProtobufCMessage *request;
    const Google__Protobuf__FieldMask *mask; /* may be NULL */
};

/* INVALID_ARGUMENT on update_mask when it names what no patch can touch. */
rpc_status patch_check(struct rpc_call *call, struct patch patch);

bool patch_touches(struct patch patch, const char *field);

/* False when the patch touches anything but `field`. */
bool patch_touches_only(struct patch patch, const char *field);

/* Copies what is touched into `object`: pointers, so that the object lives no
 * longer than the request. */
void patch_apply(struct patch patch, ProtobufCMessage *object);

/* Copies every field of `from` that `to` has under the same name, for making
 * an object of the request that creates it. */
void patch_fill(const ProtobufCMessage *from, ProtobufCMessage *to);

#endif
