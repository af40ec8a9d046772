/* x.rpc.c: the method tables and typed thunks of x.proto's services. */
#include "rpc/gen/gen.h"
#include "rpc/gen/names.h"

#include <prbal/options.pb-c.h>
#include <stdlib.h>
#include <string.h>

/* Field numbers of proto/prbal/options.proto. */
enum {
    ACCESS = 50001,
    LIMIT = 50002,
    DEADLINE = 50003,
    REQUEST_BYTES = 50004,
    IDEMPOTENT = 50005,
    FRESH = 50006,
};

static const char *without_service(struct gen *gen, const char *name)
{
    size_t length = strlen(name);
    if (length > 7 && strcmp(name + length - 7, "Service") == 0)
        length -= 7;
    return arena_strndup(gen->arena, name, length);
}

char *handler_name(struct gen *gen, const proto_service *service,
                   const proto_method *method)
{
    return arena_printf(
        gen->arena, "%s_%s",
        name_snake(gen->arena, without_service(gen, service->name)),
        name_snake(gen->arena, method->name));
}

char *service_name(struct gen *gen, const proto_file *file,
                   const proto_service *service)
{
    return arena_printf(
        gen->arena, "%s__service",
        name_c_lower(gen->arena, c_full_name(gen, file, service->name)));
}

/* An option's message, merged from all its records; NULL when it is not there
 * or does not parse. */
static void *method_option(struct gen *gen, const proto_method *method,
                           uint32_t tag, const ProtobufCMessageDescriptor *type)
{
    size_t size;
    const ProtobufCMessage *options =
        method->options == NULL ? NULL : &method->options->base;
    uint8_t *bytes = option_bytes(gen, options, tag, &size);
    return bytes == NULL ? NULL
                         : protobuf_c_message_unpack(type, NULL, size, bytes);
}

static uint32_t role_bits(struct gen *gen, const char *method,
                          const Pb__Access *access)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < access->n_roles; i++) {
        if (access->roles[i] <= 0 || access->roles[i] > 31)
            gen_problem(gen, "%s: (prbal.access) names role %d, which is none",
                        method, access->roles[i]);
        else
            bits |= 1u << access->roles[i];
    }
    return bits;
}

/* Files that are not ours carry no options: who may call their services is
 * said here. */
static const struct {
    const char *package;
    uint32_t access;
} foreign[] = {
    {"grpc.health", 1u << PB__ROLE__ROLE_OPEN},
    {"grpc.reflection", 1u << PB__ROLE__ROLE_OPEN},
    {"xds.service.orca", 1u << PB__ROLE__ROLE_OPEN},
    {"grpc.channelz",
     1u << PB__ROLE__ROLE_SUPERUSER | 1u << PB__ROLE__ROLE_OPERATOR},
};

static uint32_t foreign_access(const proto_file *file)
{
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        if (in_package(file, foreign[i].package))
            return foreign[i].access;
    return 0;
}

/* Default deny: no option, no server. */
static uint32_t access_bits(struct gen *gen, const proto_file *file,
                            const proto_service *service,
                            const proto_method *method)
{
    if (foreign_access(file) != 0)
        return foreign_access(file);
    const char *name = arena_printf(gen->arena, "%s: %s.%s.%s", file->name,
                                    file->package, service->name, method->name);
    Pb__Access *access =
        method_option(gen, method, ACCESS, &pb__access__descriptor);
    uint32_t bits = access == NULL ? 0 : role_bits(gen, name, access);
    if (access == NULL || access->n_roles == 0)
        gen_problem(gen,
                    "%s says nothing of who may call it; add `option "
                    "(prbal.access) = {roles: [...]};`",
                    name);
    if (access != NULL)
        protobuf_c_message_free_unpacked(&access->base, NULL);
    return bits;
}

static void emit_limits(struct gen *gen, FILE *out, const proto_method *method)
{
    Pb__Limit *limit =
        method_option(gen, method, LIMIT, &pb__limit__descriptor);
    if (limit != NULL) {
        fprintf(out, "     .limit_per_minute = %u,\n     .limit_burst = %u,\n",
                limit->per_minute,
                limit->burst == 0 ? limit->per_minute : limit->burst);
        protobuf_c_message_free_unpacked(&limit->base, NULL);
    }
    Pb__Deadline *deadline =
        method_option(gen, method, DEADLINE, &pb__deadline__descriptor);
    if (deadline != NULL) {
        fprintf(out,
                "     .deadline_default_ms = %u,\n"
                "     .deadline_max_ms = %u,\n",
                deadline->default_ms, deadline->max_ms);
        protobuf_c_message_free_unpacked(&deadline->base, NULL);
    }
    if (method->options != NULL &&
        option_number(&method->options->base, REQUEST_BYTES) > 0)
        fprintf(out, "     .request_bytes_max = %u,\n",
                (unsigned)option_number(&method->options->base, REQUEST_BYTES));
}

static bool only_reads(const proto_method *method)
{
    return method->options != NULL &&
           method->options->idempotency_level ==
               GOOGLE__PROTOBUF__METHOD_OPTIONS__IDEMPOTENCY_LEVEL__NO_SIDE_EFFECTS;
}

static bool is_idempotent(const proto_method *method)
{
    return method->options != NULL &&
           option_number(&method->options->base, IDEMPOTENT) != 0;
}

/* Answers are kept by caller, so whoever may call must be somebody. */
static void check_idempotent(struct gen *gen, const proto_file *file,
                             const proto_service *service,
                             const proto_method *method)
{
    const uint32_t nobody =
        1u << PB__ROLE__ROLE_OPEN | 1u << PB__ROLE__ROLE_PUBLIC |
        1u << PB__ROLE__ROLE_SERVICE | 1u << PB__ROLE__ROLE_OPERATOR;
    const char *why = NULL;
    if (method->client_streaming || method->server_streaming)
        why = "it streams";
    else if (only_reads(method))
        why = "it has no side effects";
    else if (access_bits(gen, file, service, method) & nobody)
        why = "who calls it may be nobody";
    if (why != NULL)
        gen_problem(gen, "%s: %s.%s.%s cannot be (prbal.idempotent): %s",
                    file->name, file->package, service->name, method->name,
                    why);
}

/* What HTTP GET may call (Connect; a stream cannot be asked for by GET), and
 * what a retry finds done. */
static void emit_idempotency(struct gen *gen, FILE *out, const proto_file *file,
                             const proto_service *service,
                             const proto_method *method)
{
    if (only_reads(method))
        fprintf(out, "     .has_no_side_effects = true,\n");
    if (method->options != NULL &&
        option_number(&method->options->base, FRESH) > 0)
        fprintf(out, "     .is_fresh = true,\n");
    if (!is_idempotent(method))
        return;
    check_idempotent(gen, file, service, method);
    fprintf(out, "     .is_idempotent = true,\n");
}

static const char *const kinds[2][2] = {
    {"RPC_UNARY", "RPC_SERVER_STREAM"},
    {"RPC_CLIENT_STREAM", "RPC_BIDI_STREAM"},
};
static const char *const members[2][2] = {
    {"unary", "server_stream"},
    {"client_stream", "bidi"},
};

static void emit_thunk(struct gen *gen, FILE *out, const proto_service *service,
                       const proto_method *method)
{
    bool in = method->client_streaming, stream = method->server_streaming;
    const char *handler = handler_name(gen, service, method);
    fprintf(out,
            "\nstatic rpc_status call_%s(struct rpc_call *call, %s, %s)\n"
            "{\n    return %s(call, %s, %s);\n}\n",
            handler, in ? "struct rpc_in *in" : "const void *req",
            stream ? "struct rpc_out *out" : "void *res", handler,
            in ? "in" : "req", stream ? "out" : "res");
}

static const char *descriptor_of(struct gen *gen, const char *type_name)
{
    const struct message_at *at = gen_message(gen, type_name);
    const proto_file *where = implemented_by(gen, at->file);
    return arena_printf(
        gen->arena, "&%s__descriptor",
        name_c_lower(gen->arena, c_full_name(gen, where, at->scope)));
}

static void emit_method(struct gen *gen, FILE *out, const proto_file *file,
                        const proto_service *service,
                        const proto_method *method)
{
    bool in = method->client_streaming, stream = method->server_streaming;
    fprintf(out, "    {.path = \"/%s.%s/%s\",\n", file->package, service->name,
            method->name);
    fprintf(out, "     .kind = %s,\n", kinds[in][stream]);
    fprintf(out, "     .access = 0x%x,\n",
            access_bits(gen, file, service, method));
    emit_limits(gen, out, method);
    emit_idempotency(gen, out, file, service, method);
    fprintf(out, "     .request = %s,\n     .response = %s,\n",
            descriptor_of(gen, method->input_type),
            descriptor_of(gen, method->output_type));
    const struct message_at *request = gen_message(gen, method->input_type);
    if (request->rules != NULL)
        fprintf(out, "     .rules = &%s,\n", rules_name(gen, request));
    fprintf(out, "     .%s = call_%s},\n", members[in][stream],
            handler_name(gen, service, method));
}

static void declare_rules(struct gen *gen, FILE *out,
                          const proto_service *service)
{
    for (size_t i = 0; i < service->n_method; i++) {
        const struct message_at *request =
            gen_message(gen, service->method[i]->input_type);
        if (request->rules != NULL)
            fprintf(out, "extern const struct rpc_rules %s;\n",
                    rules_name(gen, request));
    }
}

void emit_service(struct gen *gen, FILE *out, const proto_file *file,
                  const proto_service *service)
{
    const char *table = service_name(gen, file, service);
    declare_rules(gen, out, service);
    for (size_t i = 0; i < service->n_method; i++)
        emit_thunk(gen, out, service, service->method[i]);
    fprintf(out, "\nstatic const struct rpc_method %s_methods[] = {\n", table);
    for (size_t i = 0; i < service->n_method; i++)
        emit_method(gen, out, file, service, service->method[i]);
    fprintf(out,
            "};\n\nconst struct rpc_service %s = {\n"
            "    \"%s.%s\", %s_methods, %zu};\n",
            table, file->package, service->name, table, service->n_method);
}

void emit_source(struct gen *gen, const proto_file *file)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const char *stem = name_stem(gen->arena, file->name);
    fprintf(out,
            "/* From %s, by protoc-gen-prbal. */\n"
            "#include \"%s.rpc.h\"\n",
            file->name, stem);
    emit_json(gen, out, file);
    emit_rules(gen, out, file);
    for (size_t i = 0; i < file->n_service; i++)
        emit_service(gen, out, file, file->service[i]);
    fclose(out);
    gen_output(gen, arena_printf(gen->arena, "%s.rpc.c", stem), text, size);
    free(text);
}
