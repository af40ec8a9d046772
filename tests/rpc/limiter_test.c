#include "rpc/limiter.h"

#include "rpc/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MINUTE_US = 60 * 1000000 };

static int setup(void **state)
{
    *state = limiter_create();
    return 0;
}

static int teardown(void **state)
{
    limiter_destroy(*state);
    return 0;
}

static void a_burst_passes_and_the_rest_waits_its_turn(void **state)
{
    struct rpc_limiter *limiter = *state;
    int64_t now_us = 1000000000;
    for (uint32_t i = 0; i < 5; i++) {
        limiter_answer a = limiter_take(limiter, 77, 60, MINUTE_US, 5, now_us);
        assert_true(a.is_allowed);
        assert_int_equal(a.remaining, 4 - i);
    }
    limiter_answer refused =
        limiter_take(limiter, 77, 60, MINUTE_US, 5, now_us);
    assert_false(refused.is_allowed);
    assert_int_equal(refused.retry_ms, 1000);

    /* Refusals cost nothing: the second one says the same. */
    refused = limiter_take(limiter, 77, 60, MINUTE_US, 5, now_us);
    assert_int_equal(refused.retry_ms, 1000);

    now_us += 999999;
    assert_false(
        limiter_take(limiter, 77, 60, MINUTE_US, 5, now_us).is_allowed);
    now_us += 1;
    assert_true(limiter_take(limiter, 77, 60, MINUTE_US, 5, now_us).is_allowed);
}

static void an_idle_bucket_never_holds_more_than_its_burst(void **state)
{
    struct rpc_limiter *limiter = *state;
    int64_t now_us = 1;
    assert_true(limiter_take(limiter, 7, 60, MINUTE_US, 2, now_us).is_allowed);
    now_us += (int64_t)1000 * MINUTE_US;
    limiter_answer a = limiter_take(limiter, 7, 60, MINUTE_US, 2, now_us);
    assert_int_equal(a.remaining, 1);
    assert_true(limiter_take(limiter, 7, 60, MINUTE_US, 2, now_us).is_allowed);
    assert_false(limiter_take(limiter, 7, 60, MINUTE_US, 2, now_us).is_allowed);
}

static void keys_have_buckets_of_their_own(void **state)
{
    struct rpc_limiter *limiter = *state;
    assert_true(limiter_take(limiter, 1, 1, MINUTE_US, 1, 5).is_allowed);
    assert_false(limiter_take(limiter, 1, 1, MINUTE_US, 1, 5).is_allowed);
    assert_true(limiter_take(limiter, 2, 1, MINUTE_US, 1, 5).is_allowed);
}

/* A million strangers with one call each must not wash out someone who is at
 * his limit: the fullest bucket is forgotten first. */
static void a_flood_of_new_keys_does_not_empty_a_spent_bucket(void **state)
{
    struct rpc_limiter *limiter = *state;
    int64_t now_us = 1000;
    for (int i = 0; i < 100; i++)
        limiter_take(limiter, 42, 100, MINUTE_US, 100, now_us);
    for (int i = 0; i < 1000000; i++)
        limiter_take(limiter, hash_random(), 100, MINUTE_US, 100, now_us);
    assert_false(
        limiter_take(limiter, 42, 100, MINUTE_US, 100, now_us).is_allowed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_burst_passes_and_the_rest_waits_its_turn),
        CASE(an_idle_bucket_never_holds_more_than_its_burst),
        CASE(keys_have_buckets_of_their_own),
        CASE(a_flood_of_new_keys_does_not_empty_a_spent_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
