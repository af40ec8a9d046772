#include "rpc/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct settings {
    const char *name;
    const char *password;
    bool careful;
    int64_t loops;
    int64_t ttl_ms;
    int64_t body_bytes;
    int mode;
};

#define AT(field) offsetof(struct settings, field)

static const struct config_row rows[] = {
    {.section = "All"},
    {NULL, "name", CONFIG_TEXT, AT(name), "prbal", NULL, NULL, NULL, "a"},
    {NULL, "password", CONFIG_SECRET, AT(password), "", NULL, NULL, NULL, "b"},
    {NULL, "careful", CONFIG_BOOL, AT(careful), "true", NULL, NULL, NULL, "c"},
    {NULL, "loops", CONFIG_INT, AT(loops), "0", "0", "64", NULL, "d"},
    {NULL, "ttl", CONFIG_DURATION, AT(ttl_ms), "15m", "1s", "24h", NULL, "e"},
    {NULL, "body", CONFIG_SIZE, AT(body_bytes), "4MiB", "1KiB", "1GiB", NULL,
     "f"},
    {NULL, "mode", CONFIG_ENUM, AT(mode), "auto", NULL, NULL, "auto|on|off",
     "g"},
};

typedef struct {
    struct settings values;
    struct config *config;
    char error[512];
} fixture;

static int setup(void **state)
{
    fixture *t = test_calloc(1, sizeof *t);
    t->config =
        config_create("X_", rows, sizeof rows / sizeof rows[0], &t->values);
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    fixture *t = *state;
    config_destroy(t->config);
    test_free(t);
    return 0;
}

static bool set(fixture *t, const char *name, const char *value)
{
    return config_set(t->config, name, value, CONFIG_FROM_COMMAND_LINE,
                      t->error, sizeof t->error);
}

static void a_setting_that_nobody_made_has_its_default(void **state)
{
    fixture *t = *state;
    assert_string_equal(t->values.name, "prbal");
    assert_true(t->values.careful);
    assert_int_equal(t->values.ttl_ms, 900000);
    assert_int_equal(t->values.body_bytes, 4194304);
    assert_int_equal(t->values.mode, 0);
    assert_int_equal(config_origin_of(t->config, "ttl"), CONFIG_FROM_DEFAULT);
}

static void durations_and_sizes_are_read_with_their_units(void **state)
{
    static const struct {
        const char *name, *text;
        int64_t value; /* -1: refused */
    } cases[] = {
        {"ttl", "1h30m", 5400000},
        {"ttl", "1500ms", 1500},
        {"ttl", "1s", 1000},
        {"ttl", "24h", 86400000},
        {"ttl", "24h1ms", -1},
        {"ttl", "999ms", -1},
        {"ttl", "15", -1},
        {"ttl", "15 m", -1},
        {"ttl", "15min", -1},
        {"ttl", "m", -1},
        {"ttl", "", -1},
        {"ttl", "-1s", -1},
        {"ttl", "99999999999999999999s", -1},
        {"ttl", "9223372036854775807h", -1},
        {"body", "1024", 1024},
        {"body", "512KiB", 524288},
        {"body", "1GiB", 1073741824},
        {"body", "2GiB", -1},
        {"body", "1kb", -1},
        {"loops", "64", 64},
        {"loops", "65", -1},
        {"loops", "-1", -1},
        {"loops", "4x", -1},
    };
    fixture *t = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool good = set(t, cases[i].name, cases[i].text);
        if (good != (cases[i].value >= 0))
            fail_msg("%s=%s: %s", cases[i].name, cases[i].text, t->error);
        int64_t value = strcmp(cases[i].name, "ttl") == 0 ? t->values.ttl_ms
                        : strcmp(cases[i].name, "body") == 0
                            ? t->values.body_bytes
                            : t->values.loops;
        if (good)
            assert_int_equal(value, cases[i].value);
    }
}

static void a_refused_value_leaves_the_old_one(void **state)
{
    fixture *t = *state;
    assert_true(set(t, "ttl", "2h"));
    assert_false(set(t, "ttl", "two hours"));
    assert_int_equal(t->values.ttl_ms, 7200000);
    assert_string_equal(config_text(t->config, "ttl"), "2h");
}

static void an_error_names_the_setting_the_value_and_what_is_allowed(
    void **state)
{
    fixture *t = *state;
    assert_false(set(t, "ttl", "soon"));
    assert_string_equal(t->error,
                        "X_TTL is \"soon\" but has to be a duration such as "
                        "500ms, 15m or 1h30m from 1s to 24h.");
    assert_false(set(t, "mode", "maybe"));
    assert_string_equal(
        t->error, "X_MODE is \"maybe\" but has to be one of auto|on|off.");
    assert_false(set(t, "careful", "perhaps"));
    assert_string_equal(
        t->error, "X_CAREFUL is \"perhaps\" but has to be true or false.");
}

static void a_mistyped_name_is_told_the_nearest_one(void **state)
{
    fixture *t = *state;
    assert_false(
        config_set_pair(t->config, "lops=3", t->error, sizeof t->error));
    assert_string_equal(
        t->error, "There is no setting \"lops\"; did you mean \"loops\"?");
    assert_false(
        config_set_pair(t->config, "zzzzzzzzz=3", t->error, sizeof t->error));
    assert_string_equal(t->error, "There is no setting \"zzzzzzzzz\"; `prbald "
                                  "config` lists them.");
    assert_false(
        config_set_pair(t->config, "loops", t->error, sizeof t->error));
    assert_string_equal(t->error, "\"loops\" is no setting: write NAME=VALUE.");
}

static void the_environment_is_read_and_strangers_in_it_are_left_alone(
    void **state)
{
    fixture *t = *state;
    char *environment[] = {
        "X_TTL=1h", "X_LOOPS=",     "X_SERVICE_HOST=10.0.0.1",
        "TTL=3h",   "X_CAREFUL=No", NULL};
    assert_true(config_read_environment(t->config, environment, t->error,
                                        sizeof t->error));
    assert_int_equal(t->values.ttl_ms, 3600000);
    assert_int_equal(t->values.loops, 0);
    assert_false(t->values.careful);
    assert_int_equal(config_origin_of(t->config, "ttl"),
                     CONFIG_FROM_ENVIRONMENT);
    assert_int_equal(config_origin_of(t->config, "loops"), CONFIG_FROM_DEFAULT);
}

static bool read_text(fixture *t, const char *text)
{
    char path[] = "/tmp/prbal-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    bool good = config_read_file(t->config, path, t->error, sizeof t->error);
    unlink(path);
    return good;
}

static void a_file_may_have_comments_quotes_and_exports(void **state)
{
    fixture *t = *state;
    assert_true(read_text(t, "# ours\n\n  X_TTL = 20m \nexport X_LOOPS=7\n"
                             "X_NAME=\"with space # and sign\"\n"
                             "X_PASSWORD='it''s'"));
    assert_int_equal(t->values.ttl_ms, 1200000);
    assert_int_equal(t->values.loops, 7);
    assert_string_equal(t->values.name, "with space # and sign");
    assert_string_equal(t->values.password, "it''s");
    assert_int_equal(config_origin_of(t->config, "loops"), CONFIG_FROM_FILE);
}

static void a_mistake_in_a_file_is_told_with_its_line(void **state)
{
    fixture *t = *state;
    assert_false(read_text(t, "X_TTL=20m\n\nX_LOPS=3\n"));
    assert_non_null(strstr(t->error, ", line 3: There is no setting \"LOPS\"; "
                                     "did you mean \"loops\"?"));
    assert_false(read_text(t, "TTL=20m\n"));
    assert_non_null(
        strstr(t->error, ", line 1: \"TTL\" does not begin with X_."));
    assert_false(read_text(t, "nonsense\n"));
    assert_non_null(strstr(t->error, "\"nonsense\" is not NAME=VALUE."));
    assert_false(config_read_file(t->config, "/no/such/file", t->error,
                                  sizeof t->error));
    assert_string_equal(
        t->error,
        "The settings file /no/such/file: No such file or directory.");
}

static void a_secret_is_never_printed(void **state)
{
    fixture *t = *state;
    assert_string_equal(config_text(t->config, "password"), "");
    assert_true(set(t, "password", "hunter2"));
    assert_string_equal(config_text(t->config, "password"), "********");

    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    config_print(t->config, out);
    config_print_markdown(t->config, out);
    fclose(out);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "X_PASSWORD"));
    assert_non_null(strstr(text, "# command line"));
    free(text);
}

int main(void)
{
#define PROMISE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        PROMISE(a_setting_that_nobody_made_has_its_default),
        PROMISE(durations_and_sizes_are_read_with_their_units),
        PROMISE(a_refused_value_leaves_the_old_one),
        PROMISE(an_error_names_the_setting_the_value_and_what_is_allowed),
        PROMISE(a_mistyped_name_is_told_the_nearest_one),
        PROMISE(the_environment_is_read_and_strangers_in_it_are_left_alone),
        PROMISE(a_file_may_have_comments_quotes_and_exports),
        PROMISE(a_mistake_in_a_file_is_told_with_its_line),
        PROMISE(a_secret_is_never_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
