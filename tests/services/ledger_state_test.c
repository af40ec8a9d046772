/* The tables of states and kinds, against the requirements spelled out once
 * more, and against what the database takes. */
#include "services/bids/bid_state.h"
#include "services/bookings/booking_state.h"
#include "services/ledger/ledger_state.h"
#include "tests/services/ledgerkit.h"

#define H(name) LEDGER_HOLD_STATUS_##name
#define K(name) LEDGER_KIND_##name

static void a_hold_moves_only_along_the_table(void **state)
{
    (void)state;
    for (LedgerHoldStatus from = H(PENDING); from <= H(EXPIRED); from++)
        for (LedgerKind by = K(TRANSFER); by <= K(REVERSAL); by++) {
            bool pending = from == H(PENDING);
            assert_int_equal(ledger_hold_can_end(from, by, false),
                             pending && (by == K(POST) || by == K(VOID)));
            assert_int_equal(ledger_hold_can_end(from, by, true),
                             pending && by == K(EXPIRE));
        }
    assert_int_equal(ledger_hold_end_of(K(POST)), H(POSTED));
    assert_int_equal(ledger_hold_end_of(K(VOID)), H(VOIDED));
    assert_int_equal(ledger_hold_end_of(K(EXPIRE)), H(EXPIRED));
    assert_int_equal(ledger_hold_end_of(K(TRANSFER)), H(UNSPECIFIED));
}

static void only_what_moved_money_is_reversible(void **state)
{
    (void)state;
    for (LedgerKind kind = K(TRANSFER); kind <= K(REVERSAL); kind++)
        assert_int_equal(ledger_is_reversible(kind),
                         kind == K(TRANSFER) || kind == K(POST));
}

static void users_cannot_overspend_and_the_platform_does_not_queue(void **state)
{
    (void)state;
    int count = 0;
    for (const struct ledger_account_rule *r = ledger_account_rules;
         r->kind != LEDGER_ACCOUNT_KIND_UNSPECIFIED; r++, count++) {
        bool is_users = r->kind <= LEDGER_ACCOUNT_KIND_USER_DEBT;
        assert_int_equal(r->is_hot, !is_users);
        assert_int_equal(r->has_floor,
                         r->kind == LEDGER_ACCOUNT_KIND_USER_AVAILABLE ||
                             r->kind == LEDGER_ACCOUNT_KIND_USER_HELD);
    }
    assert_int_equal(count, LEDGER_ACCOUNT_KIND_DESCRIPTOR->n_values - 1);
}

/* "CANCELLED PENDING ...", sorted: the words of a check constraint. */
static char *taken_by(struct dbkit *t, const char *constraint)
{
    char sql[512];
    snprintf(sql, sizeof sql,
             "select string_agg(distinct w[1], ' ' order by w[1])"
             "  from pg_constraint, regexp_matches(pg_get_constraintdef(oid),"
             "       '''([A-Z_]+)''', 'g') w"
             " where conname = '%s'",
             constraint);
    PGresult *r = PQexec(t->pg, sql);
    assert_int_equal(PQntuples(r), 1);
    char *words = arena_strdup(t->arena, PQgetvalue(r, 0, 0));
    PQclear(r);
    return words;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The same of an enum, without its prefix and UNSPECIFIED. */
static char *words_of(struct dbkit *t, const ProtobufCEnumDescriptor *type,
                      const char *prefix)
{
    const char *names[64];
    size_t count = 0;
    for (unsigned i = 0; i < type->n_values; i++)
        if (type->values[i].value != 0)
            names[count++] = type->values[i].name + strlen(prefix);
    qsort(names, count, sizeof names[0], by_text);
    char *all = arena_strdup(t->arena, "");
    for (size_t i = 0; i < count; i++)
        all =
            arena_printf(t->arena, "%s%s%s", all, i == 0 ? "" : " ", names[i]);
    return all;
}

static void the_database_takes_the_same_words(void **state)
{
    struct dbkit *t = *state;
    const struct {
        const char *constraint;
        const ProtobufCEnumDescriptor *type;
        const char *prefix;
    } pairs[] = {
        {"bid_status_is_known", BID_STATUS_DESCRIPTOR, "BID_STATUS_"},
        {"booking_status_is_known", BOOKING_STATUS_DESCRIPTOR,
         "BOOKING_STATUS_"},
        {"booking_payment_is_known", PAYMENT_STATUS_DESCRIPTOR,
         "PAYMENT_STATUS_"},
        {"ledger_account_kind_is_known", LEDGER_ACCOUNT_KIND_DESCRIPTOR,
         "LEDGER_ACCOUNT_KIND_"},
        {"ledger_transfer_kind_is_known", LEDGER_KIND_DESCRIPTOR,
         "LEDGER_KIND_"},
        {"ledger_transfer_reason_is_known", LEDGER_REASON_DESCRIPTOR,
         "LEDGER_REASON_"},
        {"ledger_hold_status_is_known", LEDGER_HOLD_STATUS_DESCRIPTOR,
         "LEDGER_HOLD_STATUS_"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_string_equal(taken_by(t, pairs[i].constraint),
                            words_of(t, pairs[i].type, pairs[i].prefix));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hold_moves_only_along_the_table),
        cmocka_unit_test(only_what_moved_money_is_reversible),
        cmocka_unit_test(
            users_cannot_overspend_and_the_platform_does_not_queue),
        cmocka_unit_test_setup_teardown(the_database_takes_the_same_words,
                                        dbkit_setup, dbkit_teardown),
    };
    return cmocka_run_group_tests_name("ledger states", tests, NULL, NULL);
}
