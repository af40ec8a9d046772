#ifndef PRBAL_SERVICES_JOBS_WORKER_H
#define PRBAL_SERVICES_JOBS_WORKER_H

#include "rpc/server.h"

/* The worker of a process: it lives on the server's first loop, takes jobs out
 * of the queue in batches, and hands them to all loops.
 *
 * It looks when somebody wakes it (a commit in this process, or a hint of
 * another one), when the next job is due, and once a second.  While it lives it
 * renews its lease on everything that it has taken (the setting job_lease);
 * whoever finds a lease run out takes the jobs over.  A worker that was only
 * stopped for a while finds its runs fenced: their transactions roll back. */

/* What wakes it, through services/events/wake.h. */
#define JOBS_WAKE_NAME "jobs"

/* Before the server starts.  Repeating it changes nothing. */
void jobs_register(void);

/* On each loop, between the server's loop_start and loop_stop hooks. */
void jobs_start(struct rpc_server *server, struct loop *loop);
void jobs_stop(struct loop *loop);

/* The server's busy hook: takes no more jobs from the first call on, lets those
 * that run end, and gives back what has not when the drain time is nearly over.
 */
bool jobs_are_busy(struct rpc_server *server, struct loop *loop);

struct jobs_stats {
    int running;
    uint64_t fetches, fetched;
};
/* Of the first loop, on its thread; all 0 where no worker is. */
struct jobs_stats jobs_stats(struct loop *loop);

#endif
