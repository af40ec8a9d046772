#ifndef PRBAL_RPC_ADMISSION_H
#define PRBAL_RPC_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

/* How many calls of one method may run at once on one loop, found out while
 * they run.  A service with a bottleneck (its database, its processor, a lock)
 * answers no more calls when more are let in: they only wait longer, until all
 * of them come too late.  So the time that calls take is watched:
 *
 *   - calls that begin while few run tell what the method costs in quiet times;
 *   - a call is slow when it took twice that and `delay_us` more, or takes as
 *     long already;
 *   - ten times a second: when most calls were slow, fewer may run at once (a
 *     fifth to a half less, by how many are answered in that time); when they
 *     were not and the limit was reached, more may.
 *
 * There is no limit until calls become slow, and never one below
 * ADMISSION_FLOOR: what gets in at the floor finds no queue of this method's
 * own making, so a method that has become slower for good is learned anew.
 *
 * A struct of zeros is a method that was never called.  One thread's own. */
enum {
    ADMISSION_FLOOR = 4,
    ADMISSION_TICK_US = 100 * 1000,
    ADMISSION_SAMPLES_MIN = 8, /* a tick with fewer goes on */
};

struct admission {
    uint32_t running;
    uint32_t peak;  /* of running, in this tick */
    double limit;   /* 0 = none */
    double cost_us; /* in quiet times; 0 = not known yet */
    uint32_t samples, slow, answered;
    int64_t tick_us;    /* when this one began */
    int64_t watched_us; /* when a call began that still runs; 0 = none */
};

static inline bool admission_has_room(const struct admission *a)
{
    return a->limit == 0 || a->running < (uint32_t)a->limit;
}

/* Begins a call; true when it does so in quiet. */
bool admission_begin(struct admission *a, int64_t delay_us, int64_t now_us);

typedef enum {
    ADMISSION_ANSWERED, /* well, or too late: it tells how long calls take */
    ADMISSION_OTHER,    /* refused early or given up: tells only when slow */
} admission_outcome;

/* Ends it.  `was_quiet` as admission_begin() said; `took_us` since then. */
void admission_end(struct admission *a, bool was_quiet,
                   admission_outcome outcome, int64_t took_us, int64_t delay_us,
                   int64_t now_us);

#endif
