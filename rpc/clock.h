#ifndef PRBAL_RPC_CLOCK_H
#define PRBAL_RPC_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* The clocks of the process; nothing else asks the system's.
 *
 *   wall        what people call now; it jumps when somebody sets it
 *   monotonic   for how long something takes or may take; it never jumps
 *   rising      as wall, but never goes back: after a jump ahead and back it
 *               stays ahead until the process ends.  For numbers whose order
 *               is their age, never for what is compared with another clock
 *
 * Microseconds since 1970, since some fixed point, and since 1970. */
int64_t clock_wall_us(void);
int64_t clock_monotonic_us(void);
int64_t clock_rising_us(void);

/* Whether `limit_ms` have passed. */
static inline bool clock_is_overdue(int64_t since_us, uint32_t limit_ms,
                                    int64_t now_us)
{
    return now_us - since_us >= (int64_t)limit_ms * 1000;
}

/* For tests: added to what the wall, or the monotonic clock tells from now on.
 * The latter never goes back, and timers that are due by it run at once. */
void clock_shift_wall(int64_t offset_us);
void clock_shift_monotonic(int64_t offset_us);

#endif
