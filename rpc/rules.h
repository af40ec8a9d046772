#ifndef PRBAL_RPC_RULES_H
#define PRBAL_RPC_RULES_H

#include "rpc/arena.h"
#include "rpc/regex.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Validation rules as tables: protoc-gen-prbal writes them from the
 * buf.validate options of a .proto, rpc/validate.c walks them. */

enum rule_kind {
    RULE_CONST,  /* a */
    RULE_IN,     /* list */
    RULE_NOT_IN, /* list */
    RULE_RANGE,  /* a = lower, b = upper, flags */
    RULE_FINITE,
    RULE_LEN, /* a.u; code points of a string, bytes of bytes */
    RULE_MIN_LEN,
    RULE_MAX_LEN,
    RULE_LEN_BYTES,
    RULE_MIN_BYTES,
    RULE_MAX_BYTES,
    RULE_PATTERN, /* a.pattern */
    RULE_PREFIX,  /* a.text */
    RULE_SUFFIX,
    RULE_CONTAINS,
    RULE_NOT_CONTAINS,
    RULE_FORMAT, /* a.u, enum rule_format */
    RULE_DEFINED_ONLY,
    RULE_MIN_ITEMS, /* a.u; also pairs of a map */
    RULE_MAX_ITEMS,
    RULE_UNIQUE,
    RULE_VALID_TIME, /* a Timestamp or Duration as protobuf defines them */
    RULE_LT_NOW,
    RULE_GT_NOW,
    RULE_WITHIN,     /* a.span, of now */
    RULE_MASK_CONST, /* list of paths, which the mask has in this order */
    RULE_MASK_IN,    /* list; each path of the mask is or is below one */
    RULE_MASK_NOT_IN,
    RULE_KIND_COUNT,
};

enum rule_format {
    FORMAT_EMAIL,
    FORMAT_HOSTNAME,
    FORMAT_IP,
    FORMAT_IPV4,
    FORMAT_IPV6,
    FORMAT_URI,
    FORMAT_URI_REF,
    FORMAT_ADDRESS, /* hostname or IP */
    FORMAT_UUID,
    FORMAT_TUUID, /* a UUID without dashes */
    FORMAT_ULID,
    FORMAT_IP_WITH_PREFIXLEN, /* "10.1.2.3/8" */
    FORMAT_IPV4_WITH_PREFIXLEN,
    FORMAT_IPV6_WITH_PREFIXLEN,
    FORMAT_IP_PREFIX, /* "10.0.0.0/8": nothing behind the prefix */
    FORMAT_IPV4_PREFIX,
    FORMAT_IPV6_PREFIX,
    FORMAT_HOST_AND_PORT,
    FORMAT_PROTOBUF_FQN,     /* "buf.validate.Rule" */
    FORMAT_PROTOBUF_DOT_FQN, /* ".buf.validate.Rule" */
    FORMAT_HEADER_NAME,
    FORMAT_HEADER_VALUE,
    FORMAT_LOOSE_HEADER_NAME, /* all but NUL and line ends */
    FORMAT_LOOSE_HEADER_VALUE,
    FORMAT_BYTES_IP, /* in network byte order, as the next three */
    FORMAT_BYTES_IPV4,
    FORMAT_BYTES_IPV6,
    FORMAT_BYTES_UUID,
    FORMAT_COUNT,
};

enum {
    RANGE_LOWER = 1,        /* `a` is a bound */
    RANGE_UPPER = 2,        /* `b` is a bound */
    RANGE_LOWER_STRICT = 4, /* the bound itself is outside */
    RANGE_UPPER_STRICT = 8,
    RANGE_OUTSIDE = 16, /* the upper bound is below the lower one */
};

/* A regular expression, compiled by the generator. */
struct rule_pattern {
    const char *text;
    struct regex regex;
};

struct rule_span {
    int64_t seconds;
    int32_t nanos;
};

/* How values compare, and with it which member of rule_value counts. */
enum rule_class {
    CLASS_SIGNED,
    CLASS_UNSIGNED,
    CLASS_REAL,
    CLASS_TEXT, /* and bytes */
    CLASS_SPAN, /* Timestamp and Duration */
    CLASS_PATTERN,
};

union rule_value {
    int64_t i;
    uint64_t u;
    double d;
    struct {
        const char *text;
        size_t size;
    };
    struct rule_span span;
    const struct rule_pattern *pattern;
};

struct rule_check {
    uint8_t kind;
    uint8_t class; /* of a, b and list */
    uint8_t flags;
    uint32_t count; /* of `list` */
    union rule_value a;
    union rule_value b;
    const union rule_value *list;
    const char *id; /* in protovalidate: "string.min_len" */
};

enum rule_ignore { IGNORE_UNSET, IGNORE_ZERO, IGNORE_ALL };

struct rpc_rules;

/* What holds for one value. */
struct rule_value_rules {
    const struct rule_check *checks;
    size_t check_count;
    const struct rpc_rules *message; /* of a message's own fields; or NULL */
    bool ignore_zero; /* of items, keys and values, which are always set */
    bool wrapped;     /* checks are for the first field of the message that the
                         value is: a wrapper's value, an Any's type_url */
};

struct rule_field {
    unsigned index; /* in the descriptor's fields */
    uint8_t ignore; /* enum rule_ignore */
    bool required;
    struct rule_value_rules own; /* of the value, or of the list as a whole */
    const struct rule_value_rules *items; /* of each item; NULL = none */
    const struct rule_value_rules *keys;  /* of a map; NULL = no map */
    const struct rule_value_rules *values;
};

struct rule_oneof {
    const char *name;
    unsigned member; /* index of any member */
};

/* Fields of which at most one may be set: buf.validate's MessageOneofRule. */
struct rule_choice {
    const unsigned *members;
    size_t count;
    bool required;
};

/* The rules of one message type. */
struct rpc_rules {
    const struct rule_field *fields;
    size_t field_count;
    const struct rule_oneof *oneofs; /* those that are required */
    size_t oneof_count;
    const struct rule_choice *choices;
    size_t choice_count;
};

struct rule_violation {
    const char *field; /* "items[3].name"; "" = the whole message */
    const char *description;
    const char *rule; /* its id: "string.min_len", "required" */
    bool for_key;     /* `field` names a pair of a map: its key is wrong */
};

/* Writes what is wrong with `message` to violations[room], texts in `arena`;
 * returns how many there are, at most `room`. */
size_t rules_violations(struct arena *arena, const struct rpc_rules *rules,
                        const ProtobufCMessage *message,
                        struct rule_violation *violations, size_t room);

/* NULL when the value at `member` passes, else what is wrong, in `arena`.  For
 * a list as a whole `member` is the message around it. */
const char *rule_check_value(struct arena *arena,
                             const struct rule_check *check,
                             const ProtobufCFieldDescriptor *field,
                             const void *member);
const char *rule_check_list(struct arena *arena, const struct rule_check *check,
                            const ProtobufCFieldDescriptor *field,
                            const ProtobufCMessage *message);

/* The id of the rule that the value breaks: check->id, or one of its variants
 * ("string.email_empty"). */
const char *rule_check_id(struct arena *arena, const struct rule_check *check,
                          const ProtobufCFieldDescriptor *field,
                          const void *member);

#endif
