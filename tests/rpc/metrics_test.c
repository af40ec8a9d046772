#include "rpc/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

static void assert_line(const char *line)
{
    size_t size;
    char *text = metrics_text(&size);
    assert_int_equal(size, strlen(text));
    char wanted[256];
    snprintf(wanted, sizeof wanted, "%s\n", line);
    const char *found = strstr(text, wanted);
    while (found != NULL && found != text && found[-1] != '\n')
        found = strstr(found + 1, wanted);
    if (found == NULL)
        print_error("no line \"%s\" in:\n%s", line, text);
    free(text);
    assert_non_null(found);
}

static int lines_that_begin_with(const char *start)
{
    size_t size;
    int count = 0;
    char *text = metrics_text(&size);
    for (char *line = strtok(text, "\n"); line != NULL;
         line = strtok(NULL, "\n"))
        count += strncmp(line, start, strlen(start)) == 0;
    free(text);
    return count;
}

enum { THREADS = 4, TIMES = 10000 };

static void count_up(void *argument)
{
    for (int i = 0; i < TIMES; i++)
        metrics_add(*(metric *)argument, 1);
}

static void threads_that_have_ended_still_count(void **state)
{
    (void)state;
    metric m = metrics_counter("test_total", "Test.", NULL);
    uv_thread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        uv_thread_create(&threads[i], count_up, &m);
    for (int i = 0; i < THREADS; i++)
        uv_thread_join(&threads[i]);
    assert_int_equal(metrics_value(m), THREADS * TIMES);
    assert_line("test_total 40000");
    assert_line("# TYPE test_total counter");
    assert_line("# HELP test_total Test.");
}

static void the_same_name_and_labels_are_the_same_number(void **state)
{
    (void)state;
    metric a = metrics_counter("same_total", "Same.", "x=\"1\"");
    metric b = metrics_counter("same_total", "Same.", "x=\"2\"");
    assert_int_not_equal(a, b);
    assert_int_equal(metrics_counter("same_total", "Same.", "x=\"1\""), a);
    metrics_add(a, 3);
    metrics_add(b, 4);
    assert_line("same_total{x=\"1\"} 3");
    assert_line("same_total{x=\"2\"} 4");
    assert_int_equal(lines_that_begin_with("# TYPE same_total"), 1);
}

static void a_rare_counter_is_silent_until_it_counts(void **state)
{
    (void)state;
    metric m = metrics_rare_counter("rare_total", "Rare.", "code=\"X\"");
    assert_int_equal(lines_that_begin_with("rare_total"), 0);
    metrics_add(m, 1);
    assert_line("rare_total{code=\"X\"} 1");
}

static void a_histogram_adds_up_to_its_count(void **state)
{
    (void)state;
    metric m = metrics_histogram("wait_seconds", "Wait.", "m=\"a\"");
    metrics_observe_us(m, 200);
    metrics_observe_us(m, 1000);
    metrics_observe_us(m, 1001);
    metrics_observe_us(m, 60000000);
    assert_line("wait_seconds_bucket{m=\"a\",le=\"0.00025\"} 1");
    assert_line("wait_seconds_bucket{m=\"a\",le=\"0.001\"} 2");
    assert_line("wait_seconds_bucket{m=\"a\",le=\"0.0025\"} 3");
    assert_line("wait_seconds_bucket{m=\"a\",le=\"10\"} 3");
    assert_line("wait_seconds_bucket{m=\"a\",le=\"+Inf\"} 4");
    assert_line("wait_seconds_sum{m=\"a\"} 60.002201");
    assert_line("wait_seconds_count{m=\"a\"} 4");
}

static void a_size_histogram_is_shown_in_bytes(void **state)
{
    (void)state;
    metric m = metrics_size_histogram("body_bytes", "Body.", "m=\"a\"");
    assert_int_equal(lines_that_begin_with("body_bytes"), 0);
    metrics_observe_bytes(m, 256);
    metrics_observe_bytes(m, 257);
    metrics_observe_bytes(m, 5000000);
    assert_line("# TYPE body_bytes histogram");
    assert_line("body_bytes_bucket{m=\"a\",le=\"256\"} 1");
    assert_line("body_bytes_bucket{m=\"a\",le=\"4194304\"} 2");
    assert_line("body_bytes_bucket{m=\"a\",le=\"+Inf\"} 3");
    assert_line("body_bytes_sum{m=\"a\"} 5000513");
    assert_int_equal(metrics_bytes_sum(m), 5000513);
}

/* 90 within 1 ms to 2.5 ms, 10 beyond all bounds. */
static void a_quantile_lies_in_its_bucket(void **state)
{
    (void)state;
    metric m[2] = {metrics_histogram("q_seconds", "Q.", "m=\"a\""),
                   metrics_histogram("q_seconds", "Q.", "m=\"b\"")};
    assert_int_equal(metrics_quantile_us(m, 2, 0.5), 0);
    for (int i = 0; i < 90; i++)
        metrics_observe_us(m[i % 2], 2000);
    for (int i = 0; i < 10; i++)
        metrics_observe_us(m[0], 60000000);
    assert_int_equal(metrics_quantile_us(m, 2, 0.45), 1750);
    assert_int_equal(metrics_quantile_us(m, 2, 0.9), 2500);
    assert_int_equal(metrics_quantile_us(m, 2, 0.99), 10000000);
    assert_int_equal(metrics_duration_count(m[0]), 55);
    assert_int_equal(metrics_find("q_seconds", "m=\"b\""), m[1]);
    assert_int_equal(metrics_find("q_seconds", "m=\"c\""), -1);
}

static double seven(void *argument)
{
    (void)argument;
    return 7.5;
}

static void a_gauge_function_is_read_until_it_is_forgotten(void **state)
{
    (void)state;
    int owner;
    metrics_gauge_function("live", "Live.", NULL, seven, &owner);
    assert_line("live 7.5");
    metrics_forget(&owner);
    assert_int_equal(lines_that_begin_with("live"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_have_ended_still_count),
        cmocka_unit_test(the_same_name_and_labels_are_the_same_number),
        cmocka_unit_test(a_rare_counter_is_silent_until_it_counts),
        cmocka_unit_test(a_histogram_adds_up_to_its_count),
        cmocka_unit_test(a_size_histogram_is_shown_in_bytes),
        cmocka_unit_test(a_quantile_lies_in_its_bucket),
        cmocka_unit_test(a_gauge_function_is_read_until_it_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
