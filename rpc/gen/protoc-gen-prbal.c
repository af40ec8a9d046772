/* A protoc plugin: from the .proto files to method tables, validation tables
 * and short C names on top of what protoc-c makes.  See README.md. */
#include "rpc/gen/gen.h"
#include "rpc/gen/names.h"
#include "rpc/gen/read_all.h"
#include "rpc/gen/rule_tables.h"

#include <stdlib.h>
#include <string.h>

typedef Google__Protobuf__Compiler__CodeGeneratorRequest request;

/* FEATURE_PROTO3_OPTIONAL of plugin.proto. */
enum { PROTO3_OPTIONAL = 1 };

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
