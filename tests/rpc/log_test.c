#include "rpc/log.h"

#include "rpc/log_ring.h"
#include "rpc/methods.h"
#include "rpc/observe.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

typedef struct {
    char folder[64];
    char path[96];
} fixture;

static int setup(void **state)
{
    fixture *t = calloc(1, sizeof *t);
    strcpy(t->folder, "/tmp/prbal-log-XXXXXX");
    if (mkdtemp(t->folder) == NULL)
        return -1;
    snprintf(t->path, sizeof t->path, "%s/log", t->folder);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    fixture *t = *state;
    char path[128];
    unlink(t->path);
    for (int i = 1; i <= 5; i++) {
        snprintf(path, sizeof path, "%s.%d", t->path, i);
        unlink(path);
    }
    rmdir(t->folder);
    free(t);
    return 0;
}

static void open_log(fixture *t, struct log_options options)
{
    char error[200];
    options.path = t->path;
    assert_true(log_open(&options, error, sizeof error));
}

/* The lines of the file as one JSON array; a line that is not JSON fails. */
static json_t *lines_of(const char *path)
{
    json_t *lines = json_array();
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    static char line[32 * 1024];
    while (fgets(line, sizeof line, file) != NULL) {
        json_error_t error;
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        if (object == NULL)
            fail_msg("not JSON: %s", line);
        json_array_append_new(lines, object);
    }
    fclose(file);
    return lines;
}

static const char *text_in(json_t *lines, size_t i, const char *name)
{
    const char *text =
        json_string_value(json_object_get(json_array_get(lines, i), name));
    return text == NULL ? "" : text;
}

static void a_line_has_its_time_level_area_and_text(void **state)
{
    fixture *t = *state;
    open_log(t, (struct log_options){.level = LOG_INFO});
    log_text(LOG_INFO, "server", "listens on port %d", 7);
    log_text(LOG_DEBUG, "server", "nobody asked");
    log_close();
    log_text(LOG_ERROR, "server", "after the end");

    json_t *lines = lines_of(t->path);
    assert_int_equal(json_array_size(lines), 1);
    assert_string_equal(text_in(lines, 0, "level"), "info");
    assert_string_equal(text_in(lines, 0, "area"), "server");
    assert_string_equal(text_in(lines, 0, "message"), "listens on port 7");
    assert_int_equal(strlen(text_in(lines, 0, "time")),
                     strlen("2030-01-01T00:00:00.000000Z"));
    json_decref(lines);
}

/* A user agent or a user's text must not forge a line or break a field. */
static void what_strangers_say_stays_in_its_quotes(void **state)
{
    fixture *t = *state;
    static const char hostile[] =
        "a\"}\n{\"level\":\"error\"}\r\t\\ \x1b[31m \xff\xc3( \xe2\x82\xac";
    open_log(t, (struct log_options){.level = LOG_INFO});
    log_text(LOG_INFO, "test", "%s", hostile);
    log_close();

    json_t *lines = lines_of(t->path);
    assert_int_equal(json_array_size(lines), 1);
    assert_string_equal(text_in(lines, 0, "level"), "info");
    assert_string_equal(text_in(lines, 0, "message"),
                        "a\"}\n{\"level\":\"error\"}\r\t\\ \x1b[31m "
                        "\xef\xbf\xbd\xef\xbf\xbd( \xe2\x82\xac");
    json_decref(lines);
}

static const struct rpc_method method = {.path = "/prbal.test.T/Go"};
static const struct method_entry entry = {.method = &method};

static const struct observed a_call = {
    .entry = &entry,
    .caller_id = "u1",
    .request_id = "r1",
    .peer = "127.0.0.1:9",
    .start_us = 1000,
    .handler_us = 1500,
    .bytes_in = 10,
    .bytes_out = 20,
    .messages_in = 1,
    .messages_out = 1,
};

static void a_call_is_one_line_with_its_figures(void **state)
{
    fixture *t = *state;
    open_log(t, (struct log_options){.level = LOG_INFO});
    log_call(&a_call, (rpc_status){RPC_NOT_FOUND, "no such bid: 42"}, 3000);
    log_close();

    json_t *lines = lines_of(t->path);
    assert_int_equal(json_array_size(lines), 1);
    json_t *line = json_array_get(lines, 0);
    assert_string_equal(text_in(lines, 0, "method"), "/prbal.test.T/Go");
    assert_string_equal(text_in(lines, 0, "code"), "NOT_FOUND");
    assert_string_equal(text_in(lines, 0, "user_id"), "u1");
    assert_string_equal(text_in(lines, 0, "request_id"), "r1");
    assert_string_equal(text_in(lines, 0, "peer"), "127.0.0.1:9");
    assert_int_equal(json_integer_value(json_object_get(line, "duration_us")),
                     2000);
    assert_int_equal(json_integer_value(json_object_get(line, "wait_us")), 500);
    assert_int_equal(json_integer_value(json_object_get(line, "bytes_out")),
                     20);
    /* What a caller did wrong may hold what he typed: not in the log. */
    assert_null(json_object_get(line, "message"));
    json_decref(lines);
}

static void an_internal_error_is_logged_with_its_real_text(void **state)
{
    fixture *t = *state;
    open_log(t, (struct log_options){.level = LOG_INFO, .without_calls = true});
    log_call(&a_call, (rpc_status){RPC_INTERNAL, "column x is missing"}, 3000);
    log_call(&a_call, RPC_SUCCESS, 3000);
    log_close();

    json_t *lines = lines_of(t->path);
    assert_int_equal(json_array_size(lines), 1);
    assert_string_equal(text_in(lines, 0, "level"), "error");
    assert_string_equal(text_in(lines, 0, "message"), "column x is missing");
    json_decref(lines);
}

enum { THREADS = 4, LINES_EACH = 1000 };

static void say_much(void *argument)
{
    for (int i = 0; i < LINES_EACH; i++)
        log_text(LOG_INFO, "test", "%d %d", (int)(intptr_t)argument, i);
}

static void lines_of_one_thread_keep_their_order(void **state)
{
    fixture *t = *state;
    open_log(t, (struct log_options){.level = LOG_INFO});
    uv_thread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        uv_thread_create(&threads[i], say_much, (void *)i);
    for (int i = 0; i < THREADS; i++)
        uv_thread_join(&threads[i]);
    log_close();

    int next[THREADS] = {0};
    json_t *lines = lines_of(t->path);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        int thread, number;
        assert_int_equal(
            sscanf(text_in(lines, i, "message"), "%d %d", &thread, &number), 2);
        assert_int_equal(number, next[thread]++);
    }
    assert_int_equal(json_array_size(lines), THREADS * LINES_EACH);
    json_decref(lines);
}

static void a_full_file_is_rotated(void **state)
{
    fixture *t = *state;
    open_log(t, (struct log_options){
                    .level = LOG_INFO, .file_bytes_max = 1, .files_max = 2});
    log_text(LOG_INFO, "test", "first");
    log_close();
    open_log(t, (struct log_options){
                    .level = LOG_INFO, .file_bytes_max = 1, .files_max = 2});
    log_text(LOG_INFO, "test", "second");
    log_close();

    char path[128];
    snprintf(path, sizeof path, "%s.1", t->path);
    json_t *lines = lines_of(path);
    assert_string_equal(text_in(lines, 0, "message"), "second");
    json_decref(lines);
    snprintf(path, sizeof path, "%s.2", t->path);
    lines = lines_of(path);
    assert_string_equal(text_in(lines, 0, "message"), "first");
    json_decref(lines);
}

/* --- the ring ------------------------------------------------------------- */

static void a_full_ring_drops_and_counts(void **state)
{
    (void)state;
    struct log_ring *ring = calloc(1, sizeof *ring);
    int put = 0;
    while (log_ring_reserve(ring, 1000) != NULL) {
        log_ring_commit(ring);
        put++;
    }
    assert_in_range(put, LOG_RING_BYTES / 1008 - 1, LOG_RING_BYTES / 1008);
    assert_int_equal(ring->dropped, 1);
    size_t size;
    assert_non_null(log_ring_peek(ring, &size));
    assert_int_equal(size, 1000);
    log_ring_release(ring);
    assert_non_null(log_ring_reserve(ring, 8));
    free(ring);
}

static void records_of_any_size_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct log_ring *ring = calloc(1, sizeof *ring);
    srand(3);
    unsigned sizes[64], first = 0, count = 0;
    for (unsigned i = 0; i < 20000; i++) {
        unsigned size = 1 + (unsigned)rand() % 9000;
        unsigned char *bytes =
            count == 64 ? NULL : log_ring_reserve(ring, size);
        if (bytes != NULL) {
            memset(bytes, (int)(size & 0xff), size);
            log_ring_commit(ring);
            sizes[(first + count++) % 64] = size;
            continue;
        }
        size_t got;
        const unsigned char *record = log_ring_peek(ring, &got);
        assert_non_null(record);
        assert_int_equal(got, sizes[first % 64]);
        assert_int_equal(record[0], got & 0xff);
        assert_int_equal(record[got - 1], got & 0xff);
        log_ring_release(ring);
        first++;
        count--;
    }
    free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_line_has_its_time_level_area_and_text),
        CASE(what_strangers_say_stays_in_its_quotes),
        CASE(a_call_is_one_line_with_its_figures),
        CASE(an_internal_error_is_logged_with_its_real_text),
        CASE(lines_of_one_thread_keep_their_order),
        CASE(a_full_file_is_rotated),
        cmocka_unit_test(a_full_ring_drops_and_counts),
        cmocka_unit_test(records_of_any_size_come_out_as_they_went_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
