/* The index behind server reflection, and the service on top of it. */
#include "grpc/reflection/v1/reflection.rpc.h"
#include "rpc/reflection.h"
#include "tests/rpc/here.h"

static int start_index(void **state)
{
    static const struct rpc_registry *const registries[] = {
        &test_registry, &test_registry, NULL};
    *state = reflection_create(registries);
    return 0;
}

static int end_index(void **state)
{
    reflection_destroy(*state);
    return 0;
}

static void services_are_listed_sorted(void **state)
{
    size_t count;
    const char *const *names = reflection_services(*state, &count);
    assert_in_range(count, 1, 100);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        found |= strcmp(names[i], "prbal.test.TestService") == 0;
        if (i > 0)
            assert_true(strcmp(names[i - 1], names[i]) <= 0);
    }
    assert_true(found);
}

static void a_symbol_of_each_kind_leads_to_its_file(void **state)
{
    static const struct {
        const char *symbol;
        const char *file;
    } rows[] = {
        {"prbal.test.TestService", "tests/rpc/testservice.proto"},
        {"prbal.test.TestService.Echo", "tests/rpc/testservice.proto"},
        {"prbal.test.EchoRequest", "tests/rpc/testservice.proto"},
        {"prbal.test.EchoRequest.text", "tests/rpc/testservice.proto"},
        {"prbal.Role", "prbal/options.proto"},
        {"prbal.ROLE_ADMIN", "prbal/options.proto"},
        {"prbal.access", "prbal/options.proto"},
        {"buf.validate.FieldRules.type", "buf/validate/validate.proto"},
        {"google.protobuf.FieldDescriptorProto.Type",
         "google/protobuf/descriptor.proto"},
        {"google.protobuf.FieldDescriptorProto.TYPE_INT32",
         "google/protobuf/descriptor.proto"},
        {"google.protobuf.DescriptorProto.ExtensionRange.start",
         "google/protobuf/descriptor.proto"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct reflection_file *file =
            reflection_file_with(*state, rows[i].symbol);
        if (file == NULL)
            fail_msg("%s is in no file", rows[i].symbol);
        assert_string_equal(file->name, rows[i].file);
    }
    assert_null(reflection_file_with(*state, "prbal.test.EchoReques"));
    assert_null(reflection_file_with(*state, ".prbal.test.EchoRequest"));
    assert_null(reflection_file_with(*state, ""));
}

static void extensions_are_found_by_number(void **state)
{
    const struct reflection_file *file =
        reflection_file_extending(*state, "google.protobuf.FieldOptions", 1159);
    assert_non_null(file);
    assert_string_equal(file->name, "buf/validate/validate.proto");
    assert_null(reflection_file_extending(
        *state, "google.protobuf.FieldOptions", 1158));

    int32_t numbers[8] = {0};
    size_t count = reflection_extension_numbers(
        *state, "google.protobuf.MethodOptions", numbers, 8);
    assert_int_equal(count, 6);
    for (int32_t i = 0; i < 6; i++)
        assert_int_equal(numbers[i], 50001 + i);
}

static void a_file_has_all_its_imports(void **state)
{
    const struct reflection_file *file =
        reflection_file_named(*state, "tests/rpc/testservice.proto");
    assert_non_null(file);
    assert_int_equal(file->import_count, 3);
    assert_string_equal(file->imports[0]->name, "buf/validate/validate.proto");
    assert_string_equal(file->imports[1]->name,
                        "google/protobuf/field_mask.proto");
    assert_string_equal(file->imports[2]->name, "prbal/options.proto");
    assert_int_equal(file->imports[0]->import_count, 4);
    assert_null(reflection_file_named(*state, "nowhere.proto"));
}

/* Comments and rows of the database are nobody's business. */
static void only_the_public_is_told(void **state)
{
    const struct reflection_file *file =
        reflection_file_named(*state, "tests/rpc/testservice.proto");
    static const char comment[] = "Sends back what it got";
    assert_null(memmem(file->bytes, file->size, comment, sizeof comment - 1));
    assert_null(reflection_file_named(*state, "tests/rpc/codec.proto"));
}

/* Service */

static const char v1[] =
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
static const char v1alpha[] =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

static int start_server(void **state)
{
    *state = here_start((struct rpc_server_options){.reflection = true});
    return 0;
}

static ServerReflectionResponse *ask(fixture *t, const char *path,
                                     const ServerReflectionRequest *req)
{
    struct rpc_local *local = rpc_local_open(t->server, path, NULL);
    rpc_local_send(local, req);
    ServerReflectionResponse *res =
        (ServerReflectionResponse *)rpc_local_next(local, t->arena, 5000);
    assert_non_null(res);
    rpc_local_close_send(local);
    assert_null(rpc_local_next(local, t->arena, 5000));
    assert_code(rpc_local_reply(local), RPC_OK);
    rpc_local_free(local);
    return res;
}

static void both_versions_list_all_services(void **state)
{
    static const char *const expected[] = {
        "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection", "prbal.test.TestService"};
    const char *const paths[] = {v1, v1alpha};
    for (int i = 0; i < 2; i++) {
        ServerReflectionRequest req = SERVER_REFLECTION_REQUEST_INIT;
        req.host = "here";
        req.message_request_case = SERVER_REFLECTION_REQUEST_LIST_SERVICES_CASE;
        req.list_services = "*";
        ServerReflectionResponse *res = ask(*state, paths[i], &req);
        assert_string_equal(res->valid_host, "here");
        assert_string_equal(res->original_request->list_services, "*");
        assert_int_equal(
            res->message_response_case,
            SERVER_REFLECTION_RESPONSE_LIST_SERVICES_RESPONSE_CASE);
        assert_int_equal(res->list_services_response->n_service, 4);
        for (int j = 0; j < 4; j++)
            assert_string_equal(res->list_services_response->service[j]->name,
                                expected[j]);
    }
}

static void a_symbol_brings_its_file_and_what_that_imports(void **state)
{
    ServerReflectionRequest req = SERVER_REFLECTION_REQUEST_INIT;
    req.message_request_case =
        SERVER_REFLECTION_REQUEST_FILE_CONTAINING_SYMBOL_CASE;
    req.file_containing_symbol = "prbal.test.TestService";
    ServerReflectionResponse *res = ask(*state, v1, &req);
    assert_int_equal(res->message_response_case,
                     SERVER_REFLECTION_RESPONSE_FILE_DESCRIPTOR_RESPONSE_CASE);
    /* It, validate, options, descriptor, duration, field_mask, timestamp. */
    assert_int_equal(res->file_descriptor_response->n_file_descriptor_proto, 7);
    const ProtobufCBinaryData *first =
        &res->file_descriptor_response->file_descriptor_proto[0];
    assert_memory_equal(first->data, "\x0a\x1btests/rpc/testservice.proto", 29);
}

/* Else grpcurl shows the details of an error as bytes. */
static void the_details_of_a_status_are_told(void **state)
{
    ServerReflectionRequest req = SERVER_REFLECTION_REQUEST_INIT;
    req.message_request_case =
        SERVER_REFLECTION_REQUEST_FILE_CONTAINING_SYMBOL_CASE;
    req.file_containing_symbol = "google.rpc.BadRequest";
    ServerReflectionResponse *res = ask(*state, v1, &req);
    assert_int_equal(res->message_response_case,
                     SERVER_REFLECTION_RESPONSE_FILE_DESCRIPTOR_RESPONSE_CASE);
}

static void what_is_not_there_is_an_error_in_the_answer(void **state)
{
    ServerReflectionRequest req = SERVER_REFLECTION_REQUEST_INIT;
    req.message_request_case = SERVER_REFLECTION_REQUEST_FILE_BY_FILENAME_CASE;
    req.file_by_filename = "nowhere.proto";
    ServerReflectionResponse *res = ask(*state, v1, &req);
    assert_int_equal(res->message_response_case,
                     SERVER_REFLECTION_RESPONSE_ERROR_RESPONSE_CASE);
    assert_int_equal(res->error_response->error_code, RPC_NOT_FOUND);
    assert_string_equal(res->error_response->error_message,
                        "no file \"nowhere.proto\"");

    ServerReflectionRequest nothing = SERVER_REFLECTION_REQUEST_INIT;
    res = ask(*state, v1, &nothing);
    assert_int_equal(res->error_response->error_code, RPC_INVALID_ARGUMENT);
}

static void extensions_are_told(void **state)
{
    ExtensionRequest extension = EXTENSION_REQUEST_INIT;
    extension.containing_type = "google.protobuf.MethodOptions";
    extension.extension_number = 50001;
    ServerReflectionRequest req = SERVER_REFLECTION_REQUEST_INIT;
    req.message_request_case =
        SERVER_REFLECTION_REQUEST_FILE_CONTAINING_EXTENSION_CASE;
    req.file_containing_extension = &extension;
    ServerReflectionResponse *res = ask(*state, v1, &req);
    assert_int_equal(res->file_descriptor_response->n_file_descriptor_proto, 2);

    req.message_request_case =
        SERVER_REFLECTION_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE_CASE;
    req.all_extension_numbers_of_type = "google.protobuf.MethodOptions";
    res = ask(*state, v1, &req);
    assert_int_equal(res->all_extension_numbers_response->n_extension_number,
                     6);
}

static void a_server_without_reflection_has_no_such_service(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){.reflection = false});
    struct rpc_local *local = rpc_local_open(t->server, v1, NULL);
    assert_null(rpc_local_next(local, t->arena, 5000));
    assert_code(rpc_local_reply(local), RPC_UNIMPLEMENTED);
    rpc_local_free(local);
    here_stop((void **)&t);
}

int main(void)
{
#define SERVED(name) \
    cmocka_unit_test_setup_teardown(name, start_server, here_stop)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_are_listed_sorted),
        cmocka_unit_test(a_symbol_of_each_kind_leads_to_its_file),
        cmocka_unit_test(extensions_are_found_by_number),
        cmocka_unit_test(a_file_has_all_its_imports),
        cmocka_unit_test(only_the_public_is_told),
    };
    const struct CMUnitTest served[] = {
        SERVED(both_versions_list_all_services),
        SERVED(a_symbol_brings_its_file_and_what_that_imports),
        SERVED(the_details_of_a_status_are_told),
        SERVED(what_is_not_there_is_an_error_in_the_answer),
        SERVED(extensions_are_told),
        cmocka_unit_test(a_server_without_reflection_has_no_such_service),
    };
    return cmocka_run_group_tests(tests, start_index, end_index) +
           cmocka_run_group_tests(served, NULL, NULL);
}
