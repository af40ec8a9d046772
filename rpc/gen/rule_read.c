/* From buf.validate's options to the tables of a message and its fields. */
#include "rpc/codec.h"
#include "rpc/gen/rule_tables.h"

#include <buf/validate/validate.pb-c.h>
#include <string.h>

typedef Buf__Validate__FieldRules field_rules;
typedef Buf__Validate__MessageRules message_rules;

/* buf.validate's extensions of field, message and oneof options. */
enum { RULES_OPTION = 1159 };

/* Reading the options */

static void *arena_take(void *arena, size_t size)
{
    return arena_alloc(arena, size);
}

static void arena_give(void *arena, void *memory)
{
    (void)arena;
    (void)memory;
}

static void *rules_option(struct gen *gen, const ProtobufCMessage *options,
                          const ProtobufCMessageDescriptor *type)
{
    size_t size;
    uint8_t *bytes = option_bytes(gen, options, RULES_OPTION, &size);
    ProtobufCAllocator allocator = {arena_take, arena_give, gen->arena};
    return bytes == NULL
               ? NULL
               : protobuf_c_message_unpack(type, &allocator, size, bytes);
}

static field_rules *rules_of(struct gen *gen, const proto_field *field)
{
    return rules_option(gen,
                        field->options == NULL ? NULL : &field->options->base,
                        &buf__validate__field_rules__descriptor);
}

static message_rules *rules_of_message(struct gen *gen,
                                       const proto_message *message)
{
    return rules_option(
        gen, message->options == NULL ? NULL : &message->options->base,
        &buf__validate__message_rules__descriptor);
}

static bool oneof_is_required(struct gen *gen, const proto_oneof *oneof)
{
    Buf__Validate__OneofRules *rules =
        rules_option(gen, oneof->options == NULL ? NULL : &oneof->options->base,
                     &buf__validate__oneof_rules__descriptor);
    return rules != NULL && rules->has_required && rules->required;
}

/* Which messages have rules at all */

static bool is_message(const proto_field *field)
{
    return field->type ==
               GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE ||
           field->type ==
               GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP;
}

static bool is_list(const proto_field *field)
{
    return field->label ==
           GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED;
}

static bool is_of_type(const proto_field *field, const char *type_name)
{
    return field->type_name != NULL && strcmp(field->type_name, type_name) == 0;
}

static bool is_time(const proto_field *field)
{
    return is_of_type(field, ".google.protobuf.Timestamp") ||
           is_of_type(field, ".google.protobuf.Duration");
}

/* The message of a map's entries; NULL when the field is no map. */
static const proto_message *map_entry(struct gen *gen, const proto_field *field)
{
    if (!is_message(field) || !is_list(field))
        return NULL;
    const proto_message *entry = gen_message(gen, field->type_name)->message;
    bool is_map = entry->options != NULL && entry->options->has_map_entry &&
                  entry->options->map_entry;
    return is_map ? entry : NULL;
}

/* Those of the message that the field's values are; NULL when there are none.
 */
static const struct rpc_rules *rules_of_type(struct gen *gen,
                                             const proto_field *field)
{
    return is_message(field) ? gen_message(gen, field->type_name)->rules : NULL;
}

static bool message_has_rules(struct gen *gen, const struct message_at *at)
{
    if (!gen->rules_everywhere && (!in_package(at->file, "prbal") ||
                                   in_package(at->file, "prbal.internal")))
        return false; /* nobody sends it */
    const proto_message *m = at->message;
    if (rules_of_message(gen, m) != NULL)
        return true;
    for (size_t i = 0; i < m->n_oneof_decl; i++)
        if (oneof_is_required(gen, m->oneof_decl[i]))
            return true;
    for (size_t i = 0; i < m->n_field; i++)
        if (is_time(m->field[i]) || rules_of_type(gen, m->field[i]) != NULL ||
            rules_of(gen, m->field[i]) != NULL)
            return true;
    return false;
}

void find_rules(struct gen *gen)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < gen->message_count; i++) {
            struct message_at *at = &gen->messages[i];
            if (at->rules != NULL || !message_has_rules(gen, at))
                continue;
            at->rules = ARENA_NEW(gen->arena, struct rpc_rules);
            changed = true;
        }
    }
}

/* Values */

/* The rules in FieldRules that a field's values may have, and whether they are
 * for the first field of the message that the value is. */
struct expected {
    const char *name; /* NULL = none */
    bool wrapped;
};

static struct expected expected_rules(const proto_field *field)
{
    static const struct {
        const char *type;
        struct expected rules;
    } messages[] = {
        {".google.protobuf.Timestamp", {"timestamp", false}},
        {".google.protobuf.Duration", {"duration", false}},
        {".google.protobuf.FieldMask", {"field_mask", false}},
        {".google.protobuf.Any", {"any", true}},
        {".google.protobuf.DoubleValue", {"double", true}},
        {".google.protobuf.FloatValue", {"float", true}},
        {".google.protobuf.Int64Value", {"int64", true}},
        {".google.protobuf.UInt64Value", {"uint64", true}},
        {".google.protobuf.Int32Value", {"int32", true}},
        {".google.protobuf.UInt32Value", {"uint32", true}},
        {".google.protobuf.BoolValue", {"bool", true}},
        {".google.protobuf.StringValue", {"string", true}},
        {".google.protobuf.BytesValue", {"bytes", true}},
    };
    static const char *const scalars[] = {
        NULL,       "double",   "float",   "int64",  "uint64",
        "int32",    "fixed64",  "fixed32", "bool",   "string",
        NULL,       NULL,       "bytes",   "uint32", "enum",
        "sfixed32", "sfixed64", "sint32",  "sint64",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        if (is_of_type(field, messages[i].type))
            return messages[i].rules;
    return (struct expected){scalars[field->type], false};
}

/* The message in the oneof `type` of a field's rules, with its name; NULL when
 * there is none. */
static const ProtobufCMessage *typed_rules(const field_rules *rules,
                                           const char **name)
{
    if (rules == NULL || rules->type_case == 0)
        return NULL;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(rules->base.descriptor,
                                                rules->type_case);
    *name = field->name;
    return *(const ProtobufCMessage *const *)((const char *)rules +
                                              field->offset);
}

static void refuse_expressions(struct rule_reader *r, const char *field,
                               const field_rules *rules)
{
    if (rules != NULL && (rules->n_cel > 0 || rules->n_cel_expression > 0))
        rule_problem(r, field, "%s needs an interpreter that is not here",
                     "CEL");
}

static enum rule_ignore ignore_of(const field_rules *rules)
{
    if (rules == NULL || !rules->has_ignore ||
        rules->ignore == BUF__VALIDATE__IGNORE__IGNORE_UNSPECIFIED)
        return IGNORE_UNSET;
    return rules->ignore == BUF__VALIDATE__IGNORE__IGNORE_ALWAYS ? IGNORE_ALL
                                                                 : IGNORE_ZERO;
}

/* What holds for a value that is not a list. */
static struct rule_value_rules read_value(struct rule_reader *r,
                                          const field_rules *rules,
                                          const proto_field *field)
{
    struct check_list list = {NULL, 0, 0};
    struct expected expected = expected_rules(field);
    const char *name = "";
    const ProtobufCMessage *typed = typed_rules(rules, &name);
    refuse_expressions(r, field->name, rules);
    if (is_time(field))
        check_list_add(
            r, &list,
            (struct rule_check){.kind = RULE_VALID_TIME, .id = "valid_time"});
    if (typed != NULL && expected.name != NULL &&
        strcmp(name, expected.name) == 0)
        read_checks(r, field->name, name, typed, &list);
    else if (typed != NULL)
        rule_problem(r, field->name, "rules for %s do not fit its type", name);
    return (struct rule_value_rules){
        .checks = list.checks,
        .check_count = list.count,
        .message = rules_of_type(r->gen, field),
        .wrapped = expected.wrapped,
    };
}

static bool says_something(const struct rule_value_rules *rules)
{
    return rules->check_count > 0 || rules->message != NULL;
}

/* Tables of their own for items, keys or values; NULL when there is nothing to
 * check. */
static const struct rule_value_rules *read_part(struct rule_reader *r,
                                                const field_rules *rules,
                                                const proto_field *field)
{
    struct rule_value_rules part = {NULL, 0, NULL, false, false};
    if (ignore_of(rules) != IGNORE_ALL)
        part = read_value(r, rules, field);
    if (!says_something(&part))
        return NULL;
    part.ignore_zero = ignore_of(rules) == IGNORE_ZERO;
    return arena_memdup(r->gen->arena, &part, sizeof part);
}

/* Fields */

static unsigned field_index(const proto_message *m, const proto_field *field)
{
    unsigned index = 0;
    for (size_t i = 0; i < m->n_field; i++)
        index += m->field[i]->number < field->number;
    return index;
}

static void read_repeated(struct rule_reader *r, const field_rules *rules,
                          const proto_field *field, struct rule_field *tables)
{
    const proto_message *entry = map_entry(r->gen, field);
    const char *name = entry != NULL ? "map" : "repeated";
    const char *given = name;
    const ProtobufCMessage *typed = typed_rules(rules, &given);
    refuse_expressions(r, field->name, rules);
    if (strcmp(given, name) != 0) {
        rule_problem(r, field->name, "rules for %s do not fit its type", given);
        return;
    }
    if (typed != NULL) {
        struct check_list list = {NULL, 0, 0};
        read_checks(r, field->name, name, typed, &list);
        tables->own.checks = list.checks;
        tables->own.check_count = list.count;
    }
    if (entry == NULL) {
        const Buf__Validate__RepeatedRules *list =
            (const Buf__Validate__RepeatedRules *)typed;
        tables->items = read_part(r, list == NULL ? NULL : list->items, field);
        return;
    }
    const Buf__Validate__MapRules *map = (const Buf__Validate__MapRules *)typed;
    tables->keys =
        read_part(r, map == NULL ? NULL : map->keys, entry->field[0]);
    tables->values =
        read_part(r, map == NULL ? NULL : map->values, entry->field[1]);
}

static bool is_in_choice(const message_rules *rules, const char *field)
{
    for (size_t i = 0; rules != NULL && i < rules->n_oneof; i++)
        for (size_t j = 0; j < rules->oneof[i]->n_fields; j++)
            if (strcmp(rules->oneof[i]->fields[j], field) == 0)
                return true;
    return false;
}

/* False when there is nothing to check. */
static bool read_field(struct rule_reader *r, const message_rules *whole,
                       const proto_field *field, struct rule_field *tables)
{
    const field_rules *rules = rules_of(r->gen, field);
    *tables = (struct rule_field){
        .index = field_index(r->at->message, field),
        .ignore = (uint8_t)ignore_of(rules),
        .required = rules != NULL && rules->has_required && rules->required,
    };
    /* A field of a choice is not checked when it has not been chosen. */
    if (tables->ignore == IGNORE_UNSET && is_in_choice(whole, field->name))
        tables->ignore = IGNORE_ZERO;
    if (is_list(field))
        read_repeated(r, rules, field, tables);
    else
        tables->own = read_value(r, rules, field);
    return tables->required || says_something(&tables->own) ||
           tables->items != NULL || tables->keys != NULL ||
           tables->values != NULL;
}

/* Messages */

static const proto_field *field_named(const proto_message *m, const char *name)
{
    for (size_t i = 0; i < m->n_field; i++)
        if (strcmp(m->field[i]->name, name) == 0)
            return m->field[i];
    return NULL;
}

static void read_fields(struct rule_reader *r, const message_rules *whole,
                        struct rpc_rules *rules)
{
    const proto_message *m = r->at->message;
    struct rule_field *fields =
        arena_array(r->gen->arena, m->n_field + 1, sizeof *fields);
    for (size_t i = 0; i < m->n_field; i++)
        rules->field_count +=
            read_field(r, whole, m->field[i], &fields[rules->field_count]);
    rules->fields = fields;
}

static void read_oneofs(struct rule_reader *r, struct rpc_rules *rules)
{
    const proto_message *m = r->at->message;
    struct rule_oneof *oneofs =
        arena_array(r->gen->arena, m->n_oneof_decl + 1, sizeof *oneofs);
    for (size_t i = 0; i < m->n_oneof_decl; i++) {
        if (!oneof_is_required(r->gen, m->oneof_decl[i]))
            continue;
        size_t member = 0;
        while (!m->field[member]->has_oneof_index ||
               (size_t)m->field[member]->oneof_index != i)
            member++; /* a oneof has one */
        oneofs[rules->oneof_count++] = (struct rule_oneof){
            m->oneof_decl[i]->name, field_index(m, m->field[member])};
    }
    rules->oneofs = oneofs;
}

static void read_choice(struct rule_reader *r,
                        const Buf__Validate__MessageOneofRule *rule,
                        struct rule_choice *choice)
{
    unsigned *members =
        arena_array(r->gen->arena, rule->n_fields + 1, sizeof *members);
    if (rule->n_fields == 0)
        rule_problem(r, "(message)", "a oneof rule names no %s", "field");
    for (size_t i = 0; i < rule->n_fields; i++) {
        const char *name = rule->fields[i];
        const proto_field *field = field_named(r->at->message, name);
        if (field == NULL) {
            rule_problem(r, name, "a oneof rule names it%s",
                         ", but there is no such field");
            return;
        }
        members[i] = field_index(r->at->message, field);
        for (size_t j = 0; j < i; j++)
            if (members[j] == members[i])
                rule_problem(r, name, "a oneof rule names it %s", "twice");
    }
    *choice = (struct rule_choice){members, rule->n_fields,
                                   rule->has_required && rule->required};
}

static void read_choices(struct rule_reader *r, const message_rules *whole,
                         struct rpc_rules *rules)
{
    if (whole == NULL)
        return;
    if (whole->n_cel > 0 || whole->n_cel_expression > 0)
        rule_problem(r, "(message)", "%s needs an interpreter that is not here",
                     "CEL");
    struct rule_choice *choices =
        arena_array(r->gen->arena, whole->n_oneof + 1, sizeof *choices);
    for (size_t i = 0; i < whole->n_oneof; i++)
        read_choice(r, whole->oneof[i], &choices[i]);
    rules->choices = choices;
    rules->choice_count = whole->n_oneof;
}

void read_rules(struct gen *gen, const struct message_at *at)
{
    struct rule_reader reader = {gen, at};
    const message_rules *whole = rules_of_message(gen, at->message);
    *at->rules = (struct rpc_rules){0};
    read_fields(&reader, whole, at->rules);
    read_oneofs(&reader, at->rules);
    read_choices(&reader, whole, at->rules);
}
