/* PostgreSQL goes away, at the worst moments, and comes back. */
#include "db/embedded.h"
#include "db/link.h"
#include "rpc/clock.h"
#include "tests/db/rows.rpc.h"
#include "tests/db/rows.sql.h"
#include "tests/testkit/dbkit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char folder[64], url[512];
static struct embedded *server;

static void start_server(void)
{
    char error[512];
    server = embedded_start(
        &(struct embedded_options){.folder = folder, .throw_away = true}, error,
        sizeof error);
    if (server == NULL)
        fail_msg("%s", error);
    snprintf(url, sizeof url, "%s", embedded_url(server));
}

static void stop_server(void)
{
    embedded_stop(server);
    server = NULL;
}

static rpc_status read_backend(struct rpc_call *call, void *argument)
{
    Part *part;
    (void)argument;
    return db_one(call->db, &test_backend, &part, DB_NONE);
}

static rpc_status write_nothing(struct rpc_call *call, void *argument)
{
    Part *part;
    (void)argument;
    return db_find(call->db, &test_item_add, &part, db_int(0), db_int(0));
}

static void come_back(struct dbkit *t)
{
    int64_t end_us = clock_monotonic_us() + 20 * 1000000;
    do {
        assert_true(clock_monotonic_us() < end_us);
        dbkit_idle(t, 20);
        PQreset(t->pg);
    } while (PQstatus(t->pg) != CONNECTION_OK ||
             dbkit_run(t, read_backend, NULL).code != RPC_OK ||
             dbkit_run(t, write_nothing, NULL).code != RPC_OK);
}

/* PostgreSQL ends all connections when one of its processes is killed. */
static void kill_backend(struct dbkit *t, int64_t pid)
{
    kill((pid_t)pid, SIGKILL);
    while (PQstatus(t->pg) == CONNECTION_OK)
        PQclear(PQexec(t->pg, "select pg_sleep(0.01)"));
}

static int setup(void **state)
{
    snprintf(folder, sizeof folder, "/tmp/prbal-outage.XXXXXX");
    if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
        return 1;
    start_server();
    struct dbkit *t =
        dbkit_create(&(struct db_pool_options){.url = url, .prepare = true});
    *state = t;
    dbkit_sql(t, "create table test_item (item_id integer primary key,"
                 "  name text not null, amount bigint not null);"
                 "create function test_wait() returns trigger"
                 "  language plpgsql as $$ begin if new.amount = 99 then"
                 "  perform pg_sleep(30); end if; return null; end $$;"
                 "create constraint trigger test_slow_commit after insert"
                 "  on test_item deferrable initially deferred"
                 "  for each row execute function test_wait()");
    return 0;
}

static int teardown(void **state)
{
    char command[128];
    dbkit_destroy(*state);
    stop_server();
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static int empty_table(void **state)
{
    dbkit_sql(*state, "truncate test_item");
    return 0;
}

static int64_t backend_of(struct dbkit *t, const char *query_name)
{
    char count[256], pid[256];
    snprintf(count, sizeof count,
             "select count(*) from pg_stat_activity where query like '%s%%'"
             " and state = 'active' and pid <> pg_backend_pid()",
             query_name);
    snprintf(pid, sizeof pid,
             "select pid from pg_stat_activity where query like '%s%%'"
             " and state = 'active' and pid <> pg_backend_pid()",
             query_name);
    assert_true(dbkit_becomes(t, count, 1));
    return dbkit_number(t, pid);
}

static void terminate(struct dbkit *t, int64_t pid)
{
    char sql[128];
    snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)", (int)pid);
    dbkit_sql(t, sql);
}

/* -------------------------------------------------------------------------- */

static rpc_status write_item(struct rpc_call *call, void *argument)
{
    return db_exec(call->db, &test_item_insert, NULL, db_int(*(int *)argument),
                   db_text("item"), db_int(1));
}

static rpc_status begin_and_write(struct rpc_call *call, void *argument)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &test_item_insert, NULL, db_int(*(int *)argument),
                db_text("item"), db_int(1)));
    return db_commit(tx);
}

static void a_server_that_is_down_is_told_at_once_and_used_again(void **state)
{
    struct dbkit *t = *state;
    int one = 1, two = 2;
    assert_ok(dbkit_run(t, read_backend, NULL));
    assert_ok(dbkit_run(t, write_item, &one));
    stop_server();
    dbkit_idle(t, 100);
    int64_t start_us = clock_monotonic_us();
    for (int i = 0; i < 20; i++) {
        assert_code(dbkit_run(t, read_backend, NULL), RPC_UNAVAILABLE);
        assert_code(dbkit_run(t, write_item, &two), RPC_UNAVAILABLE);
        assert_code(dbkit_run(t, begin_and_write, &two), RPC_UNAVAILABLE);
    }
    assert_true(clock_monotonic_us() - start_us < 2000000);
    assert_false(db_pool_is_up(t->pool));
    start_server();
    come_back(t);
    assert_true(db_pool_is_up(t->pool));
    assert_ok(dbkit_run(t, begin_and_write, &two));
    assert_int_equal(dbkit_number(t, "select count(*) from test_item"), 2);
}

static rpc_status slow_write(struct rpc_call *call, void *argument)
{
    (void)argument;
    return db_exec(call->db, &test_item_slow, NULL, db_int(1), db_double(0.7));
}

static void a_write_that_nobody_confirmed_is_unknown(void **state)
{
    struct dbkit *t = *state;
    struct dbkit_task task;
    dbkit_start(t, &task, slow_write, NULL);
    kill_backend(t, backend_of(t, "-- test_item_slow"));
    dbkit_wait(&task);
    assert_code(task.status, RPC_UNKNOWN);
    come_back(t);
}

static void a_write_that_was_refused_at_shutdown_runs_again(void **state)
{
    struct dbkit *t = *state;
    struct dbkit_task task;
    dbkit_start(t, &task, slow_write, NULL);
    terminate(t, backend_of(t, "-- test_item_slow"));
    dbkit_wait(&task);
    assert_ok(task.status);
    assert_int_equal(dbkit_number(t, "select count(*) from test_item"), 1);
}

static rpc_status slow_read(struct rpc_call *call, void *argument)
{
    Part *part;
    (void)argument;
    return db_one(call->db, &test_sleep, &part, db_double(0.7));
}

static void a_read_whose_link_breaks_runs_again(void **state)
{
    struct dbkit *t = *state;
    struct dbkit_task task;
    dbkit_start(t, &task, slow_read, NULL);
    terminate(t, backend_of(t, "-- test_sleep"));
    dbkit_wait(&task);
    assert_ok(task.status);
}

struct pause {
    bool go;
    rpc_status second; /* what the statement after the pause answered */
};

static rpc_status write_pause_write(struct rpc_call *call, void *argument)
{
    struct pause *pause = argument;
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &test_item_insert, NULL, db_int(1), db_text("first"),
                db_int(1)));
    rpc_wait_always(call, &pause->go);
    pause->second = db_exec(tx, &test_item_insert, NULL, db_int(2),
                            db_text("second"), db_int(1));
    return db_commit(tx);
}

static void a_transaction_whose_link_breaks_is_gone_as_a_whole(void **state)
{
    struct dbkit *t = *state;
    struct pause pause = {.go = false};
    struct dbkit_task task;
    dbkit_start(t, &task, write_pause_write, &pause);
    const char *idle = "select coalesce(max(pid), 0) from pg_stat_activity"
                       " where state = 'idle in transaction'";
    const char *count = "select count(*) from pg_stat_activity"
                        " where state = 'idle in transaction'";
    assert_true(dbkit_becomes(t, count, 1));
    terminate(t, dbkit_number(t, idle));
    assert_true(dbkit_becomes(t, count, 0));
    pause.go = true;
    rpc_wake(task.call);
    dbkit_wait(&task);
    assert_code(pause.second, RPC_UNAVAILABLE);
    assert_code(task.status, RPC_UNAVAILABLE);
    assert_int_equal(dbkit_number(t, "select count(*) from test_item"), 0);
}

static rpc_status slow_commit(struct rpc_call *call, void *argument)
{
    struct db *tx;
    (void)argument;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &test_item_insert, NULL, db_int(1), db_text("slow"),
                db_int(99)));
    return db_commit(tx);
}

static void a_commit_that_nobody_confirmed_is_unknown(void **state)
{
    struct dbkit *t = *state;
    struct dbkit_task task;
    dbkit_start(t, &task, slow_commit, NULL);
    kill_backend(t, backend_of(t, "commit"));
    dbkit_wait(&task);
    assert_code(task.status, RPC_UNKNOWN);
    come_back(t);
    assert_int_equal(dbkit_number(t, "select count(*) from test_item"), 0);
}

static void a_commit_is_waited_for_when_the_call_ends(void **state)
{
    struct dbkit *t = *state;
    struct dbkit_task task;
    dbkit_start(t, &task, slow_commit, NULL);
    int64_t pid = backend_of(t, "commit");
    rpc_end(task.call, RPC_DEADLINE_EXCEEDED, "late");
    dbkit_idle(t, 50);
    assert_false(task.done);
    terminate(t, pid); /* PostgreSQL says that it did not commit */
    dbkit_wait(&task);
    assert_code(task.status, RPC_UNAVAILABLE);
}

/* A machine that has lost power sends nothing, not even a goodbye. */
static void a_server_that_falls_silent_is_left(void **state)
{
    struct dbkit *t = *state;
    struct dbkit *strict = dbkit_create(&(struct db_pool_options){
        .url = url, .prepare = true, .statement_timeout_ms = 100});
    Part *part;
    assert_ok(dbkit_one(strict, &test_backend, &part, DB_NONE));
    pid_t silent = (pid_t)part->amount;
    kill(silent, SIGSTOP);
    int64_t start_us = clock_monotonic_us();
    rpc_status status = dbkit_one(strict, &test_backend, &part, DB_NONE);
    int64_t took_us = clock_monotonic_us() - start_us;
    kill(silent, SIGCONT);
    assert_ok(status); /* on another connection */
    assert_int_not_equal(part->amount, silent);
    assert_in_range(took_us, 3000000, 8000000);
    dbkit_destroy(strict);
    assert_ok(dbkit_run(t, read_backend, NULL));
}

/* Within a few attempts, each of which may find a link of before. */
static bool succeeds_soon(struct dbkit *t, dbkit_fn *fn, int id)
{
    for (int i = 0; i < 20; i++) {
        if (dbkit_run(t, fn, &id).code == RPC_OK)
            return true;
        dbkit_idle(t, 20);
    }
    return false;
}

/* As after a failover that left the old primary running. */
static void a_server_that_takes_no_writes_is_left(void **state)
{
    struct dbkit *t = *state;
    int one = 1;
    dbkit_sql(t, "alter database prbal set default_transaction_read_only = on");
    PGresult *r = PQexec(t->pg, "select pg_terminate_backend(pid)"
                                " from pg_stat_activity"
                                " where pid <> pg_backend_pid()"
                                "   and backend_type = 'client backend'");
    PQclear(r);
    dbkit_idle(t, 100);
    assert_code(dbkit_run(t, write_item, &one), RPC_UNAVAILABLE);
    assert_code(dbkit_run(t, begin_and_write, &one), RPC_UNAVAILABLE);
    dbkit_sql(t, "set default_transaction_read_only = off");
    dbkit_sql(t, "alter database prbal reset default_transaction_read_only");
    assert_true(succeeds_soon(t, write_item, 1));
    assert_true(succeeds_soon(t, begin_and_write, 2));
}

/* Links that somebody opens as soon as another one breaks. */
enum { SUCCESSORS = 8 };
static struct link *successors[SUCCESSORS];
static bool was_lost;

static void nothing_changed(struct link *link)
{
    (void)link;
}

static void open_successors(struct link *link, struct statement *s,
                            statement_outcome outcome)
{
    (void)link;
    was_lost = outcome == STATEMENT_LOST || statement_failed(s);
    for (int i = 0; i < SUCCESSORS; i++)
        link_open(successors[i]);
    statement_finish(s, outcome);
}

static bool are_up(void)
{
    for (int i = 0; i < SUCCESSORS; i++)
        if (link_state_of(successors[i]) != LINK_UP)
            return false;
    return true;
}

/* libpq closes the socket of a broken connection before anybody is told, and
 * the next connection gets its number. */
static void a_socket_s_number_may_be_the_next_one_s(void **state)
{
    struct dbkit *t = *state;
    struct link_options options = {.loop = t->loop,
                                   .url = url,
                                   .name = "outage_test",
                                   .keeps = true,
                                   .changed = nothing_changed};
    for (int i = 0; i < SUCCESSORS; i++)
        successors[i] = link_create(&options);
    options.finished = open_successors;
    options.keeps = false;
    struct link *link = link_create(&options);
    link_open(link);
    while (link_state_of(link) != LINK_UP)
        dbkit_idle(t, 5);
    struct statement *s = statement_create(NULL, STATEMENT_COMMAND, NULL);
    s->command = "select pg_sleep(60) as of_a_link";
    link_send(link, s);
    link_sync(link);
    kill_backend(t, backend_of(t, s->command));
    come_back(t);
    assert_true(was_lost);
    assert_int_equal(link_state_of(link), LINK_CLOSED);
    while (!are_up())
        dbkit_idle(t, 20);
    link_destroy(link);
    for (int i = 0; i < SUCCESSORS; i++)
        link_destroy(successors[i]);
}

#define TEST(name) cmocka_unit_test_setup(name, empty_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_server_that_is_down_is_told_at_once_and_used_again),
        TEST(a_write_that_nobody_confirmed_is_unknown),
        TEST(a_write_that_was_refused_at_shutdown_runs_again),
        TEST(a_read_whose_link_breaks_runs_again),
        TEST(a_transaction_whose_link_breaks_is_gone_as_a_whole),
        TEST(a_commit_that_nobody_confirmed_is_unknown),
        TEST(a_commit_is_waited_for_when_the_call_ends),
        TEST(a_server_that_falls_silent_is_left),
        TEST(a_server_that_takes_no_writes_is_left),
        TEST(a_socket_s_number_may_be_the_next_one_s),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
