/* The tables of rpc/json_table.h: names as JSON has them, which protoc-c does
 * not write. */
#include "rpc/gen/gen.h"
#include "rpc/gen/names.h"

#include <stdlib.h>
#include <string.h>

char *json_name_of(struct gen *gen, const struct message_at *at)
{
    return arena_printf(
        gen->arena, "%s__json",
        name_c_lower(gen->arena, c_full_name(gen, at->file, at->scope)));
}

/* Options are for generators, and what is implemented by another package's
 * handlers is sent as that package's messages. */
bool is_sent(const struct gen *gen, const proto_file *file)
{
    return implemented_by(gen, file) == file &&
           !in_package(file, "buf.validate") &&
           strcmp(file->package, "prbal") != 0 &&
           strcmp(file->name, "google/protobuf/descriptor.proto") != 0;
}

static const char *kind_of(const struct message_at *at)
{
    static const struct {
        const char *scope;
        const char *kind;
    } kinds[] = {
        {"Any", "ANY"},
        {"Timestamp", "TIMESTAMP"},
        {"Duration", "DURATION"},
        {"FieldMask", "FIELD_MASK"},
        {"Struct", "STRUCT"},
        {"Value", "VALUE"},
        {"ListValue", "LIST"},
        {"DoubleValue", "WRAPPER"},
        {"FloatValue", "WRAPPER"},
        {"Int64Value", "WRAPPER"},
        {"UInt64Value", "WRAPPER"},
        {"Int32Value", "WRAPPER"},
        {"UInt32Value", "WRAPPER"},
        {"BoolValue", "WRAPPER"},
        {"StringValue", "WRAPPER"},
        {"BytesValue", "WRAPPER"},
    };
    if (at->message->options != NULL && at->message->options->map_entry)
        return "MAP_ENTRY";
    if (strcmp(at->file->package, "google.protobuf") != 0)
        return "PLAIN";
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].scope, at->scope) == 0)
            return kinds[i].kind;
    return "PLAIN";
}

/* protoc-c sorts fields by number. */
static int by_number(const void *a, const void *b)
{
    const proto_field *const *one = a, *const *other = b;
    return ((*one)->number > (*other)->number) -
           ((*one)->number < (*other)->number);
}

static const proto_field **sorted_fields(struct gen *gen,
                                         const proto_message *m)
{
    const proto_field **fields =
        arena_array(gen->arena, m->n_field + 1, sizeof *fields);
    for (size_t i = 0; i < m->n_field; i++)
        fields[i] = m->field[i];
    qsort(fields, m->n_field, sizeof *fields, by_number);
    return fields;
}

struct name {
    const char *text;
    size_t field;
};

static int by_size_and_bytes(const void *a, const void *b)
{
    const struct name *one = a, *other = b;
    size_t one_size = strlen(one->text), other_size = strlen(other->text);
    if (one_size != other_size)
        return one_size < other_size ? -1 : 1;
    return strcmp(one->text, other->text);
}

/* Both names of each field; a name that two fields claim stops the build. */
static struct name *sorted_names(struct gen *gen, const struct message_at *at,
                                 const proto_field **fields, size_t *count)
{
    size_t n = 0, kept = 0, field_count = at->message->n_field;
    struct name *names =
        arena_array(gen->arena, 2 * field_count + 1, sizeof *names);
    for (size_t i = 0; i < field_count; i++) {
        names[n++] = (struct name){fields[i]->json_name, i};
        names[n++] = (struct name){fields[i]->name, i};
    }
    qsort(names, n, sizeof *names, by_size_and_bytes);
    for (size_t i = 0; i < n; i++) {
        bool again =
            kept > 0 && strcmp(names[kept - 1].text, names[i].text) == 0;
        if (again && names[kept - 1].field != names[i].field)
            gen_problem(gen, "%s.%s: two fields are called \"%s\" in JSON",
                        at->file->package, at->scope, names[i].text);
        if (!again)
            names[kept++] = names[i];
    }
    *count = kept;
    return names;
}

static const char *message_reference(struct gen *gen, const proto_field *field)
{
    if (field->type !=
        GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE)
        return "NULL";
    const struct message_at *at = gen_message(gen, field->type_name);
    if (!is_sent(gen, at->file))
        gen_problem(gen, "%s is for generators: no field can have that type",
                    field->type_name);
    return arena_printf(gen->arena, "&%s", json_name_of(gen, at));
}

/* A name is written as it is, between quotes. */
static void check_name(struct gen *gen, const struct message_at *at,
                       const proto_field *field)
{
    for (const char *c = field->json_name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\')
            gen_problem(gen,
                        "%s.%s.%s: a json_name without quotes, "
                        "backslashes and control characters, please",
                        at->file->package, at->scope, field->name);
}

static void emit_fields(struct gen *gen, FILE *out, const struct message_at *at,
                        const proto_field **fields)
{
    fprintf(out, "\nstatic const struct json_field %s_fields[] = {\n",
            json_name_of(gen, at));
    for (size_t i = 0; i < at->message->n_field; i++) {
        const proto_field *field = fields[i];
        check_name(gen, at, field);
        fprintf(out, "    {\"\\\"%s\\\":\", %zu, %s},\n", field->json_name,
                strlen(field->json_name) + 3, message_reference(gen, field));
    }
    fprintf(out, "};\n");
}

static void emit_names(FILE *out, const char *table, const struct name *names,
                       size_t count)
{
    fprintf(out, "static const struct json_name %s_names[] = {\n", table);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "    {\"%s\", %zu},\n", names[i].text, names[i].field);
    size_t size_max = strlen(names[count - 1].text);
    fprintf(out, "};\nstatic const uint16_t %s_sizes[] = {", table);
    for (size_t size = 0, at = 0; size <= size_max + 1; size++) {
        while (at < count && strlen(names[at].text) < size)
            at++;
        fprintf(out, "%s%zu", size == 0 ? "" : ", ", at);
    }
    fprintf(out, "};\n");
}

static void emit_message(struct gen *gen, FILE *out,
                         const struct message_at *at)
{
    const char *table = json_name_of(gen, at);
    const char *type =
        name_c_lower(gen->arena, c_full_name(gen, at->file, at->scope));
    const proto_field **fields = sorted_fields(gen, at->message);
    size_t count;
    struct name *names = sorted_names(gen, at, fields, &count);
    if (count == 0) {
        fprintf(out,
                "\nstatic const uint16_t %s_sizes[] = {0, 0};\n"
                "const struct json_message %s = {\n"
                "    &%s__descriptor, NULL, NULL, %s_sizes, 0, "
                "JSON_KIND_%s};\n",
                table, table, type, table, kind_of(at));
        return;
    }
    emit_fields(gen, out, at, fields);
    emit_names(out, table, names, count);
    fprintf(out,
            "const struct json_message %s = {\n"
            "    &%s__descriptor, %s_fields, %s_names, %s_sizes, %zu, "
            "JSON_KIND_%s};\n",
            table, type, table, table, table, strlen(names[count - 1].text),
            kind_of(at));
}

/* Messages refer to each other in circles, and to those of other files. */
static void declare(struct gen *gen, FILE *out, const struct message_at *at)
{
    const proto_message *m = at->message;
    fprintf(out, "extern const struct json_message %s;\n",
            json_name_of(gen, at));
    for (size_t i = 0; i < m->n_field; i++) {
        const char *reference = message_reference(gen, m->field[i]);
        if (reference[0] == '&')
            fprintf(out, "extern const struct json_message %s;\n",
                    reference + 1);
    }
}

void emit_json(struct gen *gen, FILE *out, const proto_file *file)
{
    if (!is_sent(gen, file))
        return;
    fprintf(out, "\n#include \"rpc/json_table.h\"\n\n");
    for (size_t i = 0; i < gen->message_count; i++)
        if (gen->messages[i].file == file)
            declare(gen, out, &gen->messages[i]);
    for (size_t i = 0; i < gen->message_count; i++)
        if (gen->messages[i].file == file)
            emit_message(gen, out, &gen->messages[i]);
}
