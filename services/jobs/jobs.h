#ifndef PRBAL_SERVICES_JOBS_JOBS_H
#define PRBAL_SERVICES_JOBS_JOBS_H

#include "db/db.h"
#include "services/jobs/kinds.h"

/* Work that is done after the call that asks for it.
 *
 * A job belongs to the fact that makes it necessary: it is written by the same
 * transaction, and exists exactly when that has committed.  A process of the
 * cluster then takes it, under a lease that it has to renew, and runs the
 * handler of its kind (services/jobs/kinds.def):
 *
 *   job_enqueue --> QUEUED ---> RUNNING ---> gone to job_ended: SUCCEEDED,
 *                     ^            |                            DEAD, CANCELLED
 *                     +------------+ failed, snoozed, given back, rescued
 *
 * What a handler does in the database happens exactly once, because the job
 * ends in the same transaction.  What it does outside happens at least once:
 * a process may die between the act and its record. */
struct job {
    job_type kind;
    /* Of the kind's own type; NULL when it takes none.  Encoded at once. */
    const ProtobufCMessage *arguments;
    /* NULL, or a text of at most 200 bytes: while a job of this kind and key
     * waits or runs, another one is dropped. */
    const char *unique_key;
    int64_t run_at_us; /* wall clock, not before; 0 = at once */
};

enum { JOBS_PER_TRANSACTION_MAX = 10000 };

/* Puts the job into the queue when `tx` commits; returns its id, which is the
 * same in every attempt to run it, in the call's arena.  `tx` must be a
 * transaction.  Does not suspend: one statement before the commit writes all
 * jobs of the transaction, and may fail it. */
const char *job_enqueue(struct db *tx, const struct job *job);

/* Lets the workers of all processes look when `tx` has committed, because it
 * made a job due by other means.  job_enqueue() does so by itself. */
void job_wake_at_commit(struct db *tx);

/* What a handler gets, and may answer besides its status. */
struct job_run {
    const char *job_id;
    int attempt; /* the first is 1 */
    int attempts_max;
    const void *arguments; /* the kind's message; NULL when it takes none */
    /* The handler sets it to run again so much later, with the same arguments,
     * if it succeeds: there is more to do, or it is too early.  That counts as
     * no attempt.  0 = done. */
    int64_t again_after_ms;
};

#endif
