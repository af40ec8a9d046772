/* One rule of buf.validate, one row of struct rule_check. */
#include "rpc/gen/rule_checks.h"

#include "rpc/codec.h"
#include "rpc/regex.h"

#include <buf/validate/validate.pb-c.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

void rule_problem(struct emitter *e, const char *field, const char *format,
                  const char *detail)
{
    const char *sentence = arena_printf(e->gen->arena, format, detail);
    gen_problem(e->gen, "%s: %s.%s.%s: %s", e->at->file->name,
                e->at->file->package, e->at->scope, field, sentence);
}

/* Values in C */

static const char *text_literal(struct arena *arena, const char *text,
                                size_t size)
{
    char *literal = arena_alloc(arena, size * 4 + 1);
    for (size_t i = 0; i < size; i++)
        snprintf(literal + 4 * i, 5, "\\%03o", (unsigned char)text[i]);
    return arena_printf(arena, "{.text = \"%s\", .size = %zu}", literal, size);
}

static const char *span_literal(struct arena *arena,
                                const ProtobufCMessage *message)
{
    /* Duration has the layout of Timestamp. */
    const Google__Protobuf__Duration *span =
        (const Google__Protobuf__Duration *)message;
    return arena_printf(arena, "{.span = {INT64_C(%" PRId64 "), %d}}",
                        span->seconds, span->nanos);
}

static const char *signed_literal(struct arena *arena, int64_t number)
{
    if (number == INT64_MIN)
        return "{.i = INT64_MIN}";
    return arena_printf(arena, "{.i = INT64_C(%" PRId64 ")}", number);
}

static const char *literal(struct arena *arena,
                           const ProtobufCFieldDescriptor *field,
                           const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return arena_printf(arena, "{.u = %uu}", *(const uint32_t *)member);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return arena_printf(arena, "{.u = UINT64_C(%" PRIu64 ")}",
                            *(const uint64_t *)member);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return signed_literal(arena, *(const int64_t *)member);
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)member ? "{.u = 1}" : "{.u = 0}";
    case PROTOBUF_C_TYPE_FLOAT:
        return arena_printf(arena, "{.d = %a}", (double)*(const float *)member);
    case PROTOBUF_C_TYPE_DOUBLE:
        return arena_printf(arena, "{.d = %a}", *(const double *)member);
    case PROTOBUF_C_TYPE_STRING: {
        const char *text = *(const char *const *)member;
        return text_literal(arena, text, strlen(text));
    }
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *bytes = member;
        return text_literal(arena, (const char *)bytes->data, bytes->len);
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        return span_literal(arena, *(const ProtobufCMessage *const *)member);
    default:
        return signed_literal(arena, *(const int32_t *)member);
    }
}

/* Checks */

static const struct {
    const char *rule;
    const char *kind;
} kinds_by_rule[] = {
    {"const", "RULE_CONST"},
    {"len", "RULE_LEN"},
    {"min_len", "RULE_MIN_LEN"},
    {"max_len", "RULE_MAX_LEN"},
    {"len_bytes", "RULE_LEN_BYTES"},
    {"min_bytes", "RULE_MIN_BYTES"},
    {"max_bytes", "RULE_MAX_BYTES"},
    {"prefix", "RULE_PREFIX"},
    {"suffix", "RULE_SUFFIX"},
    {"contains", "RULE_CONTAINS"},
    {"not_contains", "RULE_NOT_CONTAINS"},
    {"min_items", "RULE_MIN_ITEMS"},
    {"max_items", "RULE_MAX_ITEMS"},
    {"min_pairs", "RULE_MIN_ITEMS"},
    {"max_pairs", "RULE_MAX_ITEMS"},
    {"within", "RULE_WITHIN"},
};

/* Rules that are switched on by `true`. */
static const struct {
    const char *rule;
    const char *check;
} switches[] = {
    {"defined_only", "RULE_DEFINED_ONLY"},
    {"finite", "RULE_FINITE"},
    {"unique", "RULE_UNIQUE"},
    {"lt_now", "RULE_LT_NOW"},
    {"gt_now", "RULE_GT_NOW"},
    {"email", "RULE_FORMAT, .a = {.u = FORMAT_EMAIL}"},
    {"hostname", "RULE_FORMAT, .a = {.u = FORMAT_HOSTNAME}"},
    {"ip", "RULE_FORMAT, .a = {.u = FORMAT_IP}"},
    {"ipv4", "RULE_FORMAT, .a = {.u = FORMAT_IPV4}"},
    {"ipv6", "RULE_FORMAT, .a = {.u = FORMAT_IPV6}"},
    {"uri", "RULE_FORMAT, .a = {.u = FORMAT_URI}"},
    {"uri_ref", "RULE_FORMAT, .a = {.u = FORMAT_URI_REF}"},
    {"address", "RULE_FORMAT, .a = {.u = FORMAT_ADDRESS}"},
    {"uuid", "RULE_FORMAT, .a = {.u = FORMAT_UUID}"},
    {"tuuid", "RULE_FORMAT, .a = {.u = FORMAT_TUUID}"},
    {"ulid", "RULE_FORMAT, .a = {.u = FORMAT_ULID}"},
    {"host_and_port", "RULE_FORMAT, .a = {.u = FORMAT_HOST_AND_PORT}"},
};

/* Rules that are part of something else, or say nothing. */
static const char *const handled_elsewhere[] = {
    "lt", "lte", "gt", "gte", "items", "keys", "values", "example",
};

static const ProtobufCFieldDescriptor *set_rule(const ProtobufCMessage *rules,
                                                const char *name)
{
    const ProtobufCFieldDescriptor *rule =
        protobuf_c_message_descriptor_get_field_by_name(rules->descriptor,
                                                        name);
    return rule != NULL && codec_is_set(rules, rule) ? rule : NULL;
}

static const void *member_of(const ProtobufCMessage *message,
                             const ProtobufCFieldDescriptor *field)
{
    return (const char *)message + field->offset;
}

/* Whether the upper bound is below the lower one. */
static bool is_outside(const ProtobufCFieldDescriptor *rule, const void *lower,
                       const void *upper)
{
    switch (rule->type) {
    case PROTOBUF_C_TYPE_MESSAGE: {
        const Google__Protobuf__Duration *a =
            *(const Google__Protobuf__Duration *const *)lower;
        const Google__Protobuf__Duration *b =
            *(const Google__Protobuf__Duration *const *)upper;
        return b->seconds < a->seconds ||
               (b->seconds == a->seconds && b->nanos < a->nanos);
    }
    case PROTOBUF_C_TYPE_FLOAT:
        return *(const float *)upper < *(const float *)lower;
    case PROTOBUF_C_TYPE_DOUBLE:
        return *(const double *)upper < *(const double *)lower;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return *(const uint32_t *)upper < *(const uint32_t *)lower;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return *(const uint64_t *)upper < *(const uint64_t *)lower;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return *(const int64_t *)upper < *(const int64_t *)lower;
    default:
        return *(const int32_t *)upper < *(const int32_t *)lower;
    }
}

static size_t emit_range(struct emitter *e, FILE *rows,
                         const ProtobufCMessage *rules)
{
    struct arena *arena = e->gen->arena;
    const ProtobufCFieldDescriptor *lt = set_rule(rules, "lt");
    const ProtobufCFieldDescriptor *gt = set_rule(rules, "gt");
    const ProtobufCFieldDescriptor *upper =
        lt != NULL ? lt : set_rule(rules, "lte");
    const ProtobufCFieldDescriptor *lower =
        gt != NULL ? gt : set_rule(rules, "gte");
    if (lower == NULL && upper == NULL)
        return 0;
    fprintf(rows, "    {.kind = RULE_RANGE, .flags = 0");
    if (lower != NULL)
        fprintf(rows, " | RANGE_LOWER%s", gt ? " | RANGE_LOWER_STRICT" : "");
    if (upper != NULL)
        fprintf(rows, " | RANGE_UPPER%s", lt ? " | RANGE_UPPER_STRICT" : "");
    if (lower != NULL && upper != NULL &&
        is_outside(lower, member_of(rules, lower), member_of(rules, upper)))
        fprintf(rows, " | RANGE_OUTSIDE");
    if (lower != NULL)
        fprintf(rows, ", .a = %s",
                literal(arena, lower, member_of(rules, lower)));
    if (upper != NULL)
        fprintf(rows, ", .b = %s",
                literal(arena, upper, member_of(rules, upper)));
    fprintf(rows, "},\n");
    return 1;
}

static void emit_list(struct emitter *e, FILE *rows, const char *kind,
                      const ProtobufCMessage *rules,
                      const ProtobufCFieldDescriptor *rule)
{
    size_t count =
        *(const size_t *)((const char *)rules + rule->quantifier_offset);
    const char *at = *(const char *const *)member_of(rules, rule);
    fprintf(e->out, "static const union rule_value list_%d[] = {\n",
            ++e->serial);
    for (size_t i = 0; i < count; i++)
        fprintf(e->out, "    %s,\n",
                literal(e->gen->arena, rule,
                        at + i * codec_element_size(rule->type)));
    fprintf(e->out, "};\n");
    fprintf(rows, "    {.kind = %s, .count = %zu, .list = list_%d},\n", kind,
            count, e->serial);
}

static size_t emit_pattern(struct emitter *e, FILE *rows, const char *field,
                           const char *text)
{
    const char *wrong;
    const struct regex *regex = regex_compile(e->gen->arena, text, &wrong);
    if (regex == NULL) {
        rule_problem(e, field, "its pattern will not do: %s", wrong);
        return 0;
    }
    fprintf(e->out, "static const struct regex_op ops_%d[] = {", ++e->serial);
    for (size_t i = 0; i < regex->count; i++)
        fprintf(e->out, "%s{%d, %d, %d},", i % 6 == 0 ? "\n    " : " ",
                regex->ops[i].kind, regex->ops[i].a, regex->ops[i].b);
    fprintf(e->out, "\n};\nstatic const struct rule_pattern pattern_%d = {\"",
            e->serial);
    for (const char *c = text; *c != '\0'; c++)
        fprintf(e->out, "\\%03o", (unsigned char)*c);
    fprintf(e->out, "\", {ops_%d, %zu}};\n", e->serial, regex->count);
    fprintf(rows,
            "    {.kind = RULE_PATTERN, .a = {.pattern = &pattern_%d}},\n",
            e->serial);
    return 1;
}

static bool emit_switch(FILE *rows, const char *rule, bool on, size_t *count)
{
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (strcmp(switches[i].rule, rule) != 0)
            continue;
        if (on)
            fprintf(rows, "    {.kind = %s},\n", switches[i].check);
        *count += on;
        return true;
    }
    return false;
}

static bool emit_kind(struct emitter *e, FILE *rows,
                      const ProtobufCMessage *rules,
                      const ProtobufCFieldDescriptor *rule)
{
    for (size_t i = 0; i < sizeof kinds_by_rule / sizeof kinds_by_rule[0];
         i++) {
        if (strcmp(kinds_by_rule[i].rule, rule->name) != 0)
            continue;
        fprintf(rows, "    {.kind = %s, .a = %s},\n", kinds_by_rule[i].kind,
                literal(e->gen->arena, rule, member_of(rules, rule)));
        return true;
    }
    return false;
}

static bool is_handled_elsewhere(const char *rule)
{
    for (size_t i = 0;
         i < sizeof handled_elsewhere / sizeof handled_elsewhere[0]; i++)
        if (strcmp(handled_elsewhere[i], rule) == 0)
            return true;
    return false;
}

/* Formats and patterns are defined for text; `const` of a message that is no
 * time would need to compare messages. */
static bool is_supported(const ProtobufCMessage *rules, const char *rule)
{
    const ProtobufCMessageDescriptor *type = rules->descriptor;
    if (type == &buf__validate__any_rules__descriptor)
        return false;
    if (type == &buf__validate__field_mask_rules__descriptor)
        return strcmp(rule, "const") != 0;
    if (type == &buf__validate__bytes_rules__descriptor)
        return strcmp(rule, "pattern") != 0 && strncmp(rule, "ip", 2) != 0 &&
               strcmp(rule, "uuid") != 0;
    return true;
}

/* One rule becomes one row or none; returns the number of rows. */
static size_t emit_rule(struct emitter *e, FILE *rows, const char *field,
                        const ProtobufCMessage *rules,
                        const ProtobufCFieldDescriptor *rule)
{
    size_t count = 0;
    const void *member = member_of(rules, rule);
    bool mask =
        rules->descriptor == &buf__validate__field_mask_rules__descriptor;
    if (is_handled_elsewhere(rule->name))
        return 0;
    if (!is_supported(rules, rule->name)) {
        rule_problem(e, field, "the rule %s is not supported for its type",
                     rule->name);
        return 0;
    }
    if (strcmp(rule->name, "pattern") == 0)
        return emit_pattern(e, rows, field, *(const char *const *)member);
    if (strcmp(rule->name, "in") == 0 || strcmp(rule->name, "not_in") == 0) {
        const char *kind = rule->name[0] == 'i' ? "IN" : "NOT_IN";
        emit_list(
            e, rows,
            arena_printf(e->gen->arena, "RULE_%s%s", mask ? "MASK_" : "", kind),
            rules, rule);
        return 1;
    }
    if (rule->type == PROTOBUF_C_TYPE_BOOL &&
        emit_switch(rows, rule->name, *(const protobuf_c_boolean *)member,
                    &count))
        return count;
    if (emit_kind(e, rows, rules, rule))
        return 1;
    rule_problem(e, field, "the rule %s is not supported", rule->name);
    return 0;
}

size_t emit_check_rows(struct emitter *e, FILE *rows, const char *field,
                       const ProtobufCMessage *rules)
{
    size_t count = emit_range(e, rows, rules);
    const ProtobufCMessageDescriptor *type = rules->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (codec_is_set(rules, &type->fields[i]))
            count += emit_rule(e, rows, field, rules, &type->fields[i]);
    if (rules->n_unknown_fields > 0)
        rule_problem(e, field, "a rule that %s is not known here",
                     "extends buf.validate");
    return count;
}
