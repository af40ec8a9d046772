/* x.rpc.h: short names for what protoc-c made of x.proto, and the prototypes
 * of its handlers. */
#include "rpc/gen/gen.h"
#include "rpc/gen/names.h"

#include <stdlib.h>
#include <string.h>

/* What is only read by generators has no C names. */
static bool has_c_names(const proto_file *file)
{
    return !in_package(file, "buf.validate") &&
           strcmp(file->name, "google/protobuf/descriptor.proto") != 0;
}

static void emit_includes(struct gen *gen, FILE *out, const proto_file *file)
{
    fprintf(out, "#include \"%s.pb-c.h\"\n", name_stem(gen->arena, file->name));
    for (size_t i = 0; i < file->n_dependency; i++) {
        const proto_file *import = gen_file(gen, file->dependency[i]);
        if (has_c_names(import) && strcmp(import->package, "prbal") != 0)
            fprintf(out, "#include \"%s.rpc.h\"\n",
                    name_stem(gen->arena, import->name));
    }
    if (file->n_service > 0)
        fprintf(out, "#include \"rpc/method.h\"\n");
}

static bool has_prefix(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void emit_enum(struct gen *gen, FILE *out, const proto_file *file,
                      const proto_enum *e, const char *scope)
{
    const char *full = c_full_name(gen, file, scope);
    const char *name = name_join(gen->arena, scope);
    const char *upper = name_macro(gen->arena, e->name);
    fprintf(out, "\ntypedef %s %s;\n", name_c_type(gen->arena, full), name);
    fprintf(out, "#define %s_DESCRIPTOR (&%s__descriptor)\n",
            name_macro(gen->arena, name), name_c_lower(gen->arena, full));
    for (size_t i = 0; i < e->n_value; i++) {
        const char *value = e->value[i]->name;
        bool prefixed =
            has_prefix(value, arena_printf(gen->arena, "%s_", upper));
        fprintf(out, "#define %s%s%s %s__%s\n", prefixed ? "" : upper,
                prefixed ? "" : "_", value, name_c_upper(gen->arena, full),
                value);
    }
}

/* BID_NOTE_CASE: what `bid->_note_case` is when the note is there. */
static void emit_cases(struct gen *gen, FILE *out, const proto_file *file,
                       const proto_message *m, const char *scope)
{
    const char *upper = name_macro(gen->arena, name_join(gen->arena, scope));
    for (size_t i = 0; i < m->n_field; i++) {
        const proto_field *f = m->field[i];
        if (!f->has_oneof_index)
            continue;
        const char *oneof = arena_printf(gen->arena, "%s.%s", scope,
                                         m->oneof_decl[f->oneof_index]->name);
        const char *field = name_field_upper(gen->arena, f->name);
        fprintf(out, "#define %s_%s_CASE %s_%s\n", upper, field,
                name_c_upper(gen->arena, c_full_name(gen, file, oneof)), field);
    }
}

static void emit_message(struct gen *gen, FILE *out, const proto_file *file,
                         const proto_message *m, const char *scope)
{
    for (size_t i = 0; i < m->n_enum_type; i++)
        emit_enum(
            gen, out, file, m->enum_type[i],
            arena_printf(gen->arena, "%s.%s", scope, m->enum_type[i]->name));
    for (size_t i = 0; i < m->n_nested_type; i++)
        emit_message(
            gen, out, file, m->nested_type[i],
            arena_printf(gen->arena, "%s.%s", scope, m->nested_type[i]->name));

    const char *full = c_full_name(gen, file, scope);
    const char *name = name_join(gen->arena, scope);
    const char *upper = name_macro(gen->arena, name);
    fprintf(out, "\ntypedef %s %s;\n", name_c_type(gen->arena, full), name);
    fprintf(out, "#define %s_INIT %s__INIT\n", upper,
            name_c_upper(gen->arena, full));
    fprintf(out, "#define %s_DESCRIPTOR (&%s__descriptor)\n", upper,
            name_c_lower(gen->arena, full));
    emit_cases(gen, out, file, m, scope);
}

static void emit_prototype(struct gen *gen, FILE *out,
                           const proto_service *service,
                           const proto_method *method)
{
    const char *req = strrchr(method->input_type, '.') + 1;
    const char *res = strrchr(method->output_type, '.') + 1;
    fprintf(out, "rpc_status %s(struct rpc_call *call, ",
            handler_name(gen, service, method));
    if (method->client_streaming)
        fprintf(out, "struct rpc_in *in, ");
    else
        fprintf(out, "const %s *req, ", req);
    if (method->server_streaming)
        fprintf(out, "struct rpc_out *out);\n");
    else
        fprintf(out, "%s *res);\n", res);
}

static void emit_service_header(struct gen *gen, FILE *out,
                                const proto_file *file,
                                const proto_service *service)
{
    fprintf(out, "\n/* %s: written by hand, found by the linker. */\n",
            service->name);
    for (size_t i = 0; i < service->n_method; i++)
        emit_prototype(gen, out, service, service->method[i]);
    fprintf(out, "extern const struct rpc_service %s;\n",
            service_name(gen, file, service));
}

static void emit_names(struct gen *gen, FILE *out, const proto_file *file)
{
    emit_includes(gen, out, file);
    for (size_t i = 0; i < file->n_enum_type; i++)
        emit_enum(gen, out, file, file->enum_type[i], file->enum_type[i]->name);
    for (size_t i = 0; i < file->n_message_type; i++)
        emit_message(gen, out, file, file->message_type[i],
                     file->message_type[i]->name);
    for (size_t i = 0; i < file->n_service; i++)
        emit_service_header(gen, out, file, file->service[i]);
}

void emit_header(struct gen *gen, const proto_file *file)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const char *stem = name_stem(gen->arena, file->name);
    const char *guard = name_guard(gen->arena, stem);
    fprintf(out,
            "/* From %s, by protoc-gen-prbal. */\n"
            "#ifndef %s\n#define %s\n\n",
            file->name, guard, guard);
    const proto_file *real = implemented_by(gen, file);
    if (real != file) {
        fprintf(out, "#include \"%s.rpc.h\"\n",
                name_stem(gen->arena, real->name));
        for (size_t i = 0; i < file->n_service; i++)
            fprintf(out, "\nextern const struct rpc_service %s;\n",
                    service_name(gen, file, file->service[i]));
    } else if (has_c_names(file)) {
        emit_names(gen, out, file);
    }
    fprintf(out, "\n#endif\n");
    fclose(out);
    gen_output(gen, arena_printf(gen->arena, "%s.rpc.h", stem), text, size);
    free(text);
}
