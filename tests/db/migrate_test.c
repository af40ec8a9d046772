/* Migrations of a real database: once each, in order, or not at all. */
#include "db/migrate.h"

#include "tests/testkit/scratch.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct scratch *scratch;
    PGconn *pg;
    char error[512];
};

static void sql(struct fixture *t, const char *statement)
{
    PGresult *r = PQexec(t->pg, statement);
    if (PQresultStatus(r) != PGRES_COMMAND_OK &&
        PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", statement, PQresultErrorMessage(r));
    PQclear(r);
}

static int number(PGconn *pg, const char *query)
{
    PGresult *r = PQexec(pg, query);
    assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
    int n = atoi(PQgetvalue(r, 0, 0));
    PQclear(r);
    return n;
}

static int migration_count(void)
{
    int count = 0;
    while (db_migrations[count].number != 0)
        count++;
    return count;
}

static int migrate(struct fixture *t, bool newer_is_fine)
{
    return db_migrate(scratch_url(t->scratch), newer_is_fine, t->error,
                      sizeof t->error);
}

static void the_numbers_have_no_gap(void **state)
{
    (void)state;
    for (int i = 0; i < migration_count(); i++)
        assert_int_equal(db_migrations[i].number, i + 1);
}

static void a_migrated_database_stays_as_it_is(void **state)
{
    struct fixture *t = *state;
    assert_int_equal(migrate(t, false), 0);
    assert_int_equal(number(t->pg, "select count(*) from schema_migration"),
                     migration_count());
    assert_int_equal(number(t->pg, "select count(*) from schema_migration"
                                   " where checksum !~ '^[0-9a-f]{64}$'"),
                     0);
}

static void a_changed_file_is_refused(void **state)
{
    struct fixture *t = *state;
    sql(t, "update schema_migration set checksum = 'x' where number = 1");
    assert_int_equal(migrate(t, true), -1);
    assert_non_null(strstr(t->error, "0001_foundation.sql is not what"));
}

static void a_newer_database_is_refused_unless_that_is_fine(void **state)
{
    struct fixture *t = *state;
    sql(t, "insert into schema_migration (number, name, checksum)"
           " values (9999, 'from_the_future', 'x')");
    assert_int_equal(migrate(t, false), -1);
    assert_non_null(strstr(t->error, "9999_from_the_future"));
    assert_int_equal(migrate(t, true), 0);
}

static void a_file_slipped_in_between_is_refused(void **state)
{
    struct fixture *t = *state;
    sql(t, "delete from schema_migration where number = 1");
    assert_int_equal(migrate(t, true), -1);
    assert_non_null(strstr(t->error, "0001_foundation was not applied before"));
}

/* The newest one runs into what is there already. */
static void a_failing_file_is_named_and_leaves_nothing(void **state)
{
    struct fixture *t = *state;
    const struct migration *last = &db_migrations[migration_count() - 1];
    char name[64], statement[128];
    snprintf(statement, sizeof statement,
             "delete from schema_migration where number = %d", last->number);
    sql(t, statement);
    assert_int_equal(migrate(t, false), -1);
    snprintf(name, sizeof name, "%04d_%s.sql:", last->number, last->name);
    assert_ptr_equal(strstr(t->error, name), t->error);
    assert_non_null(strstr(t->error, "already exists"));
    assert_int_equal(number(t->pg, "select count(*) from schema_migration"),
                     last->number - 1);
}

static void a_server_that_is_not_there_is_a_sentence(void **state)
{
    struct fixture *t = *state;
    assert_int_equal(
        db_migrate("host=/nonexistent", false, t->error, sizeof t->error), -1);
    assert_non_null(strstr(t->error, "/nonexistent"));
}

/* -------------------------------------------------------------------------- */

enum { RUNS = 4 };

struct run {
    pthread_t thread;
    char url[700];
    char error[512];
    int applied;
};

static void *run_migrate(void *argument)
{
    struct run *run = argument;
    run->applied = db_migrate(run->url, false, run->error, sizeof run->error);
    return NULL;
}

static void url_of(const struct fixture *t, const char *database, char *url,
                   size_t size)
{
    const char *base = scratch_url(t->scratch);
    bool uri = strncmp(base, "postgres", 8) == 0;
    snprintf(url, size, "%s%sdbname=%s", base,
             !uri                        ? " "
             : strchr(base, '?') != NULL ? "&"
                                         : "?",
             database);
}

static void servers_that_start_together_migrate_once(void **state)
{
    struct fixture *t = *state;
    struct run runs[RUNS];
    char database[64], statement[128];
    snprintf(database, sizeof database, "prbal_migrate_%d", (int)getpid());
    snprintf(statement, sizeof statement, "create database %s", database);
    sql(t, statement);
    for (int i = 0; i < RUNS; i++) {
        url_of(t, database, runs[i].url, sizeof runs[i].url);
        pthread_create(&runs[i].thread, NULL, run_migrate, &runs[i]);
    }
    int applied = 0;
    for (int i = 0; i < RUNS; i++) {
        pthread_join(runs[i].thread, NULL);
        if (runs[i].applied < 0)
            fail_msg("%s", runs[i].error);
        applied += runs[i].applied;
    }
    assert_int_equal(applied, migration_count());
    snprintf(statement, sizeof statement, "drop database %s", database);
    sql(t, statement);
}

static int setup(void **state)
{
    struct fixture *t = calloc(1, sizeof *t);
    if (t == NULL || (t->scratch = scratch_create()) == NULL)
        return 1;
    t->pg = PQconnectdb(scratch_url(t->scratch));
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *t = *state;
    PQfinish(t->pg);
    scratch_destroy(t->scratch);
    free(t);
    return 0;
}

static int remember(void **state)
{
    sql(*state, "drop table if exists kept;"
                "create table kept as table schema_migration");
    return 0;
}

static int put_back(void **state)
{
    sql(*state, "truncate schema_migration;"
                "insert into schema_migration table kept");
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, remember, put_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_have_no_gap),
        TEST(a_migrated_database_stays_as_it_is),
        TEST(a_changed_file_is_refused),
        TEST(a_newer_database_is_refused_unless_that_is_fine),
        TEST(a_file_slipped_in_between_is_refused),
        TEST(a_failing_file_is_named_and_leaves_nothing),
        cmocka_unit_test(a_server_that_is_not_there_is_a_sentence),
        cmocka_unit_test(servers_that_start_together_migrate_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
