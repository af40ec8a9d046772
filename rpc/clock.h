#ifndef PRBAL_RPC_CLOCK_H
#define PRBAL_RPC_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970, and since some fixed point that never jumps. */
int64_t clock_wall_us(void);
int64_t clock_monotonic_us(void);

/* For tests: added to what clock_wall_us() tells from now on. */
void clock_shift_wall(int64_t offset_us);

#endif
