/* One rule of buf.validate, one struct rule_check. */
#include "rpc/codec.h"
#include "rpc/gen/rule_tables.h"
#include "rpc/regex.h"
#include "rpc/rule_values.h"

#include <buf/validate/validate.pb-c.h>
#include <string.h>

void rule_problem(struct rule_reader *r, const char *field, const char *format,
                  const char *detail)
{
    const char *sentence = arena_printf(r->gen->arena, format, detail);
    gen_problem(r->gen, "%s: %s.%s.%s: %s", r->at->file->name,
                r->at->file->package, r->at->scope, field, sentence);
}

void check_list_add(struct rule_reader *r, struct check_list *list,
                    struct rule_check check)
{
    if (list->count == list->room) {
        list->room = list->room * 2 + 4;
        struct rule_check *grown =
            arena_array(r->gen->arena, list->room, sizeof *grown);
        if (list->count > 0)
            memcpy(grown, list->checks, list->count * sizeof *grown);
        list->checks = grown;
    }
    list->checks[list->count++] = check;
}

/* Checks */

static const struct {
    const char *rule;
    enum rule_kind kind;
} kinds_by_rule[] = {
    {"const", RULE_CONST},
    {"len", RULE_LEN},
    {"min_len", RULE_MIN_LEN},
    {"max_len", RULE_MAX_LEN},
    {"len_bytes", RULE_LEN_BYTES},
    {"min_bytes", RULE_MIN_BYTES},
    {"max_bytes", RULE_MAX_BYTES},
    {"prefix", RULE_PREFIX},
    {"suffix", RULE_SUFFIX},
    {"contains", RULE_CONTAINS},
    {"not_contains", RULE_NOT_CONTAINS},
    {"min_items", RULE_MIN_ITEMS},
    {"max_items", RULE_MAX_ITEMS},
    {"min_pairs", RULE_MIN_ITEMS},
    {"max_pairs", RULE_MAX_ITEMS},
    {"within", RULE_WITHIN},
};

/* Rules that are switched on by `true`; type NULL = any. */
static const struct {
    const char *type;
    const char *rule;
    enum rule_kind kind;
    enum rule_format format;
} switches[] = {
    {"enum", "defined_only", RULE_DEFINED_ONLY, 0},
    {NULL, "finite", RULE_FINITE, 0},
    {"repeated", "unique", RULE_UNIQUE, 0},
    {"timestamp", "lt_now", RULE_LT_NOW, 0},
    {"timestamp", "gt_now", RULE_GT_NOW, 0},
    {"bytes", "ip", RULE_FORMAT, FORMAT_BYTES_IP},
    {"bytes", "ipv4", RULE_FORMAT, FORMAT_BYTES_IPV4},
    {"bytes", "ipv6", RULE_FORMAT, FORMAT_BYTES_IPV6},
    {"bytes", "uuid", RULE_FORMAT, FORMAT_BYTES_UUID},
    {"string", "email", RULE_FORMAT, FORMAT_EMAIL},
    {"string", "hostname", RULE_FORMAT, FORMAT_HOSTNAME},
    {"string", "ip", RULE_FORMAT, FORMAT_IP},
    {"string", "ipv4", RULE_FORMAT, FORMAT_IPV4},
    {"string", "ipv6", RULE_FORMAT, FORMAT_IPV6},
    {"string", "uri", RULE_FORMAT, FORMAT_URI},
    {"string", "uri_ref", RULE_FORMAT, FORMAT_URI_REF},
    {"string", "address", RULE_FORMAT, FORMAT_ADDRESS},
    {"string", "uuid", RULE_FORMAT, FORMAT_UUID},
    {"string", "tuuid", RULE_FORMAT, FORMAT_TUUID},
    {"string", "ulid", RULE_FORMAT, FORMAT_ULID},
    {"string", "ip_with_prefixlen", RULE_FORMAT, FORMAT_IP_WITH_PREFIXLEN},
    {"string", "ipv4_with_prefixlen", RULE_FORMAT, FORMAT_IPV4_WITH_PREFIXLEN},
    {"string", "ipv6_with_prefixlen", RULE_FORMAT, FORMAT_IPV6_WITH_PREFIXLEN},
    {"string", "ip_prefix", RULE_FORMAT, FORMAT_IP_PREFIX},
    {"string", "ipv4_prefix", RULE_FORMAT, FORMAT_IPV4_PREFIX},
    {"string", "ipv6_prefix", RULE_FORMAT, FORMAT_IPV6_PREFIX},
    {"string", "host_and_port", RULE_FORMAT, FORMAT_HOST_AND_PORT},
    {"string", "protobuf_fqn", RULE_FORMAT, FORMAT_PROTOBUF_FQN},
    {"string", "protobuf_dot_fqn", RULE_FORMAT, FORMAT_PROTOBUF_DOT_FQN},
};

/* Rules that are part of something else, or say nothing. */
static const char *const handled_elsewhere[] = {
    "lt", "lte", "gt", "gte", "items", "keys", "values", "example", "strict",
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

static const char *id_of(struct rule_reader *r, const char *type,
                         const char *rule)
{
    return arena_printf(r->gen->arena, "%s.%s", type, rule);
}

/* Whether the upper bound is below the lower one. */
static bool is_outside(enum rule_class class, const union rule_value *lower,
                       const union rule_value *upper)
{
    switch (class) {
    case CLASS_SPAN:
        return upper->span.seconds < lower->span.seconds ||
               (upper->span.seconds == lower->span.seconds &&
                upper->span.nanos < lower->span.nanos);
    case CLASS_REAL:
        return upper->d < lower->d;
    case CLASS_UNSIGNED:
        return upper->u < lower->u;
    default:
        return upper->i < lower->i;
    }
}

/* Lower and upper bound are one check, which goes by both names. */
static void read_range(struct rule_reader *r, const char *type,
                       const ProtobufCMessage *rules, struct check_list *list)
{
    const ProtobufCFieldDescriptor *lt = set_rule(rules, "lt");
    const ProtobufCFieldDescriptor *gt = set_rule(rules, "gt");
    const ProtobufCFieldDescriptor *upper =
        lt != NULL ? lt : set_rule(rules, "lte");
    const ProtobufCFieldDescriptor *lower =
        gt != NULL ? gt : set_rule(rules, "gte");
    if (lower == NULL && upper == NULL)
        return;
    struct rule_check check = {.kind = RULE_RANGE};
    check.class = rule_class_of(lower != NULL ? lower : upper);
    check.id = id_of(r, type, lower != NULL ? lower->name : upper->name);
    if (lower != NULL) {
        check.flags |= RANGE_LOWER | (gt != NULL ? RANGE_LOWER_STRICT : 0);
        check.a = rule_value_of(lower, member_of(rules, lower));
    }
    if (upper != NULL) {
        check.flags |= RANGE_UPPER | (lt != NULL ? RANGE_UPPER_STRICT : 0);
        check.b = rule_value_of(upper, member_of(rules, upper));
    }
    if (lower != NULL && upper != NULL) {
        bool outside = is_outside(check.class, &check.a, &check.b);
        check.flags |= outside ? RANGE_OUTSIDE : 0;
        check.id = arena_printf(r->gen->arena, "%s.%s_%s%s", type, lower->name,
                                upper->name, outside ? "_exclusive" : "");
    }
    check_list_add(r, list, check);
}

static void fill_list(struct rule_reader *r, struct rule_check *check,
                      const ProtobufCMessage *rules,
                      const ProtobufCFieldDescriptor *rule)
{
    size_t count =
        *(const size_t *)((const char *)rules + rule->quantifier_offset);
    const char *array = *(const char *const *)member_of(rules, rule);
    size_t stride = codec_element_size(rule->type);
    union rule_value *values =
        arena_array(r->gen->arena, count + 1, sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = rule_value_of(rule, array + i * stride);
    check->class = rule_class_of(rule);
    check->count = (uint32_t)count;
    check->list = values;
}

static void read_list(struct rule_reader *r, const char *type,
                      const ProtobufCMessage *rules,
                      const ProtobufCFieldDescriptor *rule,
                      struct check_list *list)
{
    bool in = strcmp(rule->name, "in") == 0;
    bool mask = strcmp(type, "field_mask") == 0;
    struct rule_check check = {.id = id_of(r, type, rule->name)};
    check.kind = mask ? in ? RULE_MASK_IN : RULE_MASK_NOT_IN
                 : in ? RULE_IN
                      : RULE_NOT_IN;
    fill_list(r, &check, rules, rule);
    check_list_add(r, list, check);
}

static void read_mask_const(struct rule_reader *r,
                            const ProtobufCMessage *rules,
                            struct check_list *list)
{
    const Google__Protobuf__FieldMask *mask =
        ((const Buf__Validate__FieldMaskRules *)rules)->const_;
    struct rule_check check = {.kind = RULE_MASK_CONST,
                               .id = "field_mask.const"};
    fill_list(r, &check, &mask->base, &mask->base.descriptor->fields[0]);
    check_list_add(r, list, check);
}

static void read_pattern(struct rule_reader *r, const char *field,
                         const char *type, const char *text,
                         struct check_list *list)
{
    const char *wrong;
    const struct regex *regex = regex_compile(r->gen->arena, text, &wrong);
    if (regex == NULL) {
        rule_problem(r, field, "its pattern will not do: %s", wrong);
        return;
    }
    struct rule_pattern *pattern =
        ARENA_NEW(r->gen->arena, struct rule_pattern);
    *pattern = (struct rule_pattern){text, *regex};
    check_list_add(r, list,
                   (struct rule_check){.kind = RULE_PATTERN,
                                       .class = CLASS_PATTERN,
                                       .a = {.pattern = pattern},
                                       .id = id_of(r, type, "pattern")});
}

static void read_known_regex(struct rule_reader *r,
                             const ProtobufCMessage *rules,
                             struct check_list *list)
{
    const Buf__Validate__StringRules *text =
        (const Buf__Validate__StringRules *)rules;
    bool strict = !text->has_strict || text->strict;
    bool name = text->well_known_regex ==
                BUF__VALIDATE__KNOWN_REGEX__KNOWN_REGEX_HTTP_HEADER_NAME;
    struct rule_check check = {.kind = RULE_FORMAT, .class = CLASS_UNSIGNED};
    if (text->well_known_regex ==
        BUF__VALIDATE__KNOWN_REGEX__KNOWN_REGEX_UNSPECIFIED)
        return;
    if (strict)
        check.a.u = name ? FORMAT_HEADER_NAME : FORMAT_HEADER_VALUE;
    else
        check.a.u = name ? FORMAT_LOOSE_HEADER_NAME : FORMAT_LOOSE_HEADER_VALUE;
    check.id = id_of(r, "string.well_known_regex",
                     name ? "header_name" : "header_value");
    check_list_add(r, list, check);
}

static bool read_switch(struct rule_reader *r, const char *type,
                        const char *rule, bool on, struct check_list *list)
{
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        if (strcmp(switches[i].rule, rule) != 0 ||
            (switches[i].type != NULL && strcmp(switches[i].type, type) != 0))
            continue;
        if (on)
            check_list_add(
                r, list,
                (struct rule_check){.kind = (uint8_t)switches[i].kind,
                                    .class = CLASS_UNSIGNED,
                                    .a = {.u = switches[i].format},
                                    .id = id_of(r, type, rule)});
        return true;
    }
    return false;
}

static bool read_value(struct rule_reader *r, const char *type,
                       const ProtobufCMessage *rules,
                       const ProtobufCFieldDescriptor *rule,
                       struct check_list *list)
{
    for (size_t i = 0; i < sizeof kinds_by_rule / sizeof kinds_by_rule[0];
         i++) {
        if (strcmp(kinds_by_rule[i].rule, rule->name) != 0)
            continue;
        check_list_add(r, list,
                       (struct rule_check){
                           .kind = (uint8_t)kinds_by_rule[i].kind,
                           .class = (uint8_t)rule_class_of(rule),
                           .a = rule_value_of(rule, member_of(rules, rule)),
                           .id = id_of(r, type, rule->name)});
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

static void read_rule(struct rule_reader *r, const char *field,
                      const char *type, const ProtobufCMessage *rules,
                      const ProtobufCFieldDescriptor *rule,
                      struct check_list *list)
{
    const void *member = member_of(rules, rule);
    const char *name = rule->name;
    if (is_handled_elsewhere(name))
        return;
    if (strcmp(name, "pattern") == 0)
        read_pattern(r, field, type, *(const char *const *)member, list);
    else if (strcmp(name, "in") == 0 || strcmp(name, "not_in") == 0)
        read_list(r, type, rules, rule, list);
    else if (strcmp(name, "well_known_regex") == 0)
        read_known_regex(r, rules, list);
    else if (strcmp(type, "field_mask") == 0)
        read_mask_const(r, rules, list);
    else if (!(rule->type == PROTOBUF_C_TYPE_BOOL &&
               read_switch(r, type, name, *(const protobuf_c_boolean *)member,
                           list)) &&
             !read_value(r, type, rules, rule, list))
        rule_problem(r, field, "the rule %s is not supported", name);
}

void read_checks(struct rule_reader *r, const char *field, const char *type,
                 const ProtobufCMessage *rules, struct check_list *list)
{
    const ProtobufCMessageDescriptor *known = rules->descriptor;
    read_range(r, type, rules, list);
    for (unsigned i = 0; i < known->n_fields; i++)
        if (codec_is_set(rules, &known->fields[i]))
            read_rule(r, field, type, rules, &known->fields[i], list);
    if (rules->n_unknown_fields > 0)
        rule_problem(r, field, "a rule that %s is not known here",
                     "extends buf.validate");
}
