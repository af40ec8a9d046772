/* A protoc plugin: from the .proto files to method tables, validation tables
 * and short C names on top of what protoc-c makes.  See README.md. */
#include "rpc/gen/gen.h"
#include "rpc/gen/names.h"
#include "rpc/gen/read_all.h"

#include <stdlib.h>
#include <string.h>

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request;

/* FEATURE_PROTO3_OPTIONAL of plugin.proto. */
enum { PROTO3_OPTIONAL = 1 };

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
        (struct message_at){file, m, scope, false};
    for (size_t i = 0; i < m->n_nested_type; i++)
        index_message(
            gen, file, m->nested_type[i],
            arena_printf(gen->arena, "%s.%s", scope, m->nested_type[i]->name));
}

static void index_messages(struct gen *gen)
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

static void generate(struct gen *gen, const request *req)
{
    gen->files = req->proto_file;
    gen->file_count = req->n_proto_file;
    index_messages(gen);
    find_rules(gen);
    for (size_t i = 0; i < req->n_file_to_generate; i++) {
        const proto_file *file = gen_file(gen, req->file_to_generate[i]);
        emit_header(gen, file);
        emit_source(gen, file);
        emit_client(gen, file);
    }
    emit_registries(gen);
}

static int answer(struct gen *gen)
{
    if (gen->problems != NULL) {
        gen->response.error = gen->problems;
        gen->response.n_file = 0;
    }
    size_t size = protobuf_c_message_get_packed_size(&gen->response.base);
    uint8_t *bytes = arena_alloc(gen->arena, size + 1);
    protobuf_c_message_pack(&gen->response.base, bytes);
    if (fwrite(bytes, 1, size, stdout) != size || fflush(stdout) != 0)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

int main(void)
{
    size_t size;
    uint8_t *bytes = read_all(stdin, &size);
    request *req =
        bytes == NULL
            ? NULL
            : google__protobuf__compiler__code_generator_request__unpack(
                  NULL, size, bytes);
    free(bytes);
    if (req == NULL) {
        fprintf(stderr, "protoc-gen-prbal is run by protoc\n");
        return EXIT_FAILURE;
    }
    struct gen gen = {.arena = arena_create()};
    google__protobuf__compiler__code_generator_response__init(&gen.response);
    gen.response.has_supported_features = true;
    gen.response.supported_features = PROTO3_OPTIONAL;
    generate(&gen, req);
    int code = answer(&gen);
    arena_destroy(gen.arena);
    google__protobuf__compiler__code_generator_request__free_unpacked(req,
                                                                      NULL);
    return code;
}
