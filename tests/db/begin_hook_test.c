/* db_on_begin(): what runs first in each transaction of a call. */
#include "tests/db/rows.rpc.h"
#include "tests/db/rows.sql.h"
#include "tests/testkit/dbkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const char *const count_items = "select count(*) from test_item";

static rpc_status put(struct db *db, int id)
{
    return db_exec(db, &test_item_insert, NULL, db_int(id), db_text("item"),
                   db_int(1));
}

struct plan {
    int runs;
    bool fails;
    bool takes_away;
};

static rpc_status at_begin(struct db *tx, void *argument)
{
    struct plan *plan = argument;
    TRY(put(tx, 100 + plan->runs++));
    if (plan->fails)
        return rpc_fail(db_call(tx), RPC_ABORTED, "not today");
    return RPC_SUCCESS;
}

static rpc_status two_transactions(struct rpc_call *call, void *argument)
{
    struct db *tx;
    db_on_begin(call->db, at_begin, argument);
    TRY(db_begin(call->db, &tx));
    TRY(put(tx, 1));
    db_rollback(tx);
    TRY(db_begin(call->db, &tx));
    TRY(put(tx, 2));
    return db_commit(tx);
}

static void it_runs_in_each_transaction_and_shares_its_fate(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {0};
    assert_ok(dbkit_run(t, two_transactions, &plan));
    assert_int_equal(plan.runs, 2);
    assert_int_equal(dbkit_number(t, count_items), 2);
    assert_int_equal(
        dbkit_number(t, "select count(*) from test_item where item_id in"
                        " (2, 101)"),
        2);
}

static rpc_status begin_in_vain(struct rpc_call *call, void *argument)
{
    struct db *tx;
    db_on_begin(call->db, at_begin, argument);
    rpc_status failed = db_begin(call->db, &tx);
    if (failed.code != RPC_ABORTED)
        return rpc_fail(call, RPC_INTERNAL, "it began");
    /* The link is back: with all of them lost, this one would wait. */
    for (int i = 0; i < 20; i++)
        if (db_begin(call->db, &tx).code != RPC_ABORTED)
            return rpc_fail(call, RPC_INTERNAL, "it began");
    return failed;
}

static void its_failure_leaves_nothing_open(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {.fails = true};
    assert_code(dbkit_run(t, begin_in_vain, &plan), RPC_ABORTED);
    assert_int_equal(plan.runs, 21);
    assert_int_equal(dbkit_number(t, count_items), 0);
}

static rpc_status write_beside(struct rpc_call *call, void *argument)
{
    struct plan *plan = argument;
    Part *part;
    db_on_begin(call->db, at_begin, plan);
    TRY(db_find(call->db, &test_item_by_id, &part, db_int(1)));
    if (plan->takes_away)
        db_on_begin(call->db, NULL, NULL);
    return put(call->db, 1);
}

static void while_it_is_there_nothing_is_written_beside_it(void **state)
{
    struct dbkit *t = *state;
    struct plan plan = {0};
    assert_code(dbkit_run(t, write_beside, &plan), RPC_INTERNAL);
    assert_int_equal(dbkit_number(t, count_items), 0);
    plan.takes_away = true;
    assert_ok(dbkit_run(t, write_beside, &plan));
    assert_int_equal(dbkit_number(t, count_items), 1);
    assert_int_equal(plan.runs, 0);
}

static int fresh_table(void **state)
{
    dbkit_sql(*state, "set client_min_messages = warning;"
                      "drop table if exists test_item;"
                      "create table test_item (item_id integer primary key,"
                      "  name text not null, amount bigint not null)");
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_runs_in_each_transaction_and_shares_its_fate),
        TEST(its_failure_leaves_nothing_open),
        TEST(while_it_is_there_nothing_is_written_beside_it),
    };
    return cmocka_run_group_tests(tests, dbkit_setup, dbkit_teardown);
}
