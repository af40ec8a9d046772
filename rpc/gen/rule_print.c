/* The validation tables of x.rpc.c: what rule_read.c made, as C. */
#include "rpc/gen/names.h"
#include "rpc/gen/rule_tables.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Inner tables go to `out` before those that name them. */
struct printer {
    struct gen *gen;
    FILE *out;
    int serial; /* of the file's static names */
};

#define NAMED(kind) [kind] = #kind
static const char *const kind_names[RULE_KIND_COUNT] = {
    NAMED(RULE_CONST),        NAMED(RULE_IN),         NAMED(RULE_NOT_IN),
    NAMED(RULE_RANGE),        NAMED(RULE_FINITE),     NAMED(RULE_LEN),
    NAMED(RULE_MIN_LEN),      NAMED(RULE_MAX_LEN),    NAMED(RULE_LEN_BYTES),
    NAMED(RULE_MIN_BYTES),    NAMED(RULE_MAX_BYTES),  NAMED(RULE_PATTERN),
    NAMED(RULE_PREFIX),       NAMED(RULE_SUFFIX),     NAMED(RULE_CONTAINS),
    NAMED(RULE_NOT_CONTAINS), NAMED(RULE_FORMAT),     NAMED(RULE_DEFINED_ONLY),
    NAMED(RULE_MIN_ITEMS),    NAMED(RULE_MAX_ITEMS),  NAMED(RULE_UNIQUE),
    NAMED(RULE_VALID_TIME),   NAMED(RULE_LT_NOW),     NAMED(RULE_GT_NOW),
    NAMED(RULE_WITHIN),       NAMED(RULE_MASK_CONST), NAMED(RULE_MASK_IN),
    NAMED(RULE_MASK_NOT_IN),
};
static const char *const class_names[] = {
    NAMED(CLASS_SIGNED), NAMED(CLASS_UNSIGNED), NAMED(CLASS_REAL),
    NAMED(CLASS_TEXT),   NAMED(CLASS_SPAN),     NAMED(CLASS_PATTERN),
};
static const char *const ignore_names[] = {
    NAMED(IGNORE_UNSET),
    NAMED(IGNORE_ZERO),
    NAMED(IGNORE_ALL),
};
#undef NAMED

char *rules_name(struct gen *gen, const struct message_at *at)
{
    return arena_printf(
        gen->arena, "%s__rules",
        name_c_lower(gen->arena, c_full_name(gen, at->file, at->scope)));
}

/* Values */

/* All octal: no character means anything to C, or joins the one behind it. */
static void print_text(FILE *out, const char *text, size_t size)
{
    fputc('"', out);
    for (size_t i = 0; i < size; i++)
        fprintf(out, "\\%03o", (unsigned char)text[i]);
    fputc('"', out);
}

static void print_real(FILE *out, double number)
{
    if (isnan(number))
        fprintf(out, "{.d = __builtin_nan(\"\")}");
    else if (isinf(number))
        fprintf(out, "{.d = %s__builtin_inf()}", number < 0 ? "-" : "");
    else
        fprintf(out, "{.d = %a}", number);
}

static void print_signed(FILE *out, int64_t number)
{
    if (number == INT64_MIN)
        fprintf(out, "{.i = INT64_MIN}");
    else
        fprintf(out, "{.i = INT64_C(%" PRId64 ")}", number);
}

static void print_value(FILE *out, enum rule_class class,
                        const union rule_value *value)
{
    switch (class) {
    case CLASS_SIGNED:
        print_signed(out, value->i);
        return;
    case CLASS_UNSIGNED:
        fprintf(out, "{.u = UINT64_C(%" PRIu64 ")}", value->u);
        return;
    case CLASS_REAL:
        print_real(out, value->d);
        return;
    case CLASS_TEXT:
        fprintf(out, "{.text = ");
        print_text(out, value->text, value->size);
        fprintf(out, ", .size = %zu}", value->size);
        return;
    case CLASS_SPAN:
        fprintf(out, "{.span = {INT64_C(%" PRId64 "), %d}}",
                value->span.seconds, value->span.nanos);
        return;
    case CLASS_PATTERN:
        return; /* has a name, by then */
    }
}

static int print_list(struct printer *p, const struct rule_check *check)
{
    fprintf(p->out, "static const union rule_value list_%d[] = {\n",
            ++p->serial);
    for (uint32_t i = 0; i < check->count; i++) {
        fprintf(p->out, "    ");
        print_value(p->out, check->class, &check->list[i]);
        fprintf(p->out, ",\n");
    }
    fprintf(p->out, "};\n");
    return p->serial;
}

static int print_pattern(struct printer *p, const struct rule_pattern *pattern)
{
    const struct regex *regex = &pattern->regex;
    int serial = ++p->serial;
    fprintf(p->out, "static const struct regex_op ops_%d[] = {", serial);
    for (size_t i = 0; i < regex->count; i++)
        fprintf(p->out, "%s{%d, %d, %d},", i % 6 == 0 ? "\n    " : " ",
                regex->ops[i].kind, regex->ops[i].a, regex->ops[i].b);
    fprintf(p->out, "\n};\nstatic const struct rule_pattern pattern_%d = {",
            serial);
    print_text(p->out, pattern->text, strlen(pattern->text));
    fprintf(p->out, ", {ops_%d, %zu}};\n", serial, regex->count);
    return serial;
}

/* Checks */

static void print_check(struct printer *p, FILE *rows,
                        const struct rule_check *check)
{
    fprintf(rows, "    {.kind = %s, .class = %s, .flags = %u,\n",
            kind_names[check->kind], class_names[check->class], check->flags);
    if (check->kind == RULE_PATTERN) {
        fprintf(rows, "     .a = {.pattern = &pattern_%d},\n",
                print_pattern(p, check->a.pattern));
    } else if (check->list != NULL) {
        fprintf(rows, "     .count = %u, .list = list_%d,\n", check->count,
                print_list(p, check));
    } else {
        fprintf(rows, "     .a = ");
        print_value(rows, check->class, &check->a);
        if (check->kind == RULE_RANGE) {
            fprintf(rows, ", .b = ");
            print_value(rows, check->class, &check->b);
        }
        fprintf(rows, ",\n");
    }
    fprintf(rows, "     .id = \"%s\"},\n", check->id);
}

/* The array's name, or "NULL". */
static const char *print_checks(struct printer *p,
                                const struct rule_value_rules *rules)
{
    if (rules->check_count == 0)
        return "NULL";
    char *text;
    size_t size;
    FILE *rows = open_memstream(&text, &size);
    for (size_t i = 0; i < rules->check_count; i++)
        print_check(p, rows, &rules->checks[i]);
    fclose(rows);
    fprintf(p->out, "static const struct rule_check checks_%d[] = {\n%s};\n",
            ++p->serial, text);
    free(text);
    return arena_printf(p->gen->arena, "checks_%d", p->serial);
}

static const char *message_name(struct gen *gen, const struct rpc_rules *rules)
{
    for (size_t i = 0; rules != NULL && i < gen->message_count; i++)
        if (gen->messages[i].rules == rules)
            return arena_printf(gen->arena, "&%s",
                                rules_name(gen, &gen->messages[i]));
    return "NULL";
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

/* An initializer. */
static const char *value_text(struct printer *p,
                              const struct rule_value_rules *rules)
{
    const char *checks = print_checks(p, rules);
    return arena_printf(p->gen->arena, "{%s, %zu, %s, %s, %s}", checks,
                        rules->check_count,
                        message_name(p->gen, rules->message),
                        truth(rules->ignore_zero), truth(rules->wrapped));
}

/* A table of its own; "NULL" for none. */
static const char *print_part(struct printer *p,
                              const struct rule_value_rules *part)
{
    if (part == NULL)
        return "NULL";
    const char *text = value_text(p, part);
    fprintf(p->out, "static const struct rule_value_rules value_%d = %s;\n",
            ++p->serial, text);
    return arena_printf(p->gen->arena, "&value_%d", p->serial);
}

/* Messages */

static void print_field(struct printer *p, FILE *rows,
                        const struct rule_field *field)
{
    const char *own = value_text(p, &field->own);
    const char *items = print_part(p, field->items);
    const char *keys = print_part(p, field->keys);
    const char *values = print_part(p, field->values);
    fprintf(rows,
            "    {.index = %u, .ignore = %s, .required = %s,\n"
            "     .own = %s,\n"
            "     .items = %s, .keys = %s, .values = %s},\n",
            field->index, ignore_names[field->ignore], truth(field->required),
            own, items, keys, values);
}

static void print_choice(struct printer *p, FILE *rows,
                         const struct rule_choice *choice)
{
    fprintf(p->out, "static const unsigned choice_%d[] = {", ++p->serial);
    for (size_t i = 0; i < choice->count; i++)
        fprintf(p->out, "%u, ", choice->members[i]);
    fprintf(p->out, "};\n");
    fprintf(rows, "    {choice_%d, %zu, %s},\n", p->serial, choice->count,
            truth(choice->required));
}

/* Prints rows as an array, when there are any; returns its name or "NULL". */
static const char *print_array(struct printer *p, const char *type,
                               const char *rows, size_t count)
{
    if (count == 0)
        return "NULL";
    fprintf(p->out, "static const struct %s %s_%d[] = {\n%s};\n", type, type,
            ++p->serial, rows);
    return arena_printf(p->gen->arena, "%s_%d", type, p->serial);
}

static void declare_part(struct printer *p, const struct rule_value_rules *part)
{
    if (part != NULL && part->message != NULL)
        fprintf(p->out, "extern const struct rpc_rules %s;\n",
                message_name(p->gen, part->message) + 1);
}

static void declare_types(struct printer *p, const struct rpc_rules *rules)
{
    for (size_t i = 0; i < rules->field_count; i++) {
        declare_part(p, &rules->fields[i].own);
        declare_part(p, rules->fields[i].items);
        declare_part(p, rules->fields[i].values);
    }
}

static void print_message(struct printer *p, const char *name,
                          const struct rpc_rules *rules)
{
    char *fields, *oneofs, *choices;
    size_t size;
    FILE *rows = open_memstream(&fields, &size);
    for (size_t i = 0; i < rules->field_count; i++)
        print_field(p, rows, &rules->fields[i]);
    fclose(rows);
    rows = open_memstream(&oneofs, &size);
    for (size_t i = 0; i < rules->oneof_count; i++)
        fprintf(rows, "    {\"%s\", %u},\n", rules->oneofs[i].name,
                rules->oneofs[i].member);
    fclose(rows);
    rows = open_memstream(&choices, &size);
    for (size_t i = 0; i < rules->choice_count; i++)
        print_choice(p, rows, &rules->choices[i]);
    fclose(rows);

    const char *field_rows =
        print_array(p, "rule_field", fields, rules->field_count);
    const char *oneof_rows =
        print_array(p, "rule_oneof", oneofs, rules->oneof_count);
    const char *choice_rows =
        print_array(p, "rule_choice", choices, rules->choice_count);
    fprintf(p->out,
            "const struct rpc_rules %s = {\n"
            "    %s, %zu, %s, %zu, %s, %zu};\n\n",
            name, field_rows, rules->field_count, oneof_rows,
            rules->oneof_count, choice_rows, rules->choice_count);
    free(fields);
    free(oneofs);
    free(choices);
}

static bool is_map_entry(const proto_message *m)
{
    return m->options != NULL && m->options->has_map_entry &&
           m->options->map_entry;
}

void emit_rules(struct gen *gen, FILE *out, const proto_file *file)
{
    struct printer p = {.gen = gen, .out = out};
    for (size_t i = 0; i < gen->message_count; i++) {
        const struct message_at *at = &gen->messages[i];
        if (at->file != file || at->rules == NULL || is_map_entry(at->message))
            continue;
        if (p.serial == 0)
            fprintf(out, "\n#include \"rpc/rules.h\"\n\n");
        read_rules(gen, at);
        declare_types(&p, at->rules);
        const char *name = rules_name(gen, at);
        fprintf(out, "extern const struct rpc_rules %s;\n", name);
        print_message(&p, name, at->rules);
    }
}
