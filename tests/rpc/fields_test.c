#include "tests/rpc/here.h"

#include "rpc/call.h"

/* Echoes one piece of metadata in the headers and the trailers. */
static rpc_status tells(struct rpc_call *call, const void *req, void *res)
{
    (void)res;
    const EchoRequest *asked = req;
    size_t size = 0;
    const char *value = rpc_metadata(call, asked->text, &size);
    if (value == NULL)
        return rpc_fail(call, RPC_NOT_FOUND, "absent");
    rpc_set_header(call, "x-size", arena_printf(call->arena, "%zu", size), 1);
    rpc_set_header(call, "x-value", value, size);
    rpc_set_trailer(call, "x-value-bin", value, size);
    return RPC_SUCCESS;
}

static const struct rpc_method methods[] = {{
    .path = "/prbal.test.Fields/Tell",
    .kind = RPC_UNARY,
    .access = RPC_ACCESS_OPEN,
    .request = &pb__echo_request__descriptor,
    .response = &pb__echo_response__descriptor,
    .unary = tells,
}};
static const struct rpc_service service = {"prbal.test.Fields", methods, 1};
static const struct rpc_service *const services[] = {&service};
static const struct rpc_registry registry = {services, 1, NULL, 0, NULL, 0};
static const struct rpc_registry *const registries[] = {&registry, NULL};

static int setup(void **state)
{
    *state = here_start((struct rpc_server_options){.registries = registries});
    return 0;
}

static struct rpc_reply tell(fixture *t, const char *name, const char *value)
{
    struct rpc_header headers[] = {
        {"x-other", "other"}, {name, value}, {name, "second"}, {NULL}};
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = name;
    return here_call(t, methods[0].path, headers, &req);
}

static void the_first_of_equal_names_counts(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = tell(t, "x-a", "first");
    assert_code(reply, RPC_OK);
    assert_string_equal(here_header(reply.headers, "x-value"), "first");
    assert_string_equal(here_header(reply.headers, "x-size"), "5");
    assert_string_equal(here_header(reply.trailers, "x-value-bin"), "first");
}

static void what_is_absent_is_null(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = "x-missing";
    assert_code(here_call(t, methods[0].path, NULL, &req), RPC_NOT_FOUND);
}

static void binary_values_are_decoded_with_and_without_padding(void **state)
{
    fixture *t = *state;
    static const char *const texts[] = {"aGVsbG8",
                                        "aGVsbG8=", "aGVsbG8,d29ybGQ"};
    for (int i = 0; i < 3; i++) {
        struct rpc_reply reply = tell(t, "x-a-bin", texts[i]);
        assert_code(reply, RPC_OK);
        assert_string_equal(here_header(reply.headers, "x-value"), "hello");
    }
    assert_code(tell(t, "x-a-bin", "not base64!"), RPC_NOT_FOUND);
}

/* HTTP/2 would reset the stream for such a value. */
static void what_cannot_travel_as_text_becomes_a_question_mark(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = tell(t, "x-a", "a\r\nb\x7f");
    assert_string_equal(here_header(reply.headers, "x-value"), "a??b?");
    assert_string_equal(here_header(reply.trailers, "x-value-bin"),
                        "a\r\nb\x7f");
}

static void a_request_id_is_kept_when_it_is_one(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = tell(t, "x-request-id", "abc-123");
    assert_string_equal(here_header(reply.headers, "x-request-id"), "abc-123");
    reply = tell(t, "x-request-id", "evil\"id");
    assert_int_equal(strlen(here_header(reply.headers, "x-request-id")), 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
        CASE(the_first_of_equal_names_counts),
        CASE(what_is_absent_is_null),
        CASE(binary_values_are_decoded_with_and_without_padding),
        CASE(what_cannot_travel_as_text_becomes_a_question_mark),
        CASE(a_request_id_is_kept_when_it_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
