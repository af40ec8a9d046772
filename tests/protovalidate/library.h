#ifndef PRBAL_TESTS_PROTOVALIDATE_LIBRARY_H
#define PRBAL_TESTS_PROTOVALIDATE_LIBRARY_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* The suites library/... call the functions of protovalidate's CEL library,
 * this.val.isUri() and the like.  There is no CEL here, but each of them is
 * also what a standard format stands for, so the values of those cases can be
 * put to the format's own function.
 *
 * The id of the violation ("library.is_uri") for a message like IsUri; "" when
 * its value passes, NULL when the message is no such one. */
const char *library_violation(const ProtobufCMessage *message);

#endif
