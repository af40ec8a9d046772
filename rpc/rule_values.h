#ifndef PRBAL_RPC_RULE_VALUES_H
#define PRBAL_RPC_RULE_VALUES_H

#include "rpc/rules.h"

/* What the checks have in common.  `member` points to the value of `field` in
 * its message, or in an array. */

enum rule_class rule_class_of(const ProtobufCFieldDescriptor *field);
union rule_value rule_value_of(const ProtobufCFieldDescriptor *field,
                               const void *member);

/* Negative, zero or positive.  Not-a-number is not equal to anything. */
int rule_compare(enum rule_class class, const union rule_value *a,
                 const union rule_value *b);
int rule_compare_span(struct rule_span a, struct rule_span b);

bool rule_is_duration(const ProtobufCFieldDescriptor *field);

/* For sentences; in the arena or constant. */
const char *rule_value_text(struct arena *arena,
                            const ProtobufCFieldDescriptor *field,
                            const union rule_value *value);
const char *rule_span_text(struct arena *arena, struct rule_span span,
                           bool is_duration);

#endif
