#ifndef PRBAL_TESTS_SIMULATE_RUN_H
#define PRBAL_TESTS_SIMULATE_RUN_H

#include "tests/simulate/world.h"

/* A run of the simulator: as many steps as asked for, or until something is
 * broken. */
struct run {
    uint64_t hash;      /* of the world at the end */
    uint64_t steps;     /* taken */
    uint64_t moves;     /* that changed something */
    uint64_t transfers; /* that the ledger was asked for */
    const char *broken; /* NULL: every invariant held after every step */
    /* The steps that break it, when they were made shorter. */
    uint64_t *trace;
    size_t trace_count;
};

/* The i-th choice of a seed. */
uint64_t run_choice(uint64_t seed, uint64_t i);

struct run run_seed(const struct rules *rules, uint64_t seed, uint64_t steps);

/* Looks for the few steps that break the same thing; run_seed() has found one.
 * Delta debugging: halves, quarters and so on are left out for as long as it
 * breaks. */
void run_shrink(const struct rules *rules, uint64_t seed, struct run *run);

/* Plays a trace, printing each step that changed something. */
void run_print(const struct rules *rules, const struct run *run);

void run_finish(struct run *run);

/* Mistakes that can be planted, to see that they are found. */
struct mistake {
    const char *name;
    void (*plant)(struct rules *rules, struct model *ledger);
};
extern const struct mistake mistakes[]; /* to name == NULL */

/* NULL plants nothing; for all runs from now on. */
void run_plant(const struct mistake *mistake);

#endif
