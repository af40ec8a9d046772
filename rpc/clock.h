#ifndef PRBAL_RPC_CLOCK_H
#define PRBAL_RPC_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds since 1970, and since some fixed point that never jumps. */
int64_t clock_wall_us(void);
int64_t clock_monotonic_us(void);

/* Whether `limit_ms` have passed. */
static inline bool clock_is_overdue(int64_t since_us, uint32_t limit_ms,
                                    int64_t now_us)
{
    return now_us - since_us >= (int64_t)limit_ms * 1000;
}

/* For tests: added to what clock_wall_us() tells from now on. */
void clock_shift_wall(int64_t offset_us);

#endif
