/* Errors of Connect as JSON. */
#include "rpc/connect_error.h"

#include "rpc/details.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int start(void **state)
{
    *state = arena_create();
    return 0;
}

static int stop(void **state)
{
    arena_destroy(*state);
    arena_thread_finish();
    return 0;
}

static void assert_text(const char *text, size_t size, const char *expected)
{
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void codes_have_names_and_http_statuses(void **state)
{
    (void)state;
    assert_string_equal(connect_code_name(RPC_CANCELLED), "canceled");
    assert_string_equal(connect_http_status(RPC_CANCELLED), "499");
    assert_string_equal(connect_code_name(RPC_UNAUTHENTICATED),
                        "unauthenticated");
    assert_string_equal(connect_http_status(RPC_UNAUTHENTICATED), "401");
    assert_string_equal(connect_code_name((rpc_code)99), "unknown");
    assert_string_equal(connect_http_status((rpc_code)-1), "500");
}

static const struct {
    const char *message;
    const char *json;
} messages[] = {
    {NULL, "{\"code\":\"aborted\"}"},
    {"", "{\"code\":\"aborted\"}"},
    {"plain", "{\"code\":\"aborted\",\"message\":\"plain\"}"},
    {"\"\\", "{\"code\":\"aborted\",\"message\":\"\\\"\\\\\"}"},
    {"a\nb\x01", "{\"code\":\"aborted\",\"message\":\"a\\nb\\u0001\"}"},
    {"\xc3\xa9\xf0\x9f\x98\x80",
     "{\"code\":\"aborted\",\"message\":\"\xc3\xa9\xf0\x9f\x98\x80\"}"},
    {"\xff",
     "{\"code\":\"aborted\",\"message\":\"the server's message is not text\"}"},
};

static void whatever_a_message_says_stays_in_its_quotes(void **state)
{
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        const struct rpc_answer answer = {.code = RPC_ABORTED,
                                          .message = messages[i].message};
        size_t size;
        const char *json = connect_error_json(*state, NULL, &answer, &size);
        assert_text(json, size, messages[i].json);
    }
}

static void details_are_named_by_their_type(void **state)
{
    const struct rpc_details details = {.status = {RPC_NOT_FOUND, "gone"},
                                        .reason = "BID_GONE",
                                        .retry_ms = -1};
    struct rpc_answer answer = {.code = RPC_NOT_FOUND, .message = "gone"};
    answer.details =
        rpc_details_pack(*state, &details, "prbal", &answer.details_size);
    size_t size;
    const char *json = connect_error_json(*state, NULL, &answer, &size);
    assert_text(json, size,
                "{\"code\":\"not_found\",\"message\":\"gone\",\"details\":[{"
                "\"type\":\"google.rpc.ErrorInfo\",\"value\":"
                "\"CghCSURfR09ORRIFcHJiYWw\"}]}");
}

static void the_end_of_a_stream_groups_metadata_by_name(void **state)
{
    struct rpc_field third = {NULL, "x-a", "3\"", 3, 2};
    struct rpc_field second = {&third, "x-b-bin", "\0\xff", 7, 2};
    struct rpc_field first = {&second, "x-a", "1", 3, 1};
    struct rpc_answer answer = {.code = RPC_OK, .trailers = &first};
    size_t size;
    const char *json = connect_end_json(*state, NULL, &answer, &size);
    assert_text(json, size,
                "{\"metadata\":{\"x-a\":[\"1\",\"3\\\"\"],"
                "\"x-b-bin\":[\"AP8\"]}}");
    answer.code = RPC_UNKNOWN;
    json = connect_end_json(*state, NULL, &answer, &size);
    assert_text(json, size,
                "{\"error\":{\"code\":\"unknown\"},\"metadata\":{\"x-a\":"
                "[\"1\",\"3\\\"\"],\"x-b-bin\":[\"AP8\"]}}");
    answer = (struct rpc_answer){.code = RPC_OK};
    json = connect_end_json(*state, NULL, &answer, &size);
    assert_text(json, size, "{}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_have_names_and_http_statuses),
        cmocka_unit_test(whatever_a_message_says_stays_in_its_quotes),
        cmocka_unit_test(details_are_named_by_their_type),
        cmocka_unit_test(the_end_of_a_stream_groups_metadata_by_name),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
