#include "rpc/gen/gen.h"

#include "rpc/gen/names.h"

#include <stdarg.h>
#include <string.h>

void gen_problem(struct gen *gen, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *sentence = arena_vprintf(gen->arena, format, args);
    va_end(args);
    const char *before = gen->problems == NULL ? "" : gen->problems;
    gen->problems = arena_printf(gen->arena, "%s\n  %s", before, sentence);
}

void gen_output(struct gen *gen, const char *name, const char *content,
                size_t size)
{
    typedef Google__Protobuf__Compiler__CodeGeneratorResponse__File output;
    if (gen->response.n_file == gen->output_room) {
        gen->output_room = gen->output_room * 2 + 64;
        output **grown =
            arena_array(gen->arena, gen->output_room, sizeof *grown);
        if (gen->response.n_file > 0)
            memcpy(grown, gen->response.file,
                   gen->response.n_file * sizeof *grown);
        gen->response.file = grown;
    }
    output *file = ARENA_NEW(gen->arena, output);
    google__protobuf__compiler__code_generator_response__file__init(file);
    file->name = arena_strdup(gen->arena, name);
    file->content = arena_strndup(gen->arena, content, size);
    gen->response.file[gen->response.n_file++] = file;
}

static size_t count_messages(const proto_message *m)
{
    size_t count = 1;
    for (size_t i = 0; i < m->n_nested_type; i++)
        count += count_messages(m->nested_type[i]);
    return count;
}

static void index_message(struct gen *gen, const proto_file *file,
                          const proto_message *m, const char *scope)
{
    gen->messages[gen->message_count++] =
        (struct message_at){file, m, scope, NULL};
    for (size_t i = 0; i < m->n_nested_type; i++)
        index_message(
            gen, file, m->nested_type[i],
            arena_printf(gen->arena, "%s.%s", scope, m->nested_type[i]->name));
}

void index_messages(struct gen *gen)
{
    size_t total = 0;
    for (size_t i = 0; i < gen->file_count; i++)
        for (size_t j = 0; j < gen->files[i]->n_message_type; j++)
            total += count_messages(gen->files[i]->message_type[j]);
    gen->messages = arena_array(gen->arena, total + 1, sizeof *gen->messages);
    for (size_t i = 0; i < gen->file_count; i++)
        for (size_t j = 0; j < gen->files[i]->n_message_type; j++)
            index_message(gen, gen->files[i], gen->files[i]->message_type[j],
                          gen->files[i]->message_type[j]->name);
}

const proto_file *gen_file(const struct gen *gen, const char *name)
{
    for (size_t i = 0; i < gen->file_count; i++)
        if (strcmp(gen->files[i]->name, name) == 0)
            return gen->files[i];
    return NULL;
}

const struct message_at *gen_message(const struct gen *gen,
                                     const char *type_name)
{
    for (size_t i = 0; i < gen->message_count; i++) {
        const struct message_at *at = &gen->messages[i];
        size_t package = strlen(at->file->package);
        if (strncmp(type_name + 1, at->file->package, package) == 0 &&
            type_name[1 + package] == '.' &&
            strcmp(type_name + 2 + package, at->scope) == 0)
            return at;
    }
    return NULL;
}

bool in_package(const proto_file *file, const char *package)
{
    size_t length = strlen(package);
    if (file->package == NULL || strncmp(file->package, package, length) != 0)
        return false;
    return file->package[length] == '\0' || file->package[length] == '.';
}

char *c_full_name(struct gen *gen, const proto_file *file, const char *scope)
{
    bool is_short =
        in_package(file, "prbal") && !in_package(file, "prbal.bench");
    const char *package = is_short ? "pb" : file->package;
    return arena_printf(gen->arena, "%s.%s", package, scope);
}

/* Where the content of a length-prefixed record starts. */
static size_t prefix_size(const ProtobufCMessageUnknownField *record)
{
    size_t at = 0;
    while (at < record->len && record->data[at] >= 0x80)
        at++;
    return at + 1;
}

uint8_t *option_bytes(struct gen *gen, const ProtobufCMessage *options,
                      uint32_t tag, size_t *size)
{
    *size = 0;
    if (options == NULL)
        return NULL;
    uint8_t *bytes = NULL;
    for (unsigned i = 0; i < options->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *record =
            &options->unknown_fields[i];
        if (record->tag != tag)
            continue;
        size_t prefix = prefix_size(record);
        size_t length = record->len - prefix;
        uint8_t *joined = arena_alloc(gen->arena, *size + length + 1);
        if (*size > 0)
            memcpy(joined, bytes, *size);
        memcpy(joined + *size, record->data + prefix, length);
        bytes = joined;
        *size += length;
    }
    return bytes;
}

uint64_t option_number(const ProtobufCMessage *options, uint32_t tag)
{
    uint64_t number = 0;
    for (unsigned i = 0; options != NULL && i < options->n_unknown_fields;
         i++) {
        const ProtobufCMessageUnknownField *record =
            &options->unknown_fields[i];
        if (record->tag != tag)
            continue;
        number = 0;
        for (size_t at = 0; at < record->len && at < 10; at++)
            number |= (uint64_t)(record->data[at] & 0x7f) << (7 * at);
    }
    return number;
}

const proto_file *implemented_by(const struct gen *gen, const proto_file *file)
{
    if (in_package(file, "grpc.reflection.v1alpha"))
        return gen_file(gen, "grpc/reflection/v1/reflection.proto");
    return file;
}
