#ifndef PRBAL_RPC_ENUM_NAME_H
#define PRBAL_RPC_ENUM_NAME_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* "PENDING" for BID_STATUS_PENDING of enum BidStatus: the value's name without
 * the prefix that BID_STATUS_UNSPECIFIED tells, for sentences and for the
 * database.  An enum whose zero is not called so keeps its names whole; NULL
 * for a number without a name. */
const char *enum_name(const ProtobufCEnumDescriptor *type, int value);

/* The other way: the value with this name of `size` bytes, without the prefix
 * or with it.  False when there is none. */
bool enum_value(const ProtobufCEnumDescriptor *type, const char *name,
                size_t size, int *value);

#endif
