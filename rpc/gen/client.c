/* x.client.h: typed calls of x.proto's methods through a channel.  Not part of
 * x.rpc.h, which servers include; and with tables of its own, so that a client
 * needs no handlers to link. */
#include "rpc/gen/gen.h"
#include "rpc/gen/names.h"

#include <stdlib.h>
#include <string.h>

static const char *type_of(const char *full_name)
{
    return strrchr(full_name, '.') + 1;
}

static const char *kind_of(const proto_method *method)
{
    if (method->client_streaming)
        return method->server_streaming ? "RPC_BIDI_STREAM"
                                        : "RPC_CLIENT_STREAM";
    return method->server_streaming ? "RPC_SERVER_STREAM" : "RPC_UNARY";
}

static void emit_table(struct gen *gen, FILE *out, const proto_file *file,
                       const proto_service *service, const proto_method *method)
{
    fprintf(out,
            "    static const struct rpc_method method = {\n"
            "        .path = \"/%s.%s/%s\",\n"
            "        .kind = %s,\n"
            "        .request = %s_DESCRIPTOR,\n"
            "        .response = %s_DESCRIPTOR,\n"
            "    };\n",
            file->package, service->name, method->name, kind_of(method),
            name_macro(gen->arena, type_of(method->input_type)),
            name_macro(gen->arena, type_of(method->output_type)));
}

static void emit_unary(struct gen *gen, FILE *out, const proto_file *file,
                       const proto_service *service, const proto_method *method)
{
    fprintf(out,
            "\nstatic inline rpc_status %s_call(\n"
            "    struct rpc_call *call, struct rpc_channel *channel,\n"
            "    const %s *req, %s **res,\n"
            "    const struct rpc_channel_call_options *options)\n{\n",
            handler_name(gen, service, method), type_of(method->input_type),
            type_of(method->output_type));
    emit_table(gen, out, file, service, method);
    fprintf(out, "    return rpc_channel_call(call, channel, &method, req, "
                 "res, options);\n}\n");
}

static void emit_stream(struct gen *gen, FILE *out, const proto_file *file,
                        const proto_service *service,
                        const proto_method *method)
{
    fprintf(out,
            "\nstatic inline struct rpc_channel_stream *%s_open(\n"
            "    struct rpc_call *call, struct rpc_channel *channel,\n"
            "    const struct rpc_channel_call_options *options)\n{\n",
            handler_name(gen, service, method));
    emit_table(gen, out, file, service, method);
    fprintf(
        out,
        "    return rpc_channel_open(call, channel, &method, options);\n}\n");
}

static void emit_services(struct gen *gen, FILE *out, const proto_file *file)
{
    fprintf(out, "#include \"rpc/channel.h\"\n#include \"%s.rpc.h\"\n",
            name_stem(gen->arena, file->name));
    for (size_t i = 0; i < file->n_service; i++) {
        const proto_service *service = file->service[i];
        for (size_t j = 0; j < service->n_method; j++) {
            const proto_method *method = service->method[j];
            if (method->client_streaming || method->server_streaming)
                emit_stream(gen, out, file, service, method);
            else
                emit_unary(gen, out, file, service, method);
        }
    }
}

void emit_client(struct gen *gen, const proto_file *file)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    const char *stem = name_stem(gen->arena, file->name);
    const char *guard =
        name_guard(gen->arena, arena_printf(gen->arena, "%s_client", stem));
    fprintf(out,
            "/* From %s, by protoc-gen-prbal. */\n"
            "#ifndef %s\n#define %s\n\n",
            file->name, guard, guard);
    if (file->n_service > 0 && implemented_by(gen, file) == file)
        emit_services(gen, out, file);
    fprintf(out, "\n#endif\n");
    fclose(out);
    gen_output(gen, arena_printf(gen->arena, "%s.client.h", stem), text, size);
    free(text);
}
