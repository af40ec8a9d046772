#include "tests/rpc/here.h"

#include "rpc/metrics.h"

#include <stdio.h>

static int setup(void **state)
{
    *state = here_start((struct rpc_server_options){0});
    return 0;
}

/* The value of a series in the scrape; -1 when it is not there. */
static double scraped(const char *series)
{
    size_t size;
    char *text = metrics_text(&size);
    double value = -1;
    size_t length = strlen(series);
    for (char *line = strtok(text, "\n"); line != NULL;
         line = strtok(NULL, "\n"))
        if (strncmp(line, series, length) == 0 && line[length] == ' ')
            value = atof(line + length);
    free(text);
    return value;
}

static double finished(const char *method, const char *code)
{
    char series[256];
    snprintf(series, sizeof series,
             "grpc_server_call_duration_seconds_count{grpc_method=\"%s\","
             "grpc_status=\"%s\"}",
             method, code);
    double value = scraped(series);
    return value < 0 ? 0 : value;
}

static void each_call_counts_once_under_its_method_and_code(void **state)
{
    fixture *t = *state;
    static const char echo[] = "prbal.test.TestService/Echo";
    double before = finished(echo, "OK");
    here_echo(t, "a");
    here_echo(t, "b");
    assert_true(finished(echo, "OK") == before + 2);
    assert_true(scraped("grpc_server_call_started_total{grpc_method="
                        "\"prbal.test.TestService/Echo\"}") >= 2);
    assert_true(scraped("grpc_server_calls_in_flight") == 0);
}

/* A label a stranger chooses would fill the scraper's memory. */
static void unknown_paths_share_one_label(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    double before = finished("other", "UNIMPLEMENTED");
    here_call(t, "/no/Such", NULL, &req);
    here_call(t, "/evil\"}/x", NULL, &req);
    assert_true(finished("other", "UNIMPLEMENTED") == before + 2);
    assert_true(
        scraped("grpc_server_refusals_total{reason=\"unknown_method\"}") >= 2);
}

static void calls_in_flight_are_seen_while_they_last(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = rpc_local_open(t->server, TEST_SLEEP, NULL);
    assert_true(scraped("grpc_server_calls_in_flight") == 1);
    rpc_local_free(local);
    assert_true(scraped("grpc_server_calls_in_flight") == 0);
    assert_true(finished("prbal.test.TestService/Sleep", "CANCELLED") >= 1);
}

static void a_server_that_has_gone_leaves_no_gauge_behind(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){0});
    assert_true(scraped("grpc_server_loop_pass_seconds") >= 0);
    here_stop((void **)&t);
    assert_true(scraped("grpc_server_loop_pass_seconds") < 0);
    assert_true(scraped("process_resident_memory_bytes") > 1e6);
    assert_true(scraped("process_open_fds") >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
        CASE(each_call_counts_once_under_its_method_and_code),
        CASE(unknown_paths_share_one_label),
        CASE(calls_in_flight_are_seen_while_they_last),
        cmocka_unit_test(a_server_that_has_gone_leaves_no_gauge_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
