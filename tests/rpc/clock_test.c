#include "rpc/clock.h"
#include "rpc/limiter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND_US INT64_C(1000000)
#define HOUR_US (3600 * SECOND_US)

static int put_back(void **state)
{
    (void)state;
    clock_shift_wall(0);
    return 0;
}

static void the_wall_jumps_and_the_monotonic_clock_does_not(void **state)
{
    (void)state;
    int64_t wall_us = clock_wall_us(), monotonic_us = clock_monotonic_us();
    clock_shift_wall(-24 * HOUR_US);
    assert_true(clock_wall_us() < wall_us - 23 * HOUR_US);
    assert_true(clock_monotonic_us() >= monotonic_us);
    assert_true(clock_monotonic_us() < monotonic_us + HOUR_US);
}

static void the_rising_clock_follows_ahead_and_never_back(void **state)
{
    static const int64_t shifts[] = {0, HOUR_US, 0, -HOUR_US, 2 * HOUR_US, 0};
    (void)state;
    int64_t last_us = 0;
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        clock_shift_wall(shifts[i]);
        int64_t now_us = clock_rising_us();
        assert_true(now_us >= last_us);
        assert_true(now_us >= clock_wall_us() - SECOND_US);
        last_us = now_us;
    }
    assert_true(last_us - clock_wall_us() > HOUR_US);
}

/* Last: it stays ahead, as what cannot go back has to. */
static void time_passes_without_sleeping(void **state)
{
    (void)state;
    struct rpc_limiter *limiter = limiter_create();
    assert_true(
        limiter_take(limiter, 1, 60, 60 * SECOND_US, 1, clock_monotonic_us())
            .is_allowed);
    assert_false(
        limiter_take(limiter, 1, 60, 60 * SECOND_US, 1, clock_monotonic_us())
            .is_allowed);
    clock_shift_monotonic(2 * SECOND_US);
    assert_true(
        limiter_take(limiter, 1, 60, 60 * SECOND_US, 1, clock_monotonic_us())
            .is_allowed);
    limiter_destroy(limiter);
}

#define CLOCK(f) cmocka_unit_test_teardown(f, put_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLOCK(the_wall_jumps_and_the_monotonic_clock_does_not),
        CLOCK(the_rising_clock_follows_ahead_and_never_back),
        CLOCK(time_passes_without_sleeping),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
