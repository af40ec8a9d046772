/* The payment's tables against the requirements, spelled out once more, and
 * what amounts allow. */
#include "services/payments/payment_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define P(name) PAYMENT_STATE_##name
#define G(name) PROTECTION_STATE_##name
#define O(name) OPERATION_STATE_##name

enum {
    PAYER = PAYMENT_BY_PAYER,
    PROVIDER = PAYMENT_BY_PROVIDER,
    ADMIN = PAYMENT_BY_ADMIN,
    SYSTEM = PAYMENT_BY_SYSTEM,
    BACK = PROVIDER | ADMIN | SYSTEM,
};

static void a_payment_moves_only_along_the_table(void **state)
{
    (void)state;
    static const unsigned want[8][8] = {
        [P(PENDING)] = {[P(PROCESSING)] = SYSTEM,
                        [P(COMPLETED)] = SYSTEM,
                        [P(FAILED)] = SYSTEM,
                        [P(CANCELLED)] = PAYER | SYSTEM},
        [P(PROCESSING)] = {[P(COMPLETED)] = SYSTEM, [P(FAILED)] = SYSTEM},
        [P(COMPLETED)] = {[P(PARTIALLY_REFUNDED)] = BACK, [P(REFUNDED)] = BACK},
        [P(PARTIALLY_REFUNDED)] = {[P(REFUNDED)] = BACK},
    };
    for (PaymentState from = P(PENDING); from <= P(REFUNDED); from++)
        for (PaymentState to = P(PENDING); to <= P(REFUNDED); to++)
            for (unsigned by = PAYER; by <= SYSTEM; by <<= 1)
                assert_int_equal(payment_can_move(from, to, (payment_actor)by),
                                 (want[from][to] & by) != 0);
}

static void protection_moves_only_along_the_table(void **state)
{
    (void)state;
    static const unsigned want[6][6] = {
        [G(NONE)] = {[G(HELD)] = SYSTEM},
        [G(HELD)] = {[G(RELEASED)] = PAYER | ADMIN | SYSTEM,
                     [G(RETURNED)] = BACK,
                     [G(FROZEN)] = SYSTEM},
        [G(FROZEN)] = {[G(HELD)] = ADMIN | SYSTEM},
    };
    for (ProtectionState from = G(NONE); from <= G(FROZEN); from++)
        for (ProtectionState to = G(NONE); to <= G(FROZEN); to++)
            for (unsigned by = PAYER; by <= SYSTEM; by <<= 1)
                assert_int_equal(
                    protection_can_move(from, to, (payment_actor)by),
                    (want[from][to] & by) != 0);
}

static void the_first_word_of_a_gateway_counts(void **state)
{
    (void)state;
    for (OperationState from = O(CREATED); from <= O(FAILED); from++)
        for (OperationState to = O(CREATED); to <= O(FAILED); to++) {
            bool open = from == O(CREATED) || from == O(UNKNOWN);
            assert_int_equal(operation_can_move(from, to),
                             (open && operation_is_final(to)) ||
                                 (from == O(CREATED) && to == O(UNKNOWN)));
        }
}

static struct payment captured(int64_t amount, bool protect)
{
    struct payment p = {
        .state = P(PENDING), .protection = G(NONE), .amount = amount};
    assert_true(payment_ask(&p));
    assert_true(payment_capture(&p, protect));
    return p;
}

static void money_is_asked_for_once_at_a_time(void **state)
{
    (void)state;
    struct payment p = {
        .state = P(PENDING), .protection = G(NONE), .amount = 100};
    assert_false(payment_capture(&p, true)); /* nobody asked */
    assert_true(payment_ask(&p));
    assert_false(payment_ask(&p));
    assert_false(payment_cancel(&p, PAYMENT_BY_PAYER)); /* may be taken */
    assert_true(payment_capture(&p, true));
    assert_false(payment_capture(&p, true));
    assert_false(payment_fail(&p));
    assert_int_equal(p.captured, 100);
    assert_int_equal(payment_held(&p), 100);
}

static void refunds_are_at_most_what_was_captured(void **state)
{
    (void)state;
    struct payment p = captured(120, false);
    assert_false(payment_start_refund(&p, 121, PAYMENT_BY_ADMIN));
    assert_false(payment_start_refund(&p, 1, PAYMENT_BY_PAYER));
    assert_true(payment_start_refund(&p, 100, PAYMENT_BY_PROVIDER));
    /* one on its way counts */
    assert_false(payment_start_refund(&p, 21, PAYMENT_BY_PROVIDER));
    assert_true(payment_start_refund(&p, 20, PAYMENT_BY_PROVIDER));
    assert_true(payment_end_refund(&p, 100, true));
    assert_int_equal(p.state, P(PARTIALLY_REFUNDED));
    assert_true(payment_end_refund(&p, 20, false));
    assert_false(payment_end_refund(&p, 20, true));
    assert_true(payment_start_refund(&p, 20, PAYMENT_BY_SYSTEM));
    assert_true(payment_end_refund(&p, 20, true));
    assert_int_equal(p.state, P(REFUNDED));
    assert_false(payment_start_refund(&p, 1, PAYMENT_BY_ADMIN));
}

static void what_is_held_is_released_once(void **state)
{
    (void)state;
    struct payment p = captured(100, true);
    assert_true(payment_start_refund(&p, 30, PAYMENT_BY_ADMIN));
    assert_false(payment_release(&p, PAYMENT_BY_SYSTEM)); /* on its way */
    assert_true(payment_end_refund(&p, 30, true));
    assert_false(payment_release(&p, PAYMENT_BY_PROVIDER));
    assert_true(payment_release(&p, PAYMENT_BY_PAYER));
    assert_int_equal(p.released, 70);
    assert_false(payment_release(&p, PAYMENT_BY_SYSTEM));
    assert_int_equal(payment_held(&p), 0);
}

static void a_dispute_freezes_the_money(void **state)
{
    (void)state;
    struct payment p = captured(100, true);
    assert_true(payment_freeze(&p));
    assert_false(payment_freeze(&p));
    assert_false(payment_release(&p, PAYMENT_BY_ADMIN));
    assert_false(payment_start_refund(&p, 1, PAYMENT_BY_ADMIN));
    assert_false(payment_thaw(&p, PAYMENT_BY_PAYER));
    assert_true(payment_thaw(&p, PAYMENT_BY_ADMIN));
    assert_true(payment_start_refund(&p, 100, PAYMENT_BY_ADMIN));
    assert_true(payment_end_refund(&p, 100, true));
    assert_int_equal(p.protection, G(RETURNED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payment_moves_only_along_the_table),
        cmocka_unit_test(protection_moves_only_along_the_table),
        cmocka_unit_test(the_first_word_of_a_gateway_counts),
        cmocka_unit_test(money_is_asked_for_once_at_a_time),
        cmocka_unit_test(refunds_are_at_most_what_was_captured),
        cmocka_unit_test(what_is_held_is_released_once),
        cmocka_unit_test(a_dispute_freezes_the_money),
    };
    return cmocka_run_group_tests_name("payment states", tests, NULL, NULL);
}
