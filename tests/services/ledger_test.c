/* The ledger over a real PostgreSQL: transfers and what they refuse. */
#include "rpc/clock.h"
#include "tests/services/ledgerkit.h"

#include <ctype.h>

#define KIND(name) LEDGER_ACCOUNT_KIND_##name

/* The gateway has taken money for somebody. */
static const char *funded(struct dbkit *t, const char *owner, int id,
                          int64_t amount_minor)
{
    const char *user = account(t, KIND(USER_AVAILABLE), owner);
    assert_ok(move(t, id, account(t, KIND(GATEWAY_CLEARING), "sandbox"), user,
                   amount_minor));
    return user;
}

static void money_moves_and_adds_up(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 10000);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");
    const char *fee = account(t, KIND(PLATFORM_FEE), "");
    struct ledger_leg legs[] = {leg(ann, bob, 4500), leg(ann, fee, 500)};

    assert_ok(transfer(t, 2, legs, 2));

    assert_int_equal(balance(t, ann), 5000);
    assert_int_equal(balance(t, bob), 4500);
    assert_int_equal(balance(t, fee), 500);
    assert_int_equal(balance(t, account(t, KIND(GATEWAY_CLEARING), "sandbox")),
                     -10000);
    assert_sound(t);
}

static void an_account_is_opened_once(void **state)
{
    struct dbkit *t = *state;
    const char *first = account(t, KIND(USER_HELD), "ann");
    assert_string_equal(account(t, KIND(USER_HELD), "ann"), first);
    assert_string_not_equal(account_in(t, KIND(USER_HELD), "ann", "EUR"),
                            first);
    assert_string_not_equal(account(t, KIND(USER_HELD), "bob"), first);
    struct open nowhere = {t, KIND(USER_HELD), "ann", "XYZ", NULL};
    REFUSED(dbkit_run(t, open_task, &nowhere), RPC_INVALID_ARGUMENT,
            "ISO 4217");
}

static void nobody_spends_what_is_not_there(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");

    REFUSED(move(t, 2, ann, bob, 101), RPC_FAILED_PRECONDITION,
            "not enough money");

    assert_int_equal(balance(t, ann), 100);
    assert_int_equal(balance(t, bob), 0);
    assert_ok(move(t, 2, ann, bob, 100)); /* the id is still good */
    assert_sound(t);
}

/* Only what an account is left with counts, not the order of the legs. */
static void legs_are_all_or_none(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");
    const char *eve = account(t, KIND(USER_AVAILABLE), "eve");
    struct ledger_leg chain[] = {leg(bob, eve, 60), leg(ann, bob, 60)};
    struct ledger_leg too_much[] = {leg(ann, bob, 30), leg(ann, eve, 11)};

    assert_ok(transfer(t, 2, chain, 2));
    assert_int_equal(balance(t, bob), 0);
    assert_int_equal(balance(t, eve), 60);

    REFUSED(transfer(t, 3, too_much, 2), RPC_FAILED_PRECONDITION,
            "not enough money");
    assert_int_equal(balance(t, ann), 40);
    assert_int_equal(balance(t, bob), 0);
}

/* The database would read the two as the same account. */
static void an_account_is_itself_in_capitals(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    char *capitals = arena_strdup(t->arena, ann);
    for (char *c = capitals; *c != '\0'; c++)
        *c = (char)toupper(*c);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");
    struct ledger_leg legs[] = {leg(ann, bob, 60), leg(capitals, bob, 41)};
    REFUSED(transfer(t, 2, legs, 2), RPC_FAILED_PRECONDITION,
            "not enough money");
    legs[1].amount_minor = 40;
    assert_ok(transfer(t, 2, legs, 2));
    assert_int_equal(balance(t, bob), 100);
    REFUSED(move(t, 3, bob, capitals, 0), RPC_INVALID_ARGUMENT, "counted");
    REFUSED(move(t, 3, ann, capitals, 1), RPC_INVALID_ARGUMENT, "to another");
    assert_sound(t);
}

static void a_repeated_transfer_moves_nothing(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");

    assert_ok(move(t, 2, ann, bob, 80));
    assert_ok(move(t, 2, ann, bob, 80)); /* though there is no money left */
    assert_int_equal(balance(t, ann), 20);

    REFUSED(move(t, 2, ann, bob, 81), RPC_ALREADY_EXISTS, "another transfer");
    REFUSED(move(t, 2, bob, ann, 80), RPC_ALREADY_EXISTS, "another transfer");
    struct ledger_leg two[] = {leg(ann, bob, 40), leg(ann, bob, 40)};
    REFUSED(transfer(t, 2, two, 2), RPC_ALREADY_EXISTS, "another transfer");
    struct ledger_leg same = leg(ann, bob, 80);
    REFUSED(hold(t, 2, &same, 1, 0), RPC_ALREADY_EXISTS, "another transfer");
    assert_int_equal(balance(t, ann), 20);
    assert_int_equal(dbkit_number(t, "select count(*) from ledger_transfer"),
                     2);
}

static void what_a_leg_cannot_be(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    const char *euro = account_in(t, KIND(USER_AVAILABLE), "ann", "EUR");
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");

    REFUSED(move(t, 2, ann, euro, 1), RPC_INVALID_ARGUMENT, "another currency");
    REFUSED(move(t, 2, ann, id_of(t, 99), 1), RPC_INVALID_ARGUMENT,
            "does not exist");
    REFUSED(move(t, 2, "ann", bob, 1), RPC_INVALID_ARGUMENT, "does not exist");
    REFUSED(move(t, 2, ann, ann, 1), RPC_INVALID_ARGUMENT, "to another");
    REFUSED(move(t, 2, ann, bob, 0), RPC_INVALID_ARGUMENT, "counted");
    REFUSED(move(t, 2, ann, bob, -5), RPC_INVALID_ARGUMENT, "counted");
    REFUSED(move(t, 2, ann, bob, INT64_MAX), RPC_INVALID_ARGUMENT, "counted");
    REFUSED(transfer(t, 2, NULL, 0), RPC_INVALID_ARGUMENT, "1 to 64");
    assert_int_equal(dbkit_number(t, "select count(*) from ledger_transfer"),
                     1);
}

static void currencies_are_ledgers_of_their_own(void **state)
{
    struct dbkit *t = *state;
    const char *dollars = funded(t, "ann", 1, 10000);
    const char *yen = account_in(t, KIND(USER_AVAILABLE), "ann", "JPY");
    struct ledger_leg legs[] = {
        leg(dollars, account(t, KIND(EXCHANGE), ""), 10000),
        leg(account_in(t, KIND(EXCHANGE), "", "JPY"), yen, 15000)};

    assert_ok(transfer(t, 2, legs, 2));

    assert_int_equal(balance(t, dollars), 0);
    assert_int_equal(balance(t, yen), 15000);
    assert_sound(t);
}

static void a_balance_that_cannot_be_counted_is_refused(void **state)
{
    struct dbkit *t = *state;
    const char *ann = account(t, KIND(USER_AVAILABLE), "ann");
    const char *clearing = account(t, KIND(GATEWAY_CLEARING), "sandbox");
    struct ledger_leg legs[LEDGER_LEGS_MAX];
    for (int i = 0; i < LEDGER_LEGS_MAX; i++)
        legs[i] = leg(clearing, ann, LEDGER_AMOUNT_MAX);

    int id = 0;
    rpc_status status = RPC_SUCCESS;
    while (status.code == RPC_OK && id < 200)
        status = transfer(t, ++id, legs, LEDGER_LEGS_MAX);

    REFUSED(status, RPC_INVALID_ARGUMENT, "greater than can be counted");
    assert_int_equal(id, 141); /* 140 * 64 * 10^15 is below 9 * 10^18 */
    assert_int_equal(balance(t, ann), 140 * 64 * LEDGER_AMOUNT_MAX);
    assert_sound(t);
}

static void a_transfer_is_reversed_once(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");
    const char *fee = account(t, KIND(PLATFORM_FEE), "");
    struct ledger_leg legs[] = {leg(ann, bob, 90), leg(ann, fee, 10)};
    assert_ok(transfer(t, 2, legs, 2));

    assert_ok(end_by(t, ledger_reverse, 3, 2, NULL, 0));
    assert_ok(end_by(t, ledger_reverse, 3, 2, NULL, 0)); /* the same one */
    REFUSED(end_by(t, ledger_reverse, 4, 2, NULL, 0), RPC_ALREADY_EXISTS,
            "reversed already");
    REFUSED(end_by(t, ledger_reverse, 4, 3, NULL, 0), RPC_FAILED_PRECONDITION,
            "only a posted transfer");
    REFUSED(end_by(t, ledger_reverse, 4, 77, NULL, 0), RPC_FAILED_PRECONDITION,
            "only a posted transfer");

    assert_int_equal(balance(t, ann), 100);
    assert_int_equal(balance(t, bob), 0);
    assert_int_equal(balance(t, fee), 0);
    assert_sound(t);
}

/* What was paid out by then cannot be taken back by itself. */
static void a_reversal_respects_floors(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");
    assert_ok(move(t, 2, ann, bob, 100));
    assert_ok(move(t, 3, bob, account(t, KIND(GATEWAY_PAYOUT), "sandbox"), 60));
    REFUSED(end_by(t, ledger_reverse, 4, 2, NULL, 0), RPC_FAILED_PRECONDITION,
            "not enough money");
    assert_int_equal(balance(t, bob), 40);
}

struct preview {
    struct dbkit *kit;
    struct ledger_transfer transfer;
    LedgerOutcome outcome;
    size_t count;
    int64_t least, sum;
};

static rpc_status preview_task(struct rpc_call *call, void *argument)
{
    struct preview *p = argument;
    LedgerPreviewRow **rows;
    TRY(ledger_preview(call->db, &p->transfer, &p->count, &rows));
    p->least = p->sum = 0;
    for (size_t i = 0; i < p->count; i++) {
        p->outcome = rows[i]->outcome;
        p->sum += rows[i]->balance_minor;
        if (rows[i]->balance_minor < p->least)
            p->least = rows[i]->balance_minor;
    }
    return RPC_SUCCESS;
}

static void a_preview_changes_nothing(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");
    struct ledger_leg legs[] = {
        leg(ann, bob, 90), leg(ann, account(t, KIND(PLATFORM_FEE), ""), 10)};
    struct preview p = {.kit = t, .transfer = {.legs = legs, .leg_count = 2}};

    assert_ok(dbkit_run(t, preview_task, &p));
    assert_int_equal(p.outcome, LEDGER_OUTCOME_POSTED);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.sum, 100);

    legs[0].amount_minor = 91;
    assert_ok(dbkit_run(t, preview_task, &p));
    assert_int_equal(p.outcome, LEDGER_OUTCOME_BELOW_FLOOR);
    assert_int_equal(p.least, -1);
    assert_int_equal(balance(t, ann), 100);
    assert_int_equal(dbkit_number(t, "select count(*) from ledger_transfer"),
                     1);
}

struct history {
    const char *account_id;
    int64_t before, at_us, balance_at;
    int64_t amounts[8], balances[8], ids[8];
    size_t count;
};

static rpc_status history_task(struct rpc_call *call, void *argument)
{
    struct history *h = argument;
    LedgerHistoryRow **rows;
    TRY(ledger_history(call->db, h->account_id, h->before, 3, &h->count,
                       &rows));
    for (size_t i = 0; i < h->count; i++) {
        h->ids[i] = rows[i]->leg_id;
        h->amounts[i] = rows[i]->amount_minor;
        h->balances[i] = rows[i]->balance_minor;
    }
    return ledger_balance_at(call->db, h->account_id, h->at_us, &h->balance_at);
}

static void history_tells_the_balance_after_each_leg(void **state)
{
    struct dbkit *t = *state;
    const char *fee = account(t, KIND(PLATFORM_FEE), "");
    const char *ann = funded(t, "ann", 1, 100);
    assert_ok(move(t, 2, ann, fee, 10));
    int64_t between_us = clock_wall_us();
    for (int i = 3; i < 6; i++)
        assert_ok(move(t, i, ann, fee, i));

    struct history h = {.account_id = ann, .at_us = between_us};
    assert_ok(dbkit_run(t, history_task, &h));
    assert_int_equal(h.count, 3);
    assert_int_equal(h.amounts[0], -5);
    assert_int_equal(h.balances[0], 78);
    assert_int_equal(h.balances[1], 83);
    assert_int_equal(h.balances[2], 87);
    assert_int_equal(h.balance_at, 90);

    h.before = h.ids[2];
    assert_ok(dbkit_run(t, history_task, &h));
    assert_int_equal(h.count, 2);
    assert_int_equal(h.balances[0], 90);
    assert_int_equal(h.balances[1], 100);

    h = (struct history){.account_id = fee, .at_us = between_us};
    assert_ok(dbkit_run(t, history_task, &h));
    assert_int_equal(h.balances[0], 22);
    assert_int_equal(h.balance_at, 10);
}

static rpc_status refuse_then_post(struct rpc_call *call, void *argument)
{
    const struct ledger_leg *legs = argument;
    struct ledger_transfer transfer = {
        .transfer_id = "00000000-0000-7000-8000-000000000009",
        .reason = LEDGER_REASON_CHARGE,
        .legs = &legs[0],
        .leg_count = 1};
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    if (ledger_post(tx, &transfer).code != RPC_FAILED_PRECONDITION)
        return rpc_fail(call, RPC_INTERNAL, "not refused");
    transfer.legs = &legs[1];
    TRY(ledger_post(tx, &transfer));
    TRY(ledger_post(tx, &transfer)); /* its own row, seen again */
    return db_commit(tx);
}

static void a_refusal_leaves_the_transaction_usable(void **state)
{
    struct dbkit *t = *state;
    const char *ann = funded(t, "ann", 1, 100);
    const char *bob = account(t, KIND(USER_AVAILABLE), "bob");
    struct ledger_leg legs[] = {leg(ann, bob, 101), leg(ann, bob, 7)};
    assert_ok(dbkit_run(t, refuse_then_post, legs));
    assert_int_equal(balance(t, bob), 7);
    assert_sound(t);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, dbkit_setup, dbkit_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(money_moves_and_adds_up),
        TEST(an_account_is_opened_once),
        TEST(nobody_spends_what_is_not_there),
        TEST(legs_are_all_or_none),
        TEST(an_account_is_itself_in_capitals),
        TEST(a_repeated_transfer_moves_nothing),
        TEST(what_a_leg_cannot_be),
        TEST(currencies_are_ledgers_of_their_own),
        TEST(a_balance_that_cannot_be_counted_is_refused),
        TEST(a_transfer_is_reversed_once),
        TEST(a_reversal_respects_floors),
        TEST(a_preview_changes_nothing),
        TEST(history_tells_the_balance_after_each_leg),
        TEST(a_refusal_leaves_the_transaction_usable),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
