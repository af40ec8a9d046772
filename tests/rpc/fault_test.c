#include "rpc/clock.h"
#include "rpc/fault.h"
#include "tests/rpc/here.h"

#include <stdio.h>

static struct rpc_faults *parse(const char *text)
{
    char error[200] = "";
    struct rpc_faults *faults = rpc_faults_parse(text, error, sizeof error);
    if (faults == NULL)
        fail_msg("%s", error);
    return faults;
}

static rpc_code code_of(const char *faults_text, const char *request_id)
{
    struct rpc_faults *faults = parse(faults_text);
    fixture *t = here_start((struct rpc_server_options){.faults = faults});
    EchoRequest req = ECHO_REQUEST_INIT;
    const struct rpc_header headers[] = {{"x-request-id", request_id}, {0}};
    rpc_code code = here_call(t, TEST_ECHO, headers, &req).status.code;
    here_stop((void **)&t);
    rpc_faults_free(faults);
    return code;
}

static void the_first_rule_that_fits_is_met(void **state)
{
    (void)state;
    assert_int_equal(code_of("", "a"), RPC_OK);
    assert_int_equal(code_of("*=abort:UNAVAILABLE", "a"), RPC_UNAVAILABLE);
    assert_int_equal(code_of("prbal.test.TestService/*=abort:DATA_LOSS", "a"),
                     RPC_DATA_LOSS);
    assert_int_equal(code_of("prbal.test.TestService/Echo = abort:ABORTED@100 "
                             "; *=abort:INTERNAL",
                             "a"),
                     RPC_ABORTED);
    assert_int_equal(code_of("prbal.test.TestService/Ech=abort:ABORTED", "a"),
                     RPC_OK);
    assert_int_equal(code_of("*=abort:ABORTED@0", "a"), RPC_OK);
}

static void an_abort_says_that_it_was_on_purpose(void **state)
{
    (void)state;
    struct rpc_faults *faults = parse("*=abort:UNAVAILABLE");
    fixture *t = here_start((struct rpc_server_options){.faults = faults});
    struct rpc_reply reply = here_echo(t, "x");
    const Google__Rpc__ErrorInfo *info =
        here_detail(t, reply, &google__rpc__error_info__descriptor);
    assert_non_null(info);
    assert_string_equal(info->reason, "FAULT_INJECTED");
    here_stop((void **)&t);
    rpc_faults_free(faults);
}

static void a_delay_is_at_least_as_long_as_told(void **state)
{
    (void)state;
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(code_of("*=delay:50ms,abort:ABORTED", "a"), RPC_ABORTED);
    assert_true(clock_monotonic_us() - began_us >= 49 * 1000);
}

static void one_request_id_meets_one_fate(void **state)
{
    (void)state;
    struct rpc_faults *faults = parse("*=abort:UNAVAILABLE@30");
    fixture *t = here_start((struct rpc_server_options){.faults = faults});
    int aborted = 0;
    for (int i = 0; i < 1000; i++) {
        char id[24];
        EchoRequest req = ECHO_REQUEST_INIT;
        snprintf(id, sizeof id, "call-%d", i);
        const struct rpc_header headers[] = {{"x-request-id", id}, {0}};
        rpc_code first = here_call(t, TEST_ECHO, headers, &req).status.code;
        assert_int_equal(here_call(t, TEST_ECHO, headers, &req).status.code,
                         first);
        aborted += first == RPC_UNAVAILABLE;
    }
    assert_in_range(aborted, 250, 350);
    here_stop((void **)&t);
    rpc_faults_free(faults);
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"nonsense", "\"nonsense\" has no \"=\" between method and fault."},
        {"*=", "nothing happens to \"\"."},
        {"*=explode", "\"explode\" is neither delay:DURATION nor abort:CODE."},
        {"*=delay:5", "\"5\" is not a delay such as 300ms, at most 1m."},
        {"*=delay:2m", "\"2m\" is not a delay such as 300ms, at most 1m."},
        {"*=delay:5ms@101", "\"101\" is not a percentage from 0 to 100."},
        {"*=delay:5ms@", "\"\" is not a percentage from 0 to 100."},
        {"*=abort:OK", "\"OK\" is no status code such as UNAVAILABLE."},
        {"Echo=abort:ABORTED",
         "\"Echo\" is not SERVICE/METHOD, SERVICE/* or *."},
        {"/a/b=abort:ABORTED",
         "\"/a/b\" is not SERVICE/METHOD, SERVICE/* or *."},
        {"a*b/c=abort:ABORTED",
         "\"a*b/c\" is not SERVICE/METHOD, SERVICE/* or *."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char error[200] = "";
        assert_null(rpc_faults_parse(rows[i].text, error, sizeof error));
        assert_string_equal(error, rows[i].error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_fits_is_met),
        cmocka_unit_test(an_abort_says_that_it_was_on_purpose),
        cmocka_unit_test(a_delay_is_at_least_as_long_as_told),
        cmocka_unit_test(one_request_id_meets_one_fate),
        cmocka_unit_test(what_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
