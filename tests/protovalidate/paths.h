#ifndef PRBAL_TESTS_PROTOVALIDATE_PATHS_H
#define PRBAL_TESTS_PROTOVALIDATE_PATHS_H

#include "rpc/gen/gen.h"
#include "rpc/rules.h"
#include "tests/protovalidate/harness.rpc.h"

/* Paths of violations as buf.validate.FieldPath; NULL for the empty path. */

/* Of the field, in a message of type `at`. */
FieldPath *path_of_field(struct gen *gen, const struct message_at *at,
                         const char *field);

/* Of the rule in FieldRules: "repeated.items.string.len".  `field` is the path
 * that the violation is at. */
FieldPath *path_of_rule(struct gen *gen, const struct rule_violation *violation,
                        const FieldPath *field);

#endif
