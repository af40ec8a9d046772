/* Transactions on leased links, and how they end. */
#include "tests/db/rows.rpc.h"
#include "tests/db/rows.sql.h"
#include "tests/testkit/dbkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char *const count_items = "select count(*) from test_item";
static const char *const count_sleeping =
    "select count(*) from pg_stat_activity"
    " where query like '-- test_sleep%' and state = 'active'";
static const char *const count_open =
    "select count(*) from pg_stat_activity where xact_start is not null"
    " and pid <> pg_backend_pid() and backend_type = 'client backend'";

enum { LOOKS = 5000 };

/* What the pool comes to a moment later, when a link has opened or rolled
 * back.  The server's view cannot tell: it counts sessions of pools that are
 * gone, as long as these take to end. */
static bool pool_becomes(struct dbkit *kit, int used, int waiting)
{
    for (int looks = 0; looks < LOOKS; looks++) {
        struct db_pool_stats stats = db_pool_stats(kit->pool);
        if (stats.leases_used == used && stats.leases_waiting == waiting)
            return true;
        dbkit_idle(kit, 1);
    }
    return false;
}

static bool leases_become(struct dbkit *kit, int used)
{
    return pool_becomes(kit, used, 0);
}

static rpc_status put(struct db *db, int id)
{
    return db_exec(db, &test_item_insert, NULL, db_int(id), db_text("item"),
                   db_int(1));
}

/* What a task is to do, and what it saw. */
struct plan {
    enum { COMMIT, ROLL_BACK, RETURN, FAIL_AND_COMMIT } end;
    char seen[256];
    int64_t inside;
};

static rpc_status two_items(struct rpc_call *call, void *argument)
{
    struct plan *plan = argument;
    struct db *tx;
    Part *part;
    TRY(db_begin(call->db, &tx));
    TRY(put(tx, 1));
    TRY(put(tx, 2));
    TRY(db_one(tx, &test_item_by_id, &part, db_int(2)));
    plan->inside = part->amount;
    switch (plan->end) {
    case COMMIT:
        return db_commit(tx);
    case ROLL_BACK:
        db_rollback(tx);
        return RPC_SUCCESS;
    case RETURN:
        return rpc_fail(call, RPC_FAILED_PRECONDITION, "enough");
    case FAIL_AND_COMMIT:
        (void)put(tx, 1);
        return db_commit(tx);
    }
    return RPC_SUCCESS;
}

static void a_transaction_sees_itself_and_commits(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {.end = COMMIT};
    assert_ok(dbkit_run(t, two_items, &plan));
    assert_int_equal(plan.inside, 1);
    assert_int_equal(dbkit_number(t, count_items), 2);
}

static void a_handler_that_returns_rolls_back(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {.end = RETURN};
    assert_code(dbkit_run(t, two_items, &plan), RPC_FAILED_PRECONDITION);
    assert_int_equal(plan.inside, 1);
    assert_true(dbkit_becomes(t, count_open, 0));
    assert_int_equal(dbkit_number(t, count_items), 0);
}

static void a_rollback_gives_the_link_back(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {.end = ROLL_BACK};
    assert_ok(dbkit_run(t, two_items, &plan));
    assert_true(dbkit_becomes(t, count_open, 0));
    assert_int_equal(dbkit_number(t, count_items), 0);
    assert_true(leases_become(t, 0));
}

static void what_has_failed_does_not_commit(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {.end = FAIL_AND_COMMIT};
    assert_code(dbkit_run(t, two_items, &plan), RPC_ALREADY_EXISTS);
    assert_true(dbkit_becomes(t, count_open, 0));
    assert_int_equal(dbkit_number(t, count_items), 0);
}

static rpc_status nothing(struct rpc_call *call, void *argument)
{
    struct db *tx;
    (void)argument;
    TRY(db_begin(call->db, &tx));
    assert_true(db_is_transaction(tx) && !db_is_transaction(call->db));
    return db_commit(tx);
}

static void a_transaction_without_statements_is_free(void **state)
{
    struct dbkit *t = *state;
    assert_true(leases_become(t, 0)); /* what the test before has left */
    assert_ok(dbkit_run(t, nothing, NULL));
    assert_int_equal(db_pool_stats(t->pool).leases_used, 0);
}

static rpc_status use_it_after(struct rpc_call *call, void *argument)
{
    struct db *tx;
    (void)argument;
    TRY(db_begin(call->db, &tx));
    TRY(put(tx, 1));
    TRY(db_commit(tx));
    return put(tx, 2);
}

static void a_transaction_that_is_over_takes_nothing(void **state)
{
    struct dbkit *t = *state;
    assert_code(dbkit_run(t, use_it_after, NULL), RPC_INTERNAL);
    assert_int_equal(dbkit_number(t, count_items), 1);
}

static rpc_status insert_deferred(struct rpc_call *call, void *argument)
{
    struct db *tx;
    (void)argument;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &test_item_insert, NULL, db_int(1), db_text("bad"),
                db_int(-1)));
    return db_commit(tx);
}

static void a_deferred_constraint_fails_the_commit(void **state)
{
    struct dbkit *t = *state;
    assert_code(dbkit_run(t, insert_deferred, NULL), RPC_FAILED_PRECONDITION);
    assert_int_equal(dbkit_number(t, count_items), 0);
}

/* ------------------------------------------------------------------- hooks */

static void note(struct plan *plan, const char *what)
{
    size_t used = strlen(plan->seen);
    snprintf(plan->seen + used, sizeof plan->seen - used, "%s ", what);
}

static rpc_status before_one(struct db *tx, void *argument)
{
    note(argument, "before1");
    return put(tx, 100);
}

static rpc_status before_two(struct db *tx, void *argument)
{
    note(argument, "before2");
    return put(tx, 200);
}

static rpc_status before_fails(struct db *tx, void *argument)
{
    note(argument, "fails");
    return rpc_fail(db_call(tx), RPC_ABORTED, "not today");
}

static void after_one(struct rpc_call *call, void *argument)
{
    (void)call;
    note(argument, "after1");
}

static void after_two(struct rpc_call *call, void *argument)
{
    (void)call;
    note(argument, "after2");
}

static rpc_status with_hooks(struct rpc_call *call, void *argument)
{
    struct plan *plan = argument;
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    db_after_commit(tx, after_one, plan);
    db_before_commit(tx, before_one, plan);
    db_before_commit(tx, before_two, plan);
    db_before_commit(tx, before_one, plan);
    db_after_commit(tx, after_two, plan);
    db_after_commit(tx, after_one, plan);
    if (db_before_commit_argument(tx, before_two) != plan ||
        db_before_commit_argument(tx, before_fails) != NULL)
        return rpc_fail(call, RPC_INTERNAL, "the argument is lost");
    if (plan->end == RETURN)
        db_before_commit(tx, before_fails, plan);
    TRY(put(tx, 1));
    note(plan, "commit");
    return db_commit(tx);
}

static void hooks_run_once_and_in_order(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {.end = COMMIT};
    assert_ok(dbkit_run(t, with_hooks, &plan));
    assert_string_equal(plan.seen, "commit before1 before2 after1 after2 ");
    assert_int_equal(dbkit_number(t, count_items), 3);
}

static void a_failing_hook_rolls_back_and_nothing_runs_after(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {.end = RETURN};
    assert_code(dbkit_run(t, with_hooks, &plan), RPC_ABORTED);
    assert_string_equal(plan.seen, "commit before1 before2 fails ");
    assert_true(dbkit_becomes(t, count_open, 0));
    assert_int_equal(dbkit_number(t, count_items), 0);
}

/* ------------------------------------------------------------------ cancel */

static rpc_status sleep_in_transaction(struct rpc_call *call, void *argument)
{
    struct db *tx;
    Part *part;
    (void)argument;
    TRY(db_begin(call->db, &tx));
    TRY(put(tx, 1));
    return db_one(tx, &test_sleep, &part, db_double(60));
}

static void a_cancelled_call_stops_its_query_at_the_server(void **state)
{
    struct dbkit *t = *state;
    struct dbkit_task task;
    struct plan plan = {.end = COMMIT};
    dbkit_start(t, &task, sleep_in_transaction, NULL);
    assert_true(dbkit_becomes(t, count_sleeping, 1));
    rpc_end(task.call, RPC_CANCELLED, "the client has gone");
    dbkit_wait(&task);
    assert_code(task.status, RPC_CANCELLED);
    assert_true(dbkit_becomes(t, count_sleeping, 0));
    assert_true(dbkit_becomes(t, count_open, 0));
    assert_int_equal(dbkit_number(t, count_items), 0);
    assert_ok(dbkit_run(t, two_items, &plan)); /* the link is fine again */
    assert_int_equal(dbkit_number(t, count_items), 2);
}

static void the_statement_timeout_is_a_deadline(void **state)
{
    struct dbkit *t = *state;
    struct dbkit *strict =
        dbkit_create(&(struct db_pool_options){.url = scratch_url(t->scratch),
                                               .prepare = true,
                                               .statement_timeout_ms = 150});
    struct dbkit_task task;
    dbkit_start(strict, &task, sleep_in_transaction, NULL);
    dbkit_wait(&task);
    assert_code(task.status, RPC_DEADLINE_EXCEEDED);
    dbkit_destroy(strict);
}

/* ------------------------------------------------------------------- leases */

static bool releases[6];

static rpc_status hold(struct rpc_call *call, void *argument)
{
    bool *release = argument;
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(put(tx, (int)(release - releases)));
    rpc_wait_always(call, release);
    return db_commit(tx);
}

static void those_who_wait_for_a_link_get_one(void **state)
{
    struct dbkit *t = *state;
    struct dbkit *small =
        dbkit_create(&(struct db_pool_options){.url = scratch_url(t->scratch),
                                               .prepare = true,
                                               .leases_max = 2,
                                               .lease_queue_max = 3});
    static struct dbkit_task tasks[6];
    memset(releases, 0, sizeof releases);
    for (int i = 0; i < 2; i++)
        dbkit_start(small, &tasks[i], hold, &releases[i]);
    assert_true(leases_become(small, 2));
    for (int i = 2; i < 5; i++)
        dbkit_start(small, &tasks[i], hold, &releases[i]);
    assert_true(pool_becomes(small, 2, 3));

    dbkit_start(small, &tasks[5], hold, &releases[5]);
    dbkit_wait(&tasks[5]);
    assert_code(tasks[5].status, RPC_RESOURCE_EXHAUSTED);

    rpc_end(tasks[3].call, RPC_CANCELLED, "tired of waiting");
    dbkit_wait(&tasks[3]);
    assert_code(tasks[3].status, RPC_CANCELLED);
    assert_int_equal(db_pool_stats(small->pool).leases_waiting, 2);

    for (int i = 0; i < 5; i++) {
        releases[i] = true;
        if (tasks[i].call != NULL)
            rpc_wake(tasks[i].call);
    }
    for (int i = 0; i < 5; i++) {
        dbkit_wait(&tasks[i]);
        assert_code(tasks[i].status, i == 3 ? RPC_CANCELLED : RPC_OK);
    }
    assert_int_equal(dbkit_number(small, count_items), 4);
    assert_true(leases_become(small, 0));
    dbkit_destroy(small);
}

/* ---------------------------------------------------------------- conflicts */

struct transfer {
    int first, second;
    bool *go;
    int runs;
    bool has_first;
};

/* Each locks one row, waits for the other to have done so, and wants the
 * other's. */
static rpc_status add_to_both(struct rpc_call *call, void *argument)
{
    struct transfer *transfer = argument;
    struct db *tx;
    Part *part;
    transfer->runs++;
    TRY(db_begin(call->db, &tx));
    TRY(db_one(tx, &test_item_add, &part, db_int(transfer->first), db_int(1)));
    transfer->has_first = true;
    if (transfer->runs == 1)
        rpc_wait_always(call, transfer->go);
    TRY(db_one(tx, &test_item_add, &part, db_int(transfer->second), db_int(1)));
    return db_commit(tx);
}

static rpc_status add_until_done(struct rpc_call *call, void *argument)
{
    return db_retry(call, add_to_both, argument);
}

static void start_deadlock(struct dbkit *t, dbkit_fn *fn,
                           struct dbkit_task *tasks, struct transfer *transfers,
                           bool *go)
{
    dbkit_sql(t, "insert into test_item values (1, 'a', 0), (2, 'b', 0)");
    *go = false;
    for (int i = 0; i < 2; i++) {
        transfers[i] = (struct transfer){1 + i, 2 - i, go, 0, false};
        dbkit_start(t, &tasks[i], fn, &transfers[i]);
    }
    for (int i = 0; i < LOOKS; i++)
        if (!transfers[0].has_first || !transfers[1].has_first)
            dbkit_idle(t, 2);
    assert_true(transfers[0].has_first && transfers[1].has_first);
    *go = true;
    for (int i = 0; i < 2; i++)
        rpc_wake(tasks[i].call);
    for (int i = 0; i < 2; i++)
        dbkit_wait(&tasks[i]);
}

static void the_loser_of_a_deadlock_may_try_again(void **state)
{
    struct dbkit *t = *state;
    struct dbkit_task tasks[2];
    struct transfer transfers[2];
    bool go;
    start_deadlock(t, add_to_both, tasks, transfers, &go);
    int loser = tasks[0].status.code == RPC_OK ? 1 : 0;
    assert_code(tasks[loser].status, RPC_ABORTED);
    assert_true(tasks[loser].retryable);
    assert_ok(tasks[1 - loser].status);
    assert_false(tasks[1 - loser].retryable);
}

static void a_retried_transaction_wins_in_the_end(void **state)
{
    struct dbkit *t = *state;
    struct dbkit_task tasks[2];
    struct transfer transfers[2];
    bool go;
    start_deadlock(t, add_until_done, tasks, transfers, &go);
    assert_ok(tasks[0].status);
    assert_ok(tasks[1].status);
    assert_int_equal(transfers[0].runs + transfers[1].runs, 3);
    assert_int_equal(dbkit_number(t, "select sum(amount) from test_item"), 4);
}

static rpc_status always_conflicts(struct rpc_call *call, void *argument)
{
    ++*(int *)argument;
    return rpc_fail(call, RPC_ABORTED, "for another reason");
}

static rpc_status retry_conflicts(struct rpc_call *call, void *argument)
{
    return db_retry(call, always_conflicts, argument);
}

static void an_abort_of_the_handlers_own_is_not_retried(void **state)
{
    struct dbkit *t = *state;
    int runs = 0;
    assert_code(dbkit_run(t, retry_conflicts, &runs), RPC_ABORTED);
    assert_int_equal(runs, 1);
}

static int fresh_tables(void **state)
{
    dbkit_sql(*state, "set client_min_messages = warning;"
                      "drop table if exists test_item;"
                      "create table test_item (item_id integer primary key,"
                      "  name text not null, amount bigint not null);"
                      "create or replace function test_check() returns trigger"
                      "  language plpgsql as $$ begin if new.amount < 0 then"
                      "  raise check_violation; end if; return null; end $$;"
                      "create constraint trigger test_positive after insert"
                      "  on test_item deferrable initially deferred"
                      "  for each row execute function test_check()");
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh_tables)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_transaction_sees_itself_and_commits),
        TEST(a_handler_that_returns_rolls_back),
        TEST(a_rollback_gives_the_link_back),
        TEST(what_has_failed_does_not_commit),
        TEST(a_transaction_without_statements_is_free),
        TEST(a_transaction_that_is_over_takes_nothing),
        TEST(a_deferred_constraint_fails_the_commit),
        TEST(hooks_run_once_and_in_order),
        TEST(a_failing_hook_rolls_back_and_nothing_runs_after),
        TEST(a_cancelled_call_stops_its_query_at_the_server),
        TEST(the_statement_timeout_is_a_deadline),
        TEST(those_who_wait_for_a_link_get_one),
        TEST(the_loser_of_a_deadlock_may_try_again),
        TEST(a_retried_transaction_wins_in_the_end),
        TEST(an_abort_of_the_handlers_own_is_not_retried),
    };
    return cmocka_run_group_tests(tests, dbkit_setup, dbkit_teardown);
}
