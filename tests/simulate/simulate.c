/* usage: simulate [SEED] [STEPS] [MISTAKE]
 *
 * Plays bids, bookings, payments and the ledger together, with crashes and a
 * gateway that loses and repeats what it says, and looks at every invariant
 * after each step.  The same seed makes the same end.  Prints one line; when
 * something is broken, also the few steps that break it, and exits with 1.
 * MISTAKE plants one, to see that it is found; "?" lists them. */
#include "tests/simulate/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct mistake *find(const char *name)
{
    for (const struct mistake *m = mistakes; m->name != NULL; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    for (const struct mistake *m = mistakes; m->name != NULL; m++)
        fprintf(stderr, "%s\n", m->name);
    exit(2);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t steps = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    if (argc > 3)
        run_plant(find(argv[3]));
    struct run run = run_seed(&sound_rules, seed, steps);
    printf("seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64 " moves, %" PRIu64
           " transfers, end %016" PRIx64 "%s%s\n",
           seed, run.steps, run.moves, run.transfers, run.hash,
           run.broken == NULL ? "" : "; BROKEN: ",
           run.broken == NULL ? "" : run.broken);
    if (run.broken == NULL)
        return 0;
    run_shrink(&sound_rules, seed, &run);
    printf("%zu steps are enough:\n", run.trace_count);
    run_print(&sound_rules, &run);
    run_finish(&run);
    return 1;
}
