/* grpc.reflection.v1 and, under its older name, v1alpha: what services there
 * are and how their messages look, for grpcurl, Postman and their like. */
#include "rpc/reflection.h"

#include "grpc/reflection/v1/reflection.rpc.h"
#include "rpc/server_internal.h"
#include "rpc/stream.h"

#include <string.h>

/* What is received stays in the call's arena until the call ends. */
enum { REQUESTS_MAX = 1000, EXTENSIONS_MAX = 64 };

static void fail_request(struct rpc_call *call, ServerReflectionResponse *res,
                         rpc_code code, const char *what, const char *name)
{
    ErrorResponse *error = ARENA_NEW(call->arena, ErrorResponse);
    *error = (ErrorResponse)ERROR_RESPONSE_INIT;
    error->error_code = code;
    error->error_message =
        arena_printf(call->arena, "no %s \"%s\"", what, name);
    res->message_response_case = SERVER_REFLECTION_RESPONSE_ERROR_RESPONSE_CASE;
    res->error_response = error;
}

/* The file, then what it imports, each once. */
static void add_file(FileDescriptorResponse *files,
                     const struct reflection_file **seen,
                     const struct reflection_file *file)
{
    for (size_t i = 0; i < files->n_file_descriptor_proto; i++)
        if (seen[i] == file)
            return;
    size_t at = files->n_file_descriptor_proto++;
    seen[at] = file;
    files->file_descriptor_proto[at] =
        (ProtobufCBinaryData){file->size, (uint8_t *)(uintptr_t)file->bytes};
}

static void answer_file(struct rpc_call *call,
                        const struct reflection *reflection,
                        ServerReflectionResponse *res,
                        const struct reflection_file *file)
{
    size_t most = reflection_file_count(reflection);
    FileDescriptorResponse *files =
        ARENA_NEW(call->arena, FileDescriptorResponse);
    *files = (FileDescriptorResponse)FILE_DESCRIPTOR_RESPONSE_INIT;
    files->file_descriptor_proto =
        arena_array(call->arena, most, sizeof *files->file_descriptor_proto);
    const struct reflection_file **seen =
        arena_array(call->arena, most, sizeof *seen);
    add_file(files, seen, file);
    for (size_t i = 0; i < files->n_file_descriptor_proto; i++)
        for (size_t j = 0; j < seen[i]->import_count; j++)
            add_file(files, seen, seen[i]->imports[j]);
    res->message_response_case =
        SERVER_REFLECTION_RESPONSE_FILE_DESCRIPTOR_RESPONSE_CASE;
    res->file_descriptor_response = files;
}

static void answer_found(struct rpc_call *call,
                         const struct reflection *reflection,
                         ServerReflectionResponse *res,
                         const struct reflection_file *file, const char *what,
                         const char *name)
{
    if (file == NULL)
        fail_request(call, res, RPC_NOT_FOUND, what, name);
    else
        answer_file(call, reflection, res, file);
}

static void answer_numbers(struct rpc_call *call,
                           const struct reflection *reflection,
                           ServerReflectionResponse *res, const char *message)
{
    int32_t *numbers =
        arena_array(call->arena, EXTENSIONS_MAX, sizeof *numbers);
    size_t count = reflection_extension_numbers(reflection, message, numbers,
                                                EXTENSIONS_MAX);
    if (count == 0 && reflection_file_with(reflection, message) == NULL) {
        fail_request(call, res, RPC_NOT_FOUND, "message", message);
        return;
    }
    ExtensionNumberResponse *answer =
        ARENA_NEW(call->arena, ExtensionNumberResponse);
    *answer = (ExtensionNumberResponse)EXTENSION_NUMBER_RESPONSE_INIT;
    answer->base_type_name = message;
    answer->n_extension_number =
        count < EXTENSIONS_MAX ? count : EXTENSIONS_MAX;
    answer->extension_number = numbers;
    res->message_response_case =
        SERVER_REFLECTION_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE_CASE;
    res->all_extension_numbers_response = answer;
}

/* Some of the runtime's services are there only when an option asks for them.
 */
static bool is_offered(const struct rpc_server *server, const char *name)
{
    for (size_t i = 0; i < server->service_count; i++)
        if (strcmp(server->services[i]->name, name) == 0)
            return true;
    return false;
}

static void answer_services(struct rpc_call *call,
                            const struct reflection *reflection,
                            ServerReflectionResponse *res)
{
    size_t count;
    const char *const *names = reflection_services(reflection, &count);
    ServiceResponse *services =
        arena_array(call->arena, count, sizeof *services);
    ListServiceResponse *list = ARENA_NEW(call->arena, ListServiceResponse);
    *list = (ListServiceResponse)LIST_SERVICE_RESPONSE_INIT;
    list->service = arena_array(call->arena, count, sizeof *list->service);
    for (size_t i = 0; i < count; i++) {
        if (!is_offered(call->server, names[i]))
            continue;
        services[i] = (ServiceResponse)SERVICE_RESPONSE_INIT;
        services[i].name = names[i];
        list->service[list->n_service++] = &services[i];
    }
    res->message_response_case =
        SERVER_REFLECTION_RESPONSE_LIST_SERVICES_RESPONSE_CASE;
    res->list_services_response = list;
}

static void answer(struct rpc_call *call, const struct reflection *reflection,
                   const ServerReflectionRequest *req,
                   ServerReflectionResponse *res)
{
    const char *name;
    switch ((int)req->message_request_case) {
    case SERVER_REFLECTION_REQUEST_FILE_BY_FILENAME_CASE:
        name = req->file_by_filename;
        answer_found(call, reflection, res,
                     reflection_file_named(reflection, name), "file", name);
        return;
    case SERVER_REFLECTION_REQUEST_FILE_CONTAINING_SYMBOL_CASE:
        name = req->file_containing_symbol;
        answer_found(call, reflection, res,
                     reflection_file_with(reflection, name), "symbol", name);
        return;
    case SERVER_REFLECTION_REQUEST_FILE_CONTAINING_EXTENSION_CASE:
        name = req->file_containing_extension->containing_type;
        answer_found(call, reflection, res,
                     reflection_file_extending(
                         reflection, name,
                         req->file_containing_extension->extension_number),
                     "extension of that number in", name);
        return;
    case SERVER_REFLECTION_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE_CASE:
        answer_numbers(call, reflection, res,
                       req->all_extension_numbers_of_type);
        return;
    case SERVER_REFLECTION_REQUEST_LIST_SERVICES_CASE:
        answer_services(call, reflection, res);
        return;
    default:
        fail_request(call, res, RPC_INVALID_ARGUMENT, "such request", "");
    }
}

rpc_status server_reflection_server_reflection_info(struct rpc_call *call,
                                                    struct rpc_in *in,
                                                    struct rpc_out *out)
{
    const struct reflection *reflection = call->server->reflection;
    if (reflection == NULL)
        return rpc_fail(call, RPC_UNIMPLEMENTED,
                        "this server does not tell of its services");
    for (int i = 0; i < REQUESTS_MAX; i++) {
        ServerReflectionRequest *req;
        TRY(rpc_recv(in, &req));
        if (req == NULL)
            return RPC_SUCCESS;
        ServerReflectionResponse res = SERVER_REFLECTION_RESPONSE_INIT;
        res.valid_host = req->host;
        res.original_request = req;
        answer(call, reflection, req, &res);
        TRY(rpc_send(out, &res));
    }
    return rpc_fail(call, RPC_RESOURCE_EXHAUSTED,
                    "more than %d questions in one call", REQUESTS_MAX);
}
