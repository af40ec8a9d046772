#ifndef PRBAL_DB_LEASE_H
#define PRBAL_DB_LEASE_H

#include "db/link.h"

/* A link that one call has for itself, for a transaction or for a statement
 * that takes long.
 *
 *   closed -> opening -> free <-> taken
 *                          ^        |
 *                          +-- given back: cancels, drains, rolls back
 *
 * A link given back in the middle of a statement is cancelled at the server,
 * waited for and rolled back before anyone gets it again. */
struct lease;
struct db_pool;

struct leases {
    struct lease *all; /* options.leases_max of them */
    int count;
    struct lease_waiter *first, **last;
    int waiting;
};

void leases_init(struct leases *leases, struct db_pool *pool, int count);
void leases_finish(struct leases *leases);
int leases_used(const struct leases *leases);
int leases_up(const struct leases *leases);

/* Suspends until there is one.  RESOURCE_EXHAUSTED when too many calls wait
 * already, UNAVAILABLE when PostgreSQL cannot be reached. */
rpc_status lease_take(struct db_pool *pool, struct rpc_call *call,
                      struct lease **lease);

/* Does not suspend. */
void lease_give(struct lease *lease);

/* Suspends until the statement is done.  After RPC_OK it is the caller's to
 * read and destroy (UNSENT when the link has been lost).  Else the call has
 * ended: the statement is gone and being cancelled at the server, and all that
 * is left to do is to give the lease back. */
rpc_status lease_run(struct lease *lease, struct statement *statement);

/* The same, whether the call ends or not: for what cannot be taken back. */
void lease_run_always(struct lease *lease, struct statement *statement);

#endif
