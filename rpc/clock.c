#include "rpc/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t wall_shift_us, monotonic_shift_us;
/* The most that the wall was ever ahead of the monotonic clock. */
static _Atomic int64_t rise_us = INT64_MIN;

static int64_t read_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME) +
           atomic_load_explicit(&wall_shift_us, memory_order_relaxed);
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC) +
           atomic_load_explicit(&monotonic_shift_us, memory_order_relaxed);
}

int64_t clock_rising_us(void)
{
    int64_t monotonic_us = clock_monotonic_us();
    int64_t ahead_us = clock_wall_us() - monotonic_us;
    int64_t most_us = atomic_load_explicit(&rise_us, memory_order_relaxed);
    while (ahead_us > most_us &&
           !atomic_compare_exchange_weak_explicit(&rise_us, &most_us, ahead_us,
                                                  memory_order_relaxed,
                                                  memory_order_relaxed))
        continue;
    return monotonic_us + (ahead_us > most_us ? ahead_us : most_us);
}

void clock_shift_wall(int64_t offset_us)
{
    atomic_store(&wall_shift_us, offset_us);
}

void clock_shift_monotonic(int64_t offset_us)
{
    atomic_store(&monotonic_shift_us, offset_us);
}
