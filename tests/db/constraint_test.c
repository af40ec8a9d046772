/* What a violated constraint says to the caller. */
#include "db/constraint.h"

#include "tests/db/rows.rpc.h"
#include "tests/db/rows.sql.h"
#include "tests/testkit/dbkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static rpc_status insert(struct dbkit *t, int id, const char *name, int amount)
{
    return dbkit_exec(t, &test_item_insert, NULL, db_int(id), db_text(name),
                      db_int(amount));
}

static void a_comment_has_a_code_and_a_sentence(void **state)
{
    struct arena *arena = arena_create();
    struct constraint_text text = {0};
    (void)state;
    assert_true(constraint_parse(
        arena, "ALREADY_EXISTS BID_EXISTS: You have one: a live one.", &text));
    assert_int_equal(text.code, RPC_ALREADY_EXISTS);
    assert_string_equal(text.reason, "BID_EXISTS");
    assert_null(text.field);
    assert_string_equal(text.sentence, "You have one: a live one.");

    text = (struct constraint_text){0};
    assert_true(constraint_parse(
        arena, "INVALID_ARGUMENT TOO_LOW amount.amount_minor: Be positive.",
        &text));
    assert_string_equal(text.reason, "TOO_LOW");
    assert_string_equal(text.field, "amount.amount_minor");

    text = (struct constraint_text){0};
    assert_true(constraint_parse(arena, "ABORTED: Taken.", &text));
    assert_null(text.reason);
    arena_destroy(arena);
}

static void a_comment_of_another_form_is_just_a_comment(void **state)
{
    static const char *const others[] = {
        "",         "One row per person.", "OK: fine",      "ABORTED",
        "ABORTED:", "ABORTED :  x",        "NOT_A_CODE: x", "ABORTED  X: y"};
    struct arena *arena = arena_create();
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct constraint_text text = {0};
        assert_false(constraint_parse(arena, others[i], &text));
    }
    arena_destroy(arena);
}

static void a_violated_constraint_speaks_by_its_comment(void **state)
{
    struct dbkit *t = *state;
    assert_ok(insert(t, 1, "one", 1));
    rpc_status s = insert(t, 2, "one", 1); /* a unique index */
    assert_code(s, RPC_ABORTED);
    assert_string_equal(s.message, "The name is taken.");
    s = insert(t, 2, "two", -1); /* a check */
    assert_code(s, RPC_INVALID_ARGUMENT);
    assert_string_equal(s.message, "The amount must not be negative.");
}

static void without_a_comment_the_sqlstate_speaks(void **state)
{
    struct dbkit *t = *state;
    assert_ok(insert(t, 1, "one", 1));
    rpc_status s = insert(t, 1, "two", 1);
    assert_code(s, RPC_ALREADY_EXISTS);
    assert_null(strstr(s.message, "test_item")); /* nothing of the schema */
    assert_code(
        dbkit_exec(t, &test_item_insert, NULL, db_int(2), db_null(), db_int(1)),
        RPC_INVALID_ARGUMENT);
}

static rpc_status violate_in_transaction(struct rpc_call *call, void *argument)
{
    struct db *tx;
    (void)argument;
    TRY(db_begin(call->db, &tx));
    TRY(db_exec(tx, &test_item_insert, NULL, db_int(1), db_text("a"),
                db_int(1)));
    return db_exec(tx, &test_item_insert, NULL, db_int(2), db_text("a"),
                   db_int(1));
}

static void it_speaks_inside_a_transaction_too(void **state)
{
    struct dbkit *t = *state;
    rpc_status s = dbkit_run(t, violate_in_transaction, NULL);
    assert_code(s, RPC_ABORTED);
    assert_string_equal(s.message, "The name is taken.");
}

static int fresh_tables(void **state)
{
    dbkit_sql(*state,
              "drop table if exists test_item;"
              "create table test_item (item_id integer primary key,"
              "  name text not null, amount bigint not null"
              "  constraint test_item_amount check (amount >= 0));"
              "create unique index test_item_name on test_item (name);"
              "comment on constraint test_item_amount on test_item is"
              "  'INVALID_ARGUMENT amount: The amount must not be negative.';"
              "comment on index test_item_name is"
              "  'ABORTED NAME_TAKEN: The name is taken.'");
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh_tables)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_comment_has_a_code_and_a_sentence),
        cmocka_unit_test(a_comment_of_another_form_is_just_a_comment),
        TEST(a_violated_constraint_speaks_by_its_comment),
        TEST(without_a_comment_the_sqlstate_speaks),
        TEST(it_speaks_inside_a_transaction_too),
    };
    return cmocka_run_group_tests(tests, dbkit_setup, dbkit_teardown);
}
