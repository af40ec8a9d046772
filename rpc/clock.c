#include "rpc/clock.h"

#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t wall_shift_us;

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
    return read_us(CLOCK_MONOTONIC);
}

void clock_shift_wall(int64_t offset_us)
{
    atomic_store(&wall_shift_us, offset_us);
}
