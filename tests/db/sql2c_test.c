/* What sql2c makes of a .sql file, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];

static void write_sql(const char *sql)
{
    char path[128];
    snprintf(path, sizeof path, "%s/x.sql", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(sql, f);
    fclose(f);
}

/* Runs sql2c on x.sql; its exit status, and what it said. */
static int run(const char *sql, char *said, size_t size)
{
    char command[512];
    write_sql(sql);
    snprintf(command, sizeof command, "%s %s/out %s x.sql 2>&1", PRBAL_SQL2C,
             folder, folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(said, 1, size - 1, pipe);
    said[n] = '\0';
    return WEXITSTATUS(pclose(pipe));
}

static void made(const char *sql, char *source, size_t size)
{
    char path[128], said[1024];
    if (run(sql, said, sizeof said) != 0)
        fail_msg("%s", said);
    snprintf(path, sizeof path, "%s/out/x.sql.c", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(source, 1, size - 1, f);
    source[n] = '\0';
    fclose(f);
}

static void mistakes_are_told_with_their_line(void **state)
{
    static const struct {
        const char *sql, *says;
    } cases[] = {
        {"-- name: a :one Bid\nselect * from bid;\n",
         "x.sql:1: a: name the columns instead of *"},
        {"\n\n-- name: a :one Bid\nselect b.* from bid b;\n",
         "x.sql:3: a: name the columns instead of *"},
        {"-- name: a :exec\nupdate t set a = 1 returning *;\n",
         "name the columns"},
        {"-- name: a :many Bid\nselect bid_id from bid;\n",
         "x.sql:1: a is :many without a limit"},
        {"-- name: a :many Bid :bounded\nselect bid_id from bid;\n",
         ":bounded needs a reason"},
        {"-- name: a :one\nselect 1 as x;\n", "needs the name of the row"},
        {"-- name: a :two Bid\nselect 1 as x;\n", "unknown verb \":two\""},
        {"-- name: a :exec :fast\nselect 1;\n", "unknown flag \":fast\""},
        {"-- name: a :exec\nselect 1\n", "a does not end with a semicolon"},
        {"-- name: a :exec\n;\n", "a is empty"},
        {"-- name: a :exec\nselect 'x;\n", "x.sql:2: a quote or comment"},
        {"-- name: a :exec\nselect $2::int;\n", "a uses $2 but not $1"},
        {"-- name: a :exec\nselect $99::int;\n", "$99 is not between"},
        {"-- name: A :exec\nselect 1;\n", "A is not a lower_case name"},
        {"select 1;\n", "x.sql:1: a statement needs"},
        {"-- name: a :exec\nselect 1;\nselect 2;\n", "x.sql:3: a statement"},
        {"-- name: a :exec\nselect 1;\n-- name: a :exec\nselect 2;\n",
         "x.sql:3: a is already at x.sql:1"},
        {"-- name: a :exec\nselect {{b}};\n", "no fragment b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[1024];
        assert_int_equal(run(cases[i].sql, said, sizeof said), 1);
        if (strstr(said, cases[i].says) == NULL)
            fail_msg("\"%s\" is not in \"%s\"", cases[i].says, said);
    }
}

static void what_changes_something_is_no_read(void **state)
{
    static const struct {
        const char *sql;
        int reads;
    } cases[] = {
        {"select 1", 1},
        {"with x as (select 1) select 1 from x", 1},
        {"SELECT 'insert into t'", 1},
        {"select 1 -- for update", 1},
        {"select \"update\" from t", 1},
        {"select count(*) * 2 from t", 1},
        {"select $$ delete $$", 1},
        {"insert into t values (1)", 0},
        {"with x as (delete from t returning a) select a from x", 0},
        {"select a from t for update", 0},
        {"select a from t for no key update", 0},
        {"select a from t for key share", 0},
        {"select nextval('s')", 0},
        {"select pg_notify('a', 'b')", 0},
        {"select pg_try_advisory_xact_lock(1)", 0},
        {"call f()", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[256], source[4096], reads[32];
        snprintf(sql, sizeof sql, "-- name: a :exec\n%s\n;\n", cases[i].sql);
        snprintf(reads, sizeof reads, ".reads = %d,", cases[i].reads);
        made(sql, source, sizeof source);
        if (strstr(source, reads) == NULL)
            fail_msg("%s: %s", cases[i].sql, source);
    }
}

static void the_heading_overrules_the_words(void **state)
{
    char source[4096];
    (void)state;
    made("-- name: a :exec :write\nselect my_function();\n", source,
         sizeof source);
    assert_non_null(strstr(source, ".reads = 0,"));
    made("-- name: a :exec :read\nselect share from t;\n", source,
         sizeof source);
    assert_non_null(strstr(source, ".reads = 1,"));
}

static void the_text_is_kept_without_comments(void **state)
{
    char source[4096];
    (void)state;
    made("-- name: a :exec\n-- why; and how\nselect '--', \"x\\y\" /* ; */\n"
         "  from t; -- after\n",
         source, sizeof source);
    assert_non_null(
        strstr(source, "\"-- a\\n\"\n    \"select '--', \\\"x\\\\y\\\" \\n\"\n"
                       "    \"  from t\""));
}

static void a_row_is_named_as_in_its_proto(void **state)
{
    static const struct {
        const char *message, *descriptor;
    } cases[] = {
        {"UserSummary", "&pb__user_summary__descriptor"},
        {"Bid", "&pb__bid__descriptor"},
        {"google.protobuf.Struct", "&google__protobuf__struct__descriptor"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[256], source[4096];
        snprintf(sql, sizeof sql, "-- name: a :one %s\nselect $1 as b;\n",
                 cases[i].message);
        made(sql, source, sizeof source);
        assert_non_null(strstr(source, cases[i].descriptor));
        assert_non_null(strstr(source, ".param_count = 1,"));
    }
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/prbal-sql2c.XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int teardown(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_told_with_their_line),
        cmocka_unit_test(what_changes_something_is_no_read),
        cmocka_unit_test(the_heading_overrules_the_words),
        cmocka_unit_test(the_text_is_kept_without_comments),
        cmocka_unit_test(a_row_is_named_as_in_its_proto),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
