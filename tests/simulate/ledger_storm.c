/* usage: ledger_storm [SEED] [OPERATIONS] [MISTAKE]
 *
 * The ledger over a real PostgreSQL (PRBAL_TEST_DATABASE_URL's, or one of its
 * own): random operations compared with the model of it, then workers over the
 * same accounts while connections are killed, with every rule checked after
 * each batch.  Prints a line each; exits with 1 when something is broken, after
 * the few operations that break it.  MISTAKE (floors, ids, holds) plants one in
 * the model, to see that the difference is found. */
#include "tests/simulate/storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCHES = 8, KILLS_SHARE = 32 };

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct storm storm = {.seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1};
    uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 100000;
    storm.kit = dbkit_create(
        &(struct db_pool_options){.prepare = true, .leases_max = STORM_LANES});
    /* Two postings in one transaction deadlock now and then; PostgreSQL looks
     * after a second, which is long when it is all that one does. */
    dbkit_sql(storm.kit,
              "do $$ begin execute format('alter database %I set"
              " deadlock_timeout = ''20ms''', current_database()); end $$");
    dbkit_sql(storm.kit, "set session_replication_role = replica");
    printf("seed %" PRIu64 "\n", storm.seed);
    bool sound = storm_against_model(&storm, count, argc > 3 ? argv[3] : "");
    if (sound)
        sound = storm_with_kills(&storm, BATCHES,
                                 count / KILLS_SHARE / BATCHES + 1);
    dbkit_destroy(storm.kit);
    return sound ? 0 : 1;
}
