#include "rpc/trace.h"
#include "tests/rpc/here.h"

#include "rpc/log.h"
#include "rpc/metrics.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static bool is_taken(const char *text)
{
    struct rpc_trace trace, before;
    trace_begin(&trace);
    before = trace;
    bool taken = trace_continue(&trace, text, strlen(text));
    if (!taken)
        assert_memory_equal(&trace, &before, sizeof trace);
    return taken;
}

static void a_trace_that_begins_here_has_ids_and_no_parent(void **state)
{
    (void)state;
    struct rpc_trace one, other;
    char text[TRACE_PARENT_SIZE + 1];
    trace_begin(&one);
    trace_begin(&other);
    assert_true(one.trace_low != 0 && one.span != 0 && one.parent == 0);
    assert_true(one.trace_low != other.trace_low && one.span != other.span);
    trace_write(&one, text);
    assert_int_equal(strlen(text), TRACE_PARENT_SIZE);
    assert_true(is_taken(text));
}

static void a_call_is_the_parent_of_those_it_makes(void **state)
{
    (void)state;
    struct rpc_trace trace;
    char text[TRACE_PARENT_SIZE + 1], span[TRACE_SPAN_SIZE + 1];
    trace_begin(&trace);
    assert_true(trace_continue(&trace, PARENT, strlen(PARENT)));
    assert_true(trace.parent == 0xb7ad6b7169203331);
    assert_true(trace.span != trace.parent);
    trace_write(&trace, text);
    trace_write_span(trace.span, span);
    assert_memory_equal(text, "00-0af7651916cd43dd8448eb211c80319c-", 36);
    assert_memory_equal(text + 36, span, 16);
    assert_string_equal(text + 52, "-01");
}

static void who_is_not_sampled_stays_so(void **state)
{
    (void)state;
    struct rpc_trace trace;
    char text[TRACE_PARENT_SIZE + 1];
    static const char unsampled[] =
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe";
    trace_begin(&trace);
    assert_true(trace_continue(&trace, unsampled, sizeof unsampled - 1));
    trace_write(&trace, text);
    assert_string_equal(text + 52, "-00");
}

static void what_breaks_a_rule_is_not_taken(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        PARENT "-more", /* of version 00 */
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
        " " PARENT,
    };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        if (is_taken(broken[i]))
            fail_msg("taken: \"%s\"", broken[i]);
    assert_true(is_taken(PARENT));
    assert_true(is_taken(
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
}

/* --- in a call ------------------------------------------------------------ */

static char log_path[] = "/tmp/prbal-trace-XXXXXX";

static int setup(void **state)
{
    char error[200];
    strcpy(log_path + strlen(log_path) - 6, "XXXXXX");
    close(mkstemp(log_path));
    const struct log_options options = {.path = log_path};
    assert_true(log_open(&options, error, sizeof error));
    *state = here_start((struct rpc_server_options){0});
    return 0;
}

static int teardown(void **state)
{
    log_close();
    unlink(log_path);
    return here_stop(state);
}

/* The log line of one call with these headers. */
static json_t *line_of(fixture *t, const struct rpc_header *headers)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    static char line[4096];
    assert_code(here_call(t, TEST_ECHO, headers, &req), RPC_OK);
    log_close();
    FILE *file = fopen(log_path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    json_t *object = json_loads(line, 0, NULL);
    assert_non_null(object);
    return object;
}

static const char *text_of(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

static void the_log_line_of_a_call_has_its_span(void **state)
{
    static const struct rpc_header headers[] = {{"traceparent", PARENT}, {0}};
    json_t *line = line_of(*state, headers);
    assert_string_equal(text_of(line, "trace_id"),
                        "0af7651916cd43dd8448eb211c80319c");
    assert_string_equal(text_of(line, "parent_span_id"), "b7ad6b7169203331");
    assert_int_equal(strlen(text_of(line, "span_id")), TRACE_SPAN_SIZE);
    assert_null(json_object_get(line, "previous_attempts"));
    json_decref(line);
}

static void a_call_without_a_parent_begins_a_trace(void **state)
{
    static const struct rpc_header broken[] = {{"traceparent", "00-x"}, {0}};
    json_t *line = line_of(*state, broken);
    assert_int_equal(strlen(text_of(line, "trace_id")), TRACE_ID_SIZE);
    assert_null(json_object_get(line, "parent_span_id"));
    json_decref(line);
}

/* Which of them would be the parent? */
static void two_parents_are_none(void **state)
{
    static const struct rpc_header headers[] = {
        {"traceparent", PARENT}, {"traceparent", PARENT}, {0}};
    json_t *line = line_of(*state, headers);
    assert_null(json_object_get(line, "parent_span_id"));
    json_decref(line);
}

static void a_call_that_is_made_again_is_known(void **state)
{
    static const struct rpc_header headers[] = {
        {"grpc-previous-rpc-attempts", "2"}, {0}};
    metric retried = metrics_counter("grpc_server_retried_calls_total",
                                     "Calls that the client, as it says, has "
                                     "made before.",
                                     NULL);
    int64_t before = metrics_value(retried);
    json_t *line = line_of(*state, headers);
    assert_int_equal(
        json_integer_value(json_object_get(line, "previous_attempts")), 2);
    assert_int_equal(metrics_value(retried), before + 1);
    json_decref(line);
}

static void a_count_of_attempts_that_is_none_is_0(void **state)
{
    static const struct rpc_header headers[] = {
        {"grpc-previous-rpc-attempts", "-1"}, {0}};
    json_t *line = line_of(*state, headers);
    assert_null(json_object_get(line, "previous_attempts"));
    json_decref(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_that_begins_here_has_ids_and_no_parent),
        cmocka_unit_test(a_call_is_the_parent_of_those_it_makes),
        cmocka_unit_test(who_is_not_sampled_stays_so),
        cmocka_unit_test(what_breaks_a_rule_is_not_taken),
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(the_log_line_of_a_call_has_its_span),
        CASE(a_call_without_a_parent_begins_a_trace),
        CASE(two_parents_are_none),
        CASE(a_call_that_is_made_again_is_known),
        CASE(a_count_of_attempts_that_is_none_is_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
