/* Holds, and what the ledger does not let anybody do to it. */
#include "services/jobs/handlers.h"
#include "tests/services/ledgerkit.h"

#define KIND(name) LEDGER_ACCOUNT_KIND_##name

/* Ann has 100, and is about to pay Bob and the platform. */
struct deal {
    const char *ann, *bob, *fee;
    struct ledger_leg legs[2];
};

static struct deal deal(struct dbkit *t)
{
    struct deal d = {account(t, KIND(USER_AVAILABLE), "ann"),
                     account(t, KIND(USER_AVAILABLE), "bob"),
                     account(t, KIND(PLATFORM_FEE), ""),
                     {{0}}};
    d.legs[0] = leg(d.ann, d.bob, 90);
    d.legs[1] = leg(d.ann, d.fee, 10);
    assert_ok(
        move(t, 1, account(t, KIND(GATEWAY_CLEARING), "sandbox"), d.ann, 100));
    return d;
}

/* As if its time were over. */
static void make_due(struct dbkit *t, int id)
{
    char statement[256];
    snprintf(statement, sizeof statement,
             "set session_replication_role = replica;"
             "update ledger_hold set expires_at = now() - interval '1 second'"
             " where transfer_id = '%s';"
             "reset session_replication_role",
             id_of(t, id));
    dbkit_sql(t, statement);
}

static void held_money_stays_and_cannot_be_spent(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    assert_ok(hold(t, 2, d.legs, 2, 0));
    assert_ok(hold(t, 2, d.legs, 2, 0)); /* the same one */

    assert_int_equal(balance(t, d.ann), 100);
    assert_int_equal(held(t, d.ann), 100);
    assert_int_equal(balance(t, d.bob), 0);
    REFUSED(move(t, 3, d.ann, d.bob, 1), RPC_FAILED_PRECONDITION,
            "not enough money");
    REFUSED(hold(t, 3, d.legs, 1, 0), RPC_FAILED_PRECONDITION,
            "not enough money");
    REFUSED(hold(t, 2, d.legs, 2, 60), RPC_ALREADY_EXISTS, "another transfer");
    assert_sound(t);
}

static void a_hold_is_posted_whole(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    assert_ok(hold(t, 2, d.legs, 2, 3600));
    assert_ok(end_by(t, ledger_post_pending, 3, 2, NULL, 0));
    assert_ok(end_by(t, ledger_post_pending, 3, 2, NULL, 0));
    assert_int_equal(balance(t, d.ann), 0);
    assert_int_equal(held(t, d.ann), 0);
    assert_int_equal(balance(t, d.bob), 90);
    assert_int_equal(balance(t, d.fee), 10);
    assert_sound(t);
}

static void what_is_not_posted_is_free_again(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    const int64_t part[] = {45, 0};
    assert_ok(hold(t, 2, d.legs, 2, 0));
    assert_ok(end_by(t, ledger_post_pending, 3, 2, part, 2));
    assert_int_equal(balance(t, d.ann), 55);
    assert_int_equal(held(t, d.ann), 0);
    assert_int_equal(balance(t, d.bob), 45);
    assert_int_equal(balance(t, d.fee), 0);

    /* and goes back once more */
    assert_ok(end_by(t, ledger_reverse, 4, 3, NULL, 0));
    assert_int_equal(balance(t, d.ann), 100);
    assert_sound(t);
}

static void a_posting_stays_within_the_hold(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    assert_ok(hold(t, 2, d.legs, 2, 0));
    static const int64_t wrong[][3] = {
        {91, 0, 0}, {90, 11, 0}, {-1, 10, 0}, {0, 0, 0}, {90, 10, 1}};
    static const size_t counts[] = {2, 2, 2, 2, 3};
    for (size_t i = 0; i < 5; i++)
        REFUSED(end_by(t, ledger_post_pending, 3, 2, wrong[i], counts[i]),
                RPC_INVALID_ARGUMENT, "between nothing and all");
    REFUSED(end_by(t, ledger_post_pending, 3, 2, wrong[0], 1),
            RPC_INVALID_ARGUMENT, "between nothing and all");
    assert_int_equal(held(t, d.ann), 100);
    assert_sound(t);
}

static void a_hold_ends_once(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    assert_ok(hold(t, 2, d.legs, 2, 0));
    assert_ok(end_by(t, ledger_void, 3, 2, NULL, 0));
    assert_ok(end_by(t, ledger_void, 3, 2, NULL, 0));
    assert_int_equal(held(t, d.ann), 0);
    assert_int_equal(balance(t, d.ann), 100);

    REFUSED(end_by(t, ledger_void, 4, 2, NULL, 0), RPC_FAILED_PRECONDITION,
            "ended already");
    REFUSED(end_by(t, ledger_post_pending, 4, 2, NULL, 0),
            RPC_FAILED_PRECONDITION, "ended already");
    REFUSED(end_by(t, ledger_post_pending, 3, 2, NULL, 0), RPC_ALREADY_EXISTS,
            "another transfer");
    REFUSED(end_by(t, ledger_void, 4, 77, NULL, 0), RPC_NOT_FOUND,
            "no such hold");
    REFUSED(end_by(t, ledger_void, 4, 1, NULL, 0), RPC_NOT_FOUND,
            "no such hold");
    REFUSED(end_by(t, ledger_reverse, 4, 2, NULL, 0), RPC_FAILED_PRECONDITION,
            "only a posted transfer");
    assert_sound(t);
}

static void a_hold_expires_at_its_time(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    assert_ok(hold(t, 2, d.legs, 2, 3600));
    REFUSED(end_by(t, ledger_expire, 3, 2, NULL, 0), RPC_FAILED_PRECONDITION,
            "not over");
    make_due(t, 2);
    REFUSED(end_by(t, ledger_post_pending, 3, 2, NULL, 0),
            RPC_FAILED_PRECONDITION, "time is over");
    REFUSED(end_by(t, ledger_void, 3, 2, NULL, 0), RPC_FAILED_PRECONDITION,
            "time is over");
    assert_ok(end_by(t, ledger_expire, 3, 2, NULL, 0));
    assert_int_equal(held(t, d.ann), 0);
    assert_sound(t);
}

static rpc_status keep_house(struct rpc_call *call, void *argument)
{
    return ledger_keep(call, argument);
}

static void housekeeping_ends_holds_and_adds_up(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    struct ledger_leg small = leg(d.ann, d.fee, 5);
    for (int i = 2; i < 6; i++)
        assert_ok(hold(t, i, &small, 1, 3600));
    assert_ok(hold(t, 6, &small, 1, 0));
    assert_ok(end_by(t, ledger_post_pending, 7, 2, NULL, 0));
    make_due(t, 3);
    make_due(t, 4);
    assert_int_equal(dbkit_number(t, "select count(*) from ledger_delta"), 2);

    struct job_run run = {.attempt = 1};
    assert_ok(dbkit_run(t, keep_house, &run));
    assert_true(run.again_after_ms > 0);
    assert_int_equal(dbkit_number(t, "select count(*) from ledger_hold"
                                     " where status = 'EXPIRED'"),
                     2);
    assert_int_equal(dbkit_number(t, "select count(*) from ledger_delta"), 0);
    assert_int_equal(balance(t, d.fee), 5);
    assert_int_equal(held(t, d.ann), 10);
    assert_sound(t);

    run = (struct job_run){.attempt = 1};
    assert_ok(dbkit_run(t, keep_house, &run));
    assert_int_equal(run.again_after_ms, 0); /* nothing was left */
}

/* ------------------------------------------- what the database does not let */

static void what_is_written_does_not_change(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    assert_ok(hold(t, 2, d.legs, 2, 0));
    static const char *const wrongs[] = {
        "update ledger_transfer set reason = 'REFUND'",
        "delete from ledger_transfer",
        "truncate ledger_transfer cascade",
        "update ledger_leg set amount_minor = 1",
        "delete from ledger_leg",
        "update ledger_account set currency = 'EUR'",
        "update ledger_account set is_hot = true, floor_minor = null",
        "delete from ledger_account",
        "delete from ledger_hold",
        "update ledger_hold set expires_at = now()",
        "update ledger_account set balance_minor = -1 where owner = 'ann'",
        "update ledger_account set held_minor = 101 where owner = 'ann'",
        "update ledger_account set held_minor = -1 where owner = 'ann'",
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++)
        if (!is_refused(t, wrongs[i]))
            fail_msg("done: %s", wrongs[i]);
    assert_ok(end_by(t, ledger_void, 3, 2, NULL, 0));
    assert_true(is_refused(t, "update ledger_hold set status = 'PENDING',"
                              " ended_by = null"));
    assert_sound(t);
}

/* A transfer that does not add up to zero, or that changes currency on the way,
 * has no row that could say it. */
static void a_leg_fits_its_accounts(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    (void)d;
    account_in(t, KIND(USER_AVAILABLE), "ann", "EUR");
#define INSERT                                                       \
    "insert into ledger_leg (transfer_id, leg_no, pending,"          \
    " debit_account_id, credit_account_id, currency, amount_minor) " \
    "select transfer_id, 2, false, d.account_id, c.account_id, d.currency, "
    static const char *const wrongs[] = {
        INSERT "5 from ledger_transfer, ledger_account d, ledger_account c"
               " where d.owner = 'bob' and c.currency = 'EUR'",
        INSERT "0 from ledger_transfer, ledger_account d, ledger_account c"
               " where d.owner = 'bob' and c.owner = 'ann'"
               " and c.currency = 'USD'",
        INSERT "1 from ledger_transfer, ledger_account d, ledger_account c"
               " where d.owner = 'bob' and c.owner = 'bob'",
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++)
        assert_true(is_refused(t, wrongs[i]));
    assert_sound(t);
}

/* Who gets past all that, with a superuser's means, is found. */
static void the_check_finds_what_was_tampered_with(void **state)
{
    struct dbkit *t = *state;
    struct deal d = deal(t);
    assert_ok(move(t, 2, d.ann, d.bob, 40));
    struct ledger_leg small = leg(d.ann, d.fee, 5);
    assert_ok(hold(t, 3, &small, 1, 0));
    assert_ok(end_by(t, ledger_reverse, 4, 2, NULL, 0));
    assert_sound(t);
    static const struct {
        const char *statement, *rule;
    } wrongs[] = {
        {"update ledger_account set balance_minor = balance_minor + 1"
         " where owner = 'bob'",
         "sum is zero"},
        {"update ledger_account set balance_minor = balance_minor"
         " + case owner when 'bob' then 1 else -1 end"
         " where owner in ('ann', 'bob')",
         "a balance is its replay"},
        {"alter table ledger_account drop constraint"
         " ledger_account_above_floor;"
         "update ledger_account set floor_minor = 1000 where owner = 'bob'",
         "no account is under its floor"},
        {"update ledger_account set held_minor = 6 where owner = 'ann'",
         "held is the sum of holds"},
        {"update ledger_hold set status = 'VOIDED', ended_by = transfer_id",
         "held is the sum of holds"},
        {"update ledger_leg set amount_minor = 41 where amount_minor = 40",
         "a transfer is what was asked for"},
        {"update ledger_leg set credit_account_id = debit_account_id,"
         " debit_account_id = credit_account_id where amount_minor = 40",
         "a transfer is what was asked for"},
        {"update ledger_transfer set booking_id = transfer_id"
         " where kind = 'TRANSFER'",
         "a transfer is what was asked for"},
        {"delete from ledger_leg where pending", "held is the sum of holds"},
        {"delete from ledger_hold", "held is the sum of holds"},
    };
    dbkit_sql(t, "set session_replication_role = replica");
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        dbkit_sql(t, "create table kept as table ledger_account;"
                     "create table kept_leg as table ledger_leg;"
                     "create table kept_hold as table ledger_hold;"
                     "create table kept_transfer as table ledger_transfer");
        dbkit_sql(t, wrongs[i].statement);
        assert_string_equal(broken_rule(t), wrongs[i].rule);
        dbkit_sql(t, "delete from ledger_account; delete from ledger_leg;"
                     "delete from ledger_hold; delete from ledger_transfer;"
                     "insert into ledger_transfer table kept_transfer;"
                     "insert into ledger_account table kept;"
                     "insert into ledger_leg overriding system value"
                     " table kept_leg;"
                     "insert into ledger_hold table kept_hold;"
                     "drop table kept, kept_leg, kept_hold, kept_transfer");
        assert_sound(t);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dbkit_setup, dbkit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(held_money_stays_and_cannot_be_spent),
        TEST(a_hold_is_posted_whole),
        TEST(what_is_not_posted_is_free_again),
        TEST(a_posting_stays_within_the_hold),
        TEST(a_hold_ends_once),
        TEST(a_hold_expires_at_its_time),
        TEST(housekeeping_ends_holds_and_adds_up),
        TEST(what_is_written_does_not_change),
        TEST(a_leg_fits_its_accounts),
        TEST(the_check_finds_what_was_tampered_with),
    };
    return cmocka_run_group_tests_name("ledger holds", tests, NULL, NULL);
}
