#ifndef PRBAL_RPC_ENUM_NAME_H
#define PRBAL_RPC_ENUM_NAME_H

#include <protobuf-c/protobuf-c.h>

/* "PENDING" for BID_STATUS_PENDING of enum BidStatus: the value's name without
 * the enum's own, for sentences and for the database.  A value that does not
 * carry the prefix keeps its name; NULL for a number without a name. */
const char *enum_name(const ProtobufCEnumDescriptor *type, int value);

#endif
