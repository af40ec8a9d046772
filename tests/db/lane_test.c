/* Statements of many calls on shared links. */
#include "tests/db/rows.rpc.h"
#include "tests/db/rows.sql.h"
#include "tests/testkit/dbkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CALLS = 100 };
static struct dbkit_task tasks[CALLS];

struct division {
    int64_t dividend, divisor, quotient;
};

static rpc_status divide(struct rpc_call *call, void *argument)
{
    struct division *d = argument;
    Part *part;
    TRY(db_one(call->db, &test_divide, &part, db_int(d->dividend),
               db_int(d->divisor)));
    d->quotient = part->amount;
    return RPC_SUCCESS;
}

static void divide_all(struct dbkit *t, struct division *divisions)
{
    for (int i = 0; i < CALLS; i++)
        dbkit_start(t, &tasks[i], divide, &divisions[i]);
    for (int i = 0; i < CALLS; i++)
        dbkit_wait(&tasks[i]);
}

static void one_failure_among_a_hundred_harms_nobody_else(void **state)
{
    struct dbkit *t = *state;
    static struct division divisions[CALLS];
    for (int i = 0; i < CALLS; i++)
        divisions[i] = (struct division){i * 7, i == 42 ? 0 : 7, -1};
    divide_all(t, divisions);
    for (int i = 0; i < CALLS; i++) {
        if (i == 42) {
            assert_code(tasks[i].status, RPC_INTERNAL);
            continue;
        }
        assert_ok(tasks[i].status);
        assert_int_equal(divisions[i].quotient, i);
    }
}

/* Prepared by a batch whose head fails, so that the preparing itself is
 * skipped; then again from scratch on the same link. */
static void every_other_failure_harms_nobody_either(void **state)
{
    struct dbkit *t = *state;
    static struct division divisions[CALLS];
    for (int i = 0; i < CALLS; i++)
        divisions[i] = (struct division){i, i % 2, -1};
    divide_all(t, divisions);
    for (int i = 0; i < CALLS; i++) {
        assert_code(tasks[i].status, i % 2 ? RPC_OK : RPC_INTERNAL);
        if (i % 2)
            assert_int_equal(divisions[i].quotient, i);
    }
}

static rpc_status backend(struct rpc_call *call, void *argument)
{
    Part *part;
    TRY(db_one(call->db, &test_backend, &part, DB_NONE));
    *(int64_t *)argument = part->amount;
    return RPC_SUCCESS;
}

static void reads_of_one_pass_share_a_link(void **state)
{
    struct dbkit *t = *state;
    static int64_t pids[CALLS];
    for (int i = 0; i < CALLS; i++)
        dbkit_start(t, &tasks[i], backend, &pids[i]);
    for (int i = 0; i < CALLS; i++)
        dbkit_wait(&tasks[i]);
    for (int i = 0; i < CALLS; i++) {
        assert_ok(tasks[i].status);
        assert_int_equal(pids[i], pids[0]);
    }
}

struct insert {
    int id;
};

static rpc_status insert(struct rpc_call *call, void *argument)
{
    const struct insert *in = argument;
    return db_exec(call->db, &test_item_insert, NULL, db_int(in->id),
                   db_text("item"), db_int(1));
}

static void writes_fail_and_succeed_each_on_its_own(void **state)
{
    struct dbkit *t = *state;
    static struct insert inserts[CALLS];
    for (int i = 0; i < CALLS; i++) {
        inserts[i].id = i / 2; /* each number twice */
        dbkit_start(t, &tasks[i], insert, &inserts[i]);
    }
    for (int i = 0; i < CALLS; i++)
        dbkit_wait(&tasks[i]);
    for (int i = 0; i < CALLS; i++)
        assert_code(tasks[i].status, i % 2 ? RPC_ALREADY_EXISTS : RPC_OK);
    assert_int_equal(dbkit_number(t, "select count(*) from test_item"),
                     CALLS / 2);
}

static void a_constraint_that_is_checked_at_the_end_fails_the_write(
    void **state)
{
    struct dbkit *t = *state;
    rpc_status s = dbkit_exec(t, &test_item_insert, NULL, db_int(1),
                              db_text("deferred"), db_int(-1));
    assert_code(s, RPC_FAILED_PRECONDITION);
    assert_int_equal(dbkit_number(t, "select count(*) from test_item"), 0);
    assert_ok(dbkit_exec(t, &test_item_insert, NULL, db_int(1), db_text("fine"),
                         db_int(1)));
}

static void a_change_tells_how_many_rows(void **state)
{
    struct dbkit *t = *state;
    int64_t changed = 0;
    assert_ok(dbkit_exec(t, &test_item_insert_many, &changed, db_int(1),
                         db_int(1000)));
    assert_int_equal(changed, 1000);
    Part *part;
    assert_ok(dbkit_one(t, &test_item_add, &part, db_int(7), db_int(5)));
    assert_int_equal(part->amount, 6);
}

static rpc_status sleep_for(struct rpc_call *call, void *argument)
{
    Part *part;
    return db_one(call->db, &test_sleep, &part, db_double(*(double *)argument));
}

/* More than a lane's patience: it ends well, on a leased link. */
static void a_slow_read_gets_a_link_of_its_own(void **state)
{
    struct dbkit *t = *state;
    double seconds = 1.2;
    struct dbkit_task slow, quick;
    int64_t pid;
    dbkit_start(t, &slow, sleep_for, &seconds);
    assert_true(dbkit_becomes(t,
                              "select count(*) from pg_stat_activity where "
                              "query like '-- test_sleep%' "
                              "and state = 'active'",
                              1));
    dbkit_idle(t, 30);
    dbkit_start(t, &quick, backend, &pid);
    dbkit_wait(&quick);
    assert_ok(quick.status);
    assert_false(slow.done); /* the quick one went round it */
    dbkit_wait(&slow);
    assert_ok(slow.status);
}

static rpc_status hold_lock(struct rpc_call *call, void *argument)
{
    bool *release = argument;
    struct db *tx;
    Part *part;
    TRY(db_begin(call->db, &tx));
    TRY(db_one(tx, &test_item_add, &part, db_int(1), db_int(10)));
    rpc_wait_always(call, release);
    return db_commit(tx);
}

static rpc_status add_one(struct rpc_call *call, void *argument)
{
    Part *part;
    TRY(db_one(call->db, &test_item_add, &part, db_int(1), db_int(1)));
    *(int64_t *)argument = part->amount;
    return RPC_SUCCESS;
}

static void a_write_that_waits_for_a_lock_holds_up_nobody(void **state)
{
    struct dbkit *t = *state;
    dbkit_sql(t, "insert into test_item values (1, 'locked', 0)");
    bool release = false;
    int64_t amount = 0;
    struct dbkit_task holder, waiter, other;
    struct insert in = {2};
    dbkit_start(t, &holder, hold_lock, &release);
    const char *holding = "select count(*) from pg_stat_activity where "
                          "state = 'idle in transaction'";
    assert_true(dbkit_becomes(t, holding, 1));
    dbkit_start(t, &waiter, add_one, &amount);
    dbkit_start(t, &other, insert, &in);
    dbkit_wait(&other);
    assert_ok(other.status);
    assert_false(waiter.done);
    release = true;
    rpc_wake(holder.call);
    dbkit_wait(&waiter);
    assert_ok(waiter.status);
    assert_int_equal(amount, 11); /* once */
    dbkit_wait(&holder);
    assert_ok(holder.status);
}

static void a_changed_row_type_is_planned_again(void **state)
{
    struct dbkit *t = *state;
    Part *part;
    assert_ok(dbkit_one(t, &test_changing, &part, DB_NONE));
    assert_int_equal(part->amount, 7);
    dbkit_sql(t, "alter table test_changing alter amount type numeric");
    assert_ok(dbkit_one(t, &test_changing, &part, DB_NONE));
    assert_int_equal(part->amount, 7);
    dbkit_sql(t, "alter table test_changing alter amount type bigint");
    assert_ok(dbkit_one(t, &test_changing, &part, DB_NONE));
}

static void links_are_set_up_for_the_server(void **state)
{
    struct dbkit *t = *state;
    Part *part;
    assert_ok(dbkit_one(t, &test_settings, &part, DB_NONE));
    assert_string_equal(part->name, "1s UTC off");
    assert_true(db_pool_is_up(t->pool));
    assert_true(db_pool_stats(t->pool).statements > 0);
}

static void a_full_lane_refuses_at_once(void **state)
{
    enum { MANY = 1100 };
    struct dbkit *t = *state;
    struct dbkit_task *many = calloc(MANY, sizeof *many);
    struct division d = {1, 1, 0};
    Part *part; /* described, so that only running is counted */
    assert_ok(dbkit_one(t, &test_divide, &part, db_int(d.dividend), db_int(1)));
    for (int i = 0; i < MANY; i++)
        dbkit_start(t, &many[i], divide, &d);
    int refused = 0;
    for (int i = 0; i < MANY; i++) {
        dbkit_wait(&many[i]);
        refused += many[i].status.code == RPC_RESOURCE_EXHAUSTED;
        if (many[i].status.code != RPC_RESOURCE_EXHAUSTED)
            assert_ok(many[i].status);
    }
    free(many);
    assert_int_equal(refused, MANY - 1024);
}

static rpc_status prepared_count(struct rpc_call *call, void *argument)
{
    Part *part;
    TRY(db_one(call->db, &test_prepared, &part, db_bool(true)));
    *(int64_t *)argument = part->amount;
    return RPC_SUCCESS;
}

static rpc_status insert_in_transaction(struct rpc_call *call, void *argument)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &test_item_insert, NULL, db_int(*(int *)argument),
                db_text("item"), db_int(1)));
    return db_commit(tx);
}

static void a_statement_is_prepared_once_a_link(void **state)
{
    struct dbkit *t = *state;
    int64_t before = 0, after = 0;
    assert_ok(dbkit_run(t, prepared_count, &before));
    assert_ok(dbkit_run(t, prepared_count, &before));
    for (int i = 0; i < 10; i++)
        assert_ok(dbkit_run(t, prepared_count, &after));
    assert_true(after > 0);
    assert_int_equal(after, before);
}

/* As behind a proxy that keeps no names: nothing stays at the server. */
static void without_names_all_is_the_same(void **state)
{
    struct dbkit *t = *state;
    static struct division divisions[CALLS];
    struct insert in = {1};
    int two = 2;
    int64_t prepared = -1;
    struct dbkit *plain =
        dbkit_create(&(struct db_pool_options){.url = scratch_url(t->scratch)});
    for (int i = 0; i < CALLS; i++)
        divisions[i] = (struct division){i, i % 2, -1};
    divide_all(plain, divisions);
    for (int i = 0; i < CALLS; i++) {
        assert_code(tasks[i].status, i % 2 ? RPC_OK : RPC_INTERNAL);
        if (i % 2)
            assert_int_equal(divisions[i].quotient, i);
    }
    assert_ok(dbkit_run(plain, insert, &in));
    assert_code(dbkit_run(plain, insert, &in), RPC_ALREADY_EXISTS);
    assert_ok(dbkit_run(plain, insert_in_transaction, &two));
    assert_ok(dbkit_run(plain, prepared_count, &prepared));
    assert_int_equal(prepared, 0);
    dbkit_destroy(plain);
}

static rpc_status end_while_reading(struct rpc_call *call, void *argument)
{
    Part *part;
    (void)argument;
    rpc_end(call, RPC_CANCELLED, "gone");
    return db_one(call->db, &test_backend, &part, DB_NONE);
}

static void a_call_that_has_ended_gets_its_end(void **state)
{
    struct dbkit *t = *state;
    int64_t pid;
    assert_code(dbkit_run(t, end_while_reading, NULL), RPC_CANCELLED);
    assert_ok(dbkit_run(t, backend, &pid));
}

static void a_slow_read_whose_call_ends_is_left_behind(void **state)
{
    struct dbkit *t = *state;
    double seconds = 0.3;
    struct dbkit_task slow;
    dbkit_start(t, &slow, sleep_for, &seconds);
    assert_true(dbkit_becomes(t,
                              "select count(*) from pg_stat_activity where "
                              "query like '-- test_sleep%' "
                              "and state = 'active'",
                              1));
    rpc_end(slow.call, RPC_DEADLINE_EXCEEDED, "late");
    dbkit_wait(&slow);
    assert_code(slow.status, RPC_DEADLINE_EXCEEDED);
    int64_t pid;
    assert_ok(dbkit_run(t, backend, &pid));
}

static int fresh_tables(void **state)
{
    dbkit_sql(*state, "drop table if exists test_item, test_changing;"
                      "create table test_item (item_id integer primary key,"
                      "  name text not null, amount bigint not null);"
                      "create table test_changing (amount bigint);"
                      "insert into test_changing values (7);"
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
        TEST(one_failure_among_a_hundred_harms_nobody_else),
        TEST(every_other_failure_harms_nobody_either),
        TEST(reads_of_one_pass_share_a_link),
        TEST(writes_fail_and_succeed_each_on_its_own),
        TEST(a_constraint_that_is_checked_at_the_end_fails_the_write),
        TEST(a_change_tells_how_many_rows),
        TEST(a_slow_read_gets_a_link_of_its_own),
        TEST(a_write_that_waits_for_a_lock_holds_up_nobody),
        TEST(a_changed_row_type_is_planned_again),
        TEST(links_are_set_up_for_the_server),
        TEST(a_statement_is_prepared_once_a_link),
        TEST(without_names_all_is_the_same),
        TEST(a_full_lane_refuses_at_once),
        TEST(a_call_that_has_ended_gets_its_end),
        TEST(a_slow_read_whose_call_ends_is_left_behind),
    };
    return cmocka_run_group_tests(tests, dbkit_setup, dbkit_teardown);
}
