/* The validation tables of x.rpc.c, from buf.validate's options. */
#include "rpc/codec.h"
#include "rpc/gen/gen.h"
#include "rpc/gen/names.h"
#include "rpc/gen/rule_checks.h"

#include <buf/validate/validate.pb-c.h>
#include <stdlib.h>
#include <string.h>

typedef Buf__Validate__FieldRules field_rules;
typedef Buf__Validate__MessageRules message_rules;

/* buf.validate's extensions of field, message and oneof options. */
enum { RULES_OPTION = 1159 };

/* What became of one value's rules. */
struct value_tables {
    const char *checks; /* the array's name, or "NULL" */
    size_t count;
    const char *message; /* "&pb__money__rules", or "NULL" */
    bool ignore_zero;
};

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
           GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE;
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

static bool type_has_rules(struct gen *gen, const proto_field *field)
{
    return is_message(field) && gen_message(gen, field->type_name)->has_rules;
}

static bool message_has_rules(struct gen *gen, const struct message_at *at)
{
    if (!in_package(at->file, "prbal") ||
        in_package(at->file, "prbal.internal"))
        return false; /* nobody sends it */
    const proto_message *m = at->message;
    if (rules_of_message(gen, m) != NULL)
        return true;
    for (size_t i = 0; i < m->n_oneof_decl; i++)
        if (oneof_is_required(gen, m->oneof_decl[i]))
            return true;
    for (size_t i = 0; i < m->n_field; i++)
        if (is_time(m->field[i]) || type_has_rules(gen, m->field[i]) ||
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
            if (at->has_rules || !message_has_rules(gen, at))
                continue;
            at->has_rules = true;
            changed = true;
        }
    }
}

char *rules_name(struct gen *gen, const struct message_at *at)
{
    return arena_printf(
        gen->arena, "%s__rules",
        name_c_lower(gen->arena, c_full_name(gen, at->file, at->scope)));
}

/* Values */

static const char *expected_rules(const proto_field *field)
{
    static const char *const names[] = {
        NULL,       "double",   "float",   "int64",  "uint64",
        "int32",    "fixed64",  "fixed32", "bool",   "string",
        NULL,       NULL,       "bytes",   "uint32", "enum",
        "sfixed32", "sfixed64", "sint32",  "sint64",
    };
    if (is_of_type(field, ".google.protobuf.Timestamp"))
        return "timestamp";
    if (is_of_type(field, ".google.protobuf.Duration"))
        return "duration";
    if (is_of_type(field, ".google.protobuf.FieldMask"))
        return "field_mask";
    return names[field->type];
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

static void refuse_expressions(struct emitter *e, const char *field,
                               const field_rules *rules)
{
    if (rules != NULL && (rules->n_cel > 0 || rules->n_cel_expression > 0))
        rule_problem(e, field, "%s needs an interpreter that is not here",
                     "CEL");
}

/* Writes the checks of a value that is not a list. */
static struct value_tables emit_value(struct emitter *e,
                                      const field_rules *rules,
                                      const proto_field *field)
{
    struct value_tables tables = {"NULL", 0, "NULL", false};
    char *text;
    size_t size;
    FILE *rows = open_memstream(&text, &size);
    const char *name = "";
    const ProtobufCMessage *typed = typed_rules(rules, &name);
    refuse_expressions(e, field->name, rules);
    if (is_time(field)) {
        fprintf(rows, "    {.kind = RULE_VALID_TIME},\n");
        tables.count++;
    }
    if (typed != NULL) {
        const char *expected = expected_rules(field);
        if (expected == NULL || strcmp(name, expected) != 0)
            rule_problem(e, field->name, "rules for %s do not fit its type",
                         name);
        else
            tables.count += emit_check_rows(e, rows, field->name, typed);
    }
    fclose(rows);
    if (tables.count > 0) {
        fprintf(e->out,
                "static const struct rule_check checks_%d[] = {\n%s};\n",
                ++e->serial, text);
        tables.checks = arena_printf(e->gen->arena, "checks_%d", e->serial);
    }
    free(text);
    if (type_has_rules(e->gen, field))
        tables.message = arena_printf(
            e->gen->arena, "&%s",
            rules_name(e->gen, gen_message(e->gen, field->type_name)));
    tables.ignore_zero =
        rules != NULL && rules->has_ignore &&
        rules->ignore == BUF__VALIDATE__IGNORE__IGNORE_IF_ZERO_VALUE;
    return tables;
}

static void print_value(FILE *out, const struct value_tables *tables)
{
    fprintf(out, "{%s, %zu, %s, %s}", tables->checks, tables->count,
            tables->message, tables->ignore_zero ? "true" : "false");
}

static bool says_something(const struct value_tables *tables)
{
    return tables->count > 0 || strcmp(tables->message, "NULL") != 0;
}

/* A table of its own for items, keys or values; "NULL" when there is nothing
 * to check. */
static const char *emit_part(struct emitter *e, const field_rules *rules,
                             const proto_field *field)
{
    struct value_tables tables = emit_value(e, rules, field);
    if (!says_something(&tables))
        return "NULL";
    fprintf(e->out,
            "static const struct rule_value_rules value_%d = ", ++e->serial);
    print_value(e->out, &tables);
    fprintf(e->out, ";\n");
    return arena_printf(e->gen->arena, "&value_%d", e->serial);
}

/* Fields */

static unsigned field_index(const proto_message *m, const proto_field *field)
{
    unsigned index = 0;
    for (size_t i = 0; i < m->n_field; i++)
        index += m->field[i]->number < field->number;
    return index;
}

struct field_tables {
    struct value_tables own;
    const char *items;
    const char *keys;
    const char *values;
};

/* The rules of the list as a whole: its length, and that items differ. */
static struct value_tables emit_whole_list(struct emitter *e,
                                           const ProtobufCMessage *typed,
                                           const char *field)
{
    struct value_tables tables = {"NULL", 0, "NULL", false};
    if (typed == NULL)
        return tables;
    char *text;
    size_t size;
    FILE *rows = open_memstream(&text, &size);
    tables.count = emit_check_rows(e, rows, field, typed);
    fclose(rows);
    if (tables.count > 0) {
        fprintf(e->out,
                "static const struct rule_check checks_%d[] = {\n%s};\n",
                ++e->serial, text);
        tables.checks = arena_printf(e->gen->arena, "checks_%d", e->serial);
    }
    free(text);
    return tables;
}

static struct field_tables emit_repeated(struct emitter *e,
                                         const field_rules *rules,
                                         const proto_field *field)
{
    struct field_tables tables = {
        {"NULL", 0, "NULL", false}, "NULL", "NULL", "NULL"};
    const proto_message *entry = map_entry(e->gen, field);
    const char *name = entry != NULL ? "map" : "repeated";
    const char *given = name;
    const ProtobufCMessage *typed = typed_rules(rules, &given);
    refuse_expressions(e, field->name, rules);
    if (strcmp(given, name) != 0) {
        rule_problem(e, field->name, "rules for %s do not fit its type", given);
        return tables;
    }
    tables.own = emit_whole_list(e, typed, field->name);
    if (entry == NULL) {
        const Buf__Validate__RepeatedRules *list =
            (const Buf__Validate__RepeatedRules *)typed;
        tables.items = emit_part(e, list == NULL ? NULL : list->items, field);
        return tables;
    }
    const Buf__Validate__MapRules *map = (const Buf__Validate__MapRules *)typed;
    tables.keys = emit_part(e, map == NULL ? NULL : map->keys, entry->field[0]);
    tables.values =
        emit_part(e, map == NULL ? NULL : map->values, entry->field[1]);
    return tables;
}

static bool is_in_choice(const message_rules *rules, const char *field)
{
    for (size_t i = 0; rules != NULL && i < rules->n_oneof; i++)
        for (size_t j = 0; j < rules->oneof[i]->n_fields; j++)
            if (strcmp(rules->oneof[i]->fields[j], field) == 0)
                return true;
    return false;
}

/* A field of a choice is not checked when it has not been chosen. */
static const char *ignore_name(const field_rules *rules, bool in_choice)
{
    if (rules == NULL || !rules->has_ignore || rules->ignore == 0)
        return in_choice ? "IGNORE_ZERO" : "IGNORE_UNSET";
    return rules->ignore == BUF__VALIDATE__IGNORE__IGNORE_ALWAYS
               ? "IGNORE_ALL"
               : "IGNORE_ZERO";
}

static size_t emit_field(struct emitter *e, FILE *rows,
                         const message_rules *whole, const proto_field *field)
{
    const field_rules *rules = rules_of(e->gen, field);
    struct field_tables tables = {
        {"NULL", 0, "NULL", false}, "NULL", "NULL", "NULL"};
    if (is_list(field))
        tables = emit_repeated(e, rules, field);
    else
        tables.own = emit_value(e, rules, field);
    bool required = rules != NULL && rules->has_required && rules->required;
    bool parts = strcmp(tables.items, "NULL") != 0 ||
                 strcmp(tables.keys, "NULL") != 0 ||
                 strcmp(tables.values, "NULL") != 0;
    if (!required && !parts && !says_something(&tables.own))
        return 0;
    fprintf(rows, "    {.index = %u, .ignore = %s, .required = %s,\n     ",
            field_index(e->at->message, field),
            ignore_name(rules, is_in_choice(whole, field->name)),
            required ? "true" : "false");
    fprintf(rows, ".own = ");
    print_value(rows, &tables.own);
    fprintf(rows, ",\n     .items = %s, .keys = %s, .values = %s},\n",
            tables.items, tables.keys, tables.values);
    return 1;
}

/* Messages */

static const proto_field *field_named(const proto_message *m, const char *name)
{
    for (size_t i = 0; i < m->n_field; i++)
        if (strcmp(m->field[i]->name, name) == 0)
            return m->field[i];
    return NULL;
}

static void emit_choice_members(struct emitter *e,
                                const Buf__Validate__MessageOneofRule *choice)
{
    fprintf(e->out, "static const unsigned choice_%d[] = {", ++e->serial);
    for (size_t i = 0; i < choice->n_fields; i++) {
        const proto_field *field =
            field_named(e->at->message, choice->fields[i]);
        if (field == NULL)
            rule_problem(e, choice->fields[i], "a oneof rule names it%s",
                         ", but there is no such field");
        else
            fprintf(e->out, "%u, ", field_index(e->at->message, field));
    }
    fprintf(e->out, "};\n");
}

static size_t emit_choices(struct emitter *e, FILE *rows,
                           const message_rules *whole)
{
    if (whole == NULL)
        return 0;
    if (whole->n_cel > 0 || whole->n_cel_expression > 0)
        rule_problem(e, "(message)", "%s needs an interpreter that is not here",
                     "CEL");
    for (size_t i = 0; i < whole->n_oneof; i++) {
        emit_choice_members(e, whole->oneof[i]);
        fprintf(rows, "    {choice_%d, %zu, %s},\n", e->serial,
                whole->oneof[i]->n_fields,
                whole->oneof[i]->required ? "true" : "false");
    }
    return whole->n_oneof;
}

static size_t emit_oneofs(struct emitter *e, FILE *rows)
{
    const proto_message *m = e->at->message;
    size_t count = 0;
    for (size_t i = 0; i < m->n_oneof_decl; i++) {
        if (!oneof_is_required(e->gen, m->oneof_decl[i]))
            continue;
        for (size_t j = 0; j < m->n_field; j++) {
            if (!m->field[j]->has_oneof_index ||
                (size_t)m->field[j]->oneof_index != i)
                continue;
            fprintf(rows, "    {\"%s\", %u},\n", m->oneof_decl[i]->name,
                    field_index(m, m->field[j]));
            count++;
            break;
        }
    }
    return count;
}

/* Prints rows as an array, when there are any; returns its name or NULL. */
static const char *emit_array(struct emitter *e, const char *type,
                              const char *rows, size_t count)
{
    if (count == 0)
        return "NULL";
    fprintf(e->out, "static const struct %s %s_%d[] = {\n%s};\n", type, type,
            ++e->serial, rows);
    return arena_printf(e->gen->arena, "%s_%d", type, e->serial);
}

static void declare_types(struct emitter *e)
{
    const proto_message *m = e->at->message;
    for (size_t i = 0; i < m->n_field; i++) {
        const proto_field *field = m->field[i];
        const proto_message *entry = map_entry(e->gen, field);
        if (entry != NULL)
            field = entry->field[1];
        if (type_has_rules(e->gen, field))
            fprintf(e->out, "extern const struct rpc_rules %s;\n",
                    rules_name(e->gen, gen_message(e->gen, field->type_name)));
    }
}

static void emit_message_rules(struct emitter *e)
{
    char *texts[3];
    size_t size, counts[3] = {0};
    const message_rules *whole = rules_of_message(e->gen, e->at->message);
    FILE *fields = open_memstream(&texts[0], &size);
    for (size_t i = 0; i < e->at->message->n_field; i++)
        counts[0] += emit_field(e, fields, whole, e->at->message->field[i]);
    fclose(fields);
    FILE *oneofs = open_memstream(&texts[1], &size);
    counts[1] = emit_oneofs(e, oneofs);
    fclose(oneofs);
    FILE *choices = open_memstream(&texts[2], &size);
    counts[2] = emit_choices(e, choices, whole);
    fclose(choices);

    static const char *const types[3] = {"rule_field", "rule_oneof",
                                         "rule_choice"};
    const char *names[3];
    for (int i = 0; i < 3; i++) {
        names[i] = emit_array(e, types[i], texts[i], counts[i]);
        free(texts[i]);
    }
    fprintf(e->out,
            "const struct rpc_rules %s = {\n"
            "    %s, %zu, %s, %zu, %s, %zu};\n\n",
            rules_name(e->gen, e->at), names[0], counts[0], names[1], counts[1],
            names[2], counts[2]);
}

void emit_rules(struct gen *gen, FILE *out, const proto_file *file)
{
    struct emitter e = {.gen = gen, .out = out};
    for (size_t i = 0; i < gen->message_count; i++) {
        e.at = &gen->messages[i];
        bool is_entry = e.at->message->options != NULL &&
                        e.at->message->options->has_map_entry &&
                        e.at->message->options->map_entry;
        if (e.at->file != file || !e.at->has_rules || is_entry)
            continue;
        if (e.serial == 0)
            fprintf(out, "\n#include \"rpc/rules.h\"\n\n");
        declare_types(&e);
        fprintf(out, "extern const struct rpc_rules %s;\n",
                rules_name(gen, e.at));
        emit_message_rules(&e);
    }
}
