/* The registries: what a server is told of all services of a package, with
 * the descriptors that reflection hands out. */
#include "rpc/gen/gen.h"
#include "rpc/gen/names.h"

#include <stdlib.h>
#include <string.h>

enum { PACKAGES_MAX = 3 };

static const struct {
    const char *packages[PACKAGES_MAX + 1];
    const char *name;
    const char *stem;
    /* A package without services whose types the server sends in Any: tools
     * look up the details of an error by reflection. */
    const char *types;
} registries[] = {
    {{"prbal.v1"}, "prbal_registry", "prbal/v1/registry", NULL},
    {{"grpc", "xds", "prbal.runtime"},
     "runtime_registry",
     "grpc/registry",
     "google.rpc"},
    {{"prbal.test"}, "test_registry", "tests/rpc/registry", NULL},
    {{"prbal.bench"}, "bench_registry", "tests/bench/registry", NULL},
    {{"grpc.testing"}, "interop_registry", "tests/rpc/interop_registry", NULL},
    {{"connectrpc.conformance"},
     "conformance_registry",
     "tests/rpc/conformance_registry",
     NULL},
};
enum { REGISTRY_COUNT = sizeof registries / sizeof registries[0] };

/* How much of the file's package the registry's names match. */
static size_t match(const proto_file *file, size_t r)
{
    for (const char *const *p = registries[r].packages; *p != NULL; p++)
        if (in_package(file, *p))
            return strlen(*p);
    return 0;
}

/* A package within a package has a registry of its own. */
static bool belongs(const proto_file *file, size_t r)
{
    size_t length = match(file, r);
    if (length == 0)
        return false;
    for (size_t i = 0; i < REGISTRY_COUNT; i++)
        if (match(file, i) > length)
            return false;
    return true;
}

/* Marks the file and all that it imports, so that each is embedded once and
 * after its imports. */
static void mark(const struct gen *gen, const proto_file *file, bool *wanted)
{
    size_t at = 0;
    while (gen->files[at] != file)
        at++;
    if (wanted[at])
        return;
    wanted[at] = true;
    for (size_t i = 0; i < file->n_dependency; i++)
        mark(gen, gen_file(gen, file->dependency[i]), wanted);
}

/* Comments are for people who read documentation, not for reflection, and
 * would make the set three times as large. */
static uint8_t *descriptor_set(struct gen *gen, const bool *wanted,
                               size_t *size)
{
    Google__Protobuf__FileDescriptorSet set =
        GOOGLE__PROTOBUF__FILE_DESCRIPTOR_SET__INIT;
    set.file = arena_array(gen->arena, gen->file_count + 1, sizeof *set.file);
    for (size_t i = 0; i < gen->file_count; i++) {
        if (!wanted[i])
            continue;
        proto_file *copy = ARENA_NEW(gen->arena, proto_file);
        *copy = *gen->files[i];
        copy->source_code_info = NULL;
        set.file[set.n_file++] = copy;
    }
    *size = protobuf_c_message_get_packed_size(&set.base);
    uint8_t *bytes = arena_alloc(gen->arena, *size + 1);
    protobuf_c_message_pack(&set.base, bytes);
    return bytes;
}

static void emit_bytes(FILE *out, const uint8_t *bytes, size_t size)
{
    enum { A_LINE = 16 };
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%s%u,", i % A_LINE == 0 ? "\n    " : "", bytes[i]);
}

/* Every message of the files that the registry embeds; returns how many. */
static size_t emit_messages(struct gen *gen, FILE *out, const bool *wanted)
{
    size_t count = 0;
    const char **names =
        arena_array(gen->arena, gen->message_count + 1, sizeof *names);
    for (size_t i = 0; i < gen->file_count; i++) {
        if (!wanted[i] || !is_sent(gen, gen->files[i]))
            continue;
        for (size_t j = 0; j < gen->message_count; j++)
            if (gen->messages[j].file == gen->files[i])
                names[count++] = json_name_of(gen, &gen->messages[j]);
    }
    for (size_t i = 0; i < count; i++)
        fprintf(out, "extern const struct json_message %s;\n", names[i]);
    fprintf(out, "\nstatic const struct json_message *const messages[] = {\n");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "    &%s,\n", names[i]);
    fprintf(out, "    NULL,\n};\n");
    return count;
}

static void emit_registry_source(struct gen *gen, FILE *out, size_t r)
{
    bool *wanted = arena_array(gen->arena, gen->file_count, sizeof *wanted);
    size_t count = 0;
    fprintf(out, "#include \"%s.rpc.h\"\n\n", registries[r].stem);
    for (size_t i = 0; i < gen->file_count; i++) {
        const proto_file *file = gen->files[i];
        if (registries[r].types != NULL &&
            in_package(file, registries[r].types))
            mark(gen, file, wanted);
        if (!belongs(file, r) || file->n_service == 0)
            continue;
        fprintf(out, "#include \"%s.rpc.h\"\n",
                name_stem(gen->arena, file->name));
        mark(gen, file, wanted);
    }
    fprintf(out, "\nstatic const struct rpc_service *const services[] = {\n");
    for (size_t i = 0; i < gen->file_count; i++) {
        const proto_file *file = gen->files[i];
        if (!belongs(file, r))
            continue;
        for (size_t j = 0; j < file->n_service; j++, count++)
            fprintf(out, "    &%s,\n",
                    service_name(gen, file, file->service[j]));
    }
    size_t size;
    uint8_t *bytes = descriptor_set(gen, wanted, &size);
    fprintf(out, "    NULL,\n};\n\nstatic const uint8_t descriptors[] = {");
    emit_bytes(out, bytes, size);
    fprintf(out, " 0};\n\n");
    size_t message_count = emit_messages(gen, out, wanted);
    fprintf(out,
            "\nconst struct rpc_registry %s = {\n"
            "    services, %zu, descriptors, %zu, messages, %zu};\n",
            registries[r].name, count, size, message_count);
}

static void emit_registry_header(struct gen *gen, FILE *out, size_t r)
{
    const char *guard = name_guard(gen->arena, registries[r].stem);
    fprintf(out,
            "#ifndef %s\n#define %s\n\n#include \"rpc/method.h\"\n\n"
            "/* The services of package %s. */\n"
            "extern const struct rpc_registry %s;\n\n#endif\n",
            guard, guard, registries[r].packages[0], registries[r].name);
}

static void emit_with(struct gen *gen, size_t r, const char *extension,
                      void (*emit)(struct gen *gen, FILE *out, size_t r))
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    emit(gen, out, r);
    fclose(out);
    gen_output(
        gen,
        arena_printf(gen->arena, "%s.rpc.%s", registries[r].stem, extension),
        text, size);
    free(text);
}

void emit_registries(struct gen *gen)
{
    for (size_t r = 0; r < sizeof registries / sizeof registries[0]; r++) {
        emit_with(gen, r, "h", emit_registry_header);
        emit_with(gen, r, "c", emit_registry_source);
    }
}
