/* The query of a GET, which anybody can write. */
#include "rpc/connect_query.h"

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

static void assert_message(void **state, const char *text, const char *message,
                           size_t size)
{
    struct connect_query query;
    const char *problem =
        connect_query_read(*state, text, strlen(text), &query);
    if (problem != NULL)
        fail_msg("%s: %s", text, problem);
    assert_int_equal(query.message_size, size);
    assert_memory_equal(query.message, message, size);
}

static void parameters_come_in_any_order(void **state)
{
    struct connect_query query;
    static const char text[] =
        "message=%7B%7D&x=y&compression=gzip&encoding=json&&connect=v1&z";
    assert_null(connect_query_read(*state, text, sizeof text - 1, &query));
    assert_string_equal(query.encoding, "json");
    assert_string_equal(query.compression, "gzip");
    assert_int_equal(query.message_size, 2);
    assert_string_equal(query.message, "{}");
}

static void what_is_not_named_is_null(void **state)
{
    struct connect_query query;
    assert_null(connect_query_read(*state, "", 0, &query));
    assert_null(query.encoding);
    assert_null(query.compression);
    assert_null(query.message);
}

static void messages_are_decoded(void **state)
{
    assert_message(state, "message=a%20b+c", "a b c", 5);
    assert_message(state, "message=%c3%A9", "\xc3\xa9", 2);
    assert_message(state, "message=", "", 0);
    assert_message(state, "message", "", 0);
    assert_message(state, "message=a=b", "a=b", 3);
    assert_message(state, "message=%00x", "\0x", 2);
    assert_message(state, "base64=1&message=-_-_", "\xfb\xff\xbf", 3);
    assert_message(state, "base64=1&message=AA", "\0", 1);
    assert_message(state, "base64=1&message=AA%3D%3D", "\0", 1);
    assert_message(state, "message=AA==&base64=1", "\0", 1);
    assert_message(state, "message=AA==&base64=0", "AA==", 4);
}

static void what_could_be_read_in_two_ways_is_refused(void **state)
{
    static const char *const bad[] = {
        "connect=v2",
        "connect=",
        "message=%",
        "message=%4",
        "message=%4g",
        "message=% 41",
        "message=a&message=b",
        "encoding=json&encoding=proto",
        "encoding=json%00proto",
        "compression=gzip%00",
        "base64=yes&message=AA",
        "base64=1&message=+_",
        "base64=1&message=A",
        "base64=1&message=AAA==",
        "base64=1&message=AA=",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct connect_query query;
        if (connect_query_read(*state, bad[i], strlen(bad[i]), &query) == NULL)
            fail_msg("%s was taken", bad[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_come_in_any_order),
        cmocka_unit_test(what_is_not_named_is_null),
        cmocka_unit_test(messages_are_decoded),
        cmocka_unit_test(what_could_be_read_in_two_ways_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
