#ifndef PRBAL_DB_LANE_H
#define PRBAL_DB_LANE_H

#include "db/link.h"

/* One link that the statements of many calls share, each without a transaction
 * of its own.
 *
 *   read lane    s s s s SYNC           one sync per pass of the loop:
 * strangers share an implicit transaction write lane   s SYNC s SYNC s SYNC
 * each its own transaction
 *
 * In a read lane an error skips what is behind it in the batch; each of those
 * is sent again, `alone`.
 *
 * A statement that takes long would hold up those behind it.  So the server
 * gives lanes little patience (LANE_STATEMENT_MS, LANE_LOCK_MS), and whoever
 * runs into that runs once more on a leased link, with all of it. */
struct lane {
    struct db_pool *pool;
    struct link *link;
    bool shares;     /* a read lane */
    const char *url; /* where it leads; NULL = to the primary */
    /* Come up; a statement of its link is done, in place of
     * statement_finish().  May be NULL. */
    void (*up)(struct lane *lane);
    void (*finished)(struct lane *lane, struct statement *s,
                     statement_outcome outcome);
    struct statement_list queue;
};

enum {
    LANE_IN_FLIGHT_MAX = 1024,
    /* Of them, on their way at once: enough to keep PostgreSQL busy.  Those
     * that still wait here cost it nothing when their callers give up. */
    LANE_SENT_MAX = 64,
    LANE_BATCH_MAX = 16, /* answers come with the sync behind them */
    LANE_STATEMENT_MS = 1000,
    LANE_LOCK_MS = 100,
};

/* What is filled in stays: shares, url, up, finished. */
void lane_init(struct lane *lane, struct db_pool *pool);
void lane_finish(struct lane *lane);

/* Suspends until the statement is done.  After RPC_OK it is the caller's to
 * read and destroy; else it is gone.  RESOURCE_EXHAUSTED when the lane is full,
 * UNAVAILABLE at once while PostgreSQL is known to be down. */
rpc_status lane_run(struct lane *lane, struct statement *statement);

/* Sends what was queued, as far as there is room; the pool's flush hook calls
 * it once per pass. */
void lane_flush(struct lane *lane);

#endif
