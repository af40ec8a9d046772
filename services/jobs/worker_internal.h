#ifndef PRBAL_SERVICES_JOBS_WORKER_INTERNAL_H
#define PRBAL_SERVICES_JOBS_WORKER_INTERNAL_H

#include "services/jobs/run.h"
#include "services/jobs/worker.h"

/* Shared by worker.c (life and time) and worker_steps.c (statements). */

enum { JOBS_AT_ONCE_MAX = 256, LOOKS_EVERY_MS = 1000 };

struct worker {
    struct rpc_server *server;
    struct loop *loop;
    struct loop_timer timer;
    char worker_id[JOB_ID_SIZE];
    int at_once; /* how many jobs it runs; 0 = it runs none */

    /* What the database says that it has: runs that are under way, and those
     * whose end is not written yet. */
    int taken_count;
    int64_t leases[JOBS_AT_ONCE_MAX];
    int taken_of_kind[JOB_KIND_COUNT];
    bool has_backlog[JOB_KIND_COUNT]; /* more were due than were taken */
    int *taken_of_loop;               /* rpc_server_loop_count() */
    struct run *over;                 /* ended, to be written */

    /* What is to be done; the one task that runs does it. */
    bool is_working;
    bool is_registered; /* the schedule is written */
    bool is_tick_due, is_fetch_due, is_leave_due;
    int64_t beat_us; /* the last sign of life; 0 = none yet */
    int64_t wait_ms; /* until the next job is due */

    bool is_draining, is_cleared, has_left;
    int64_t drain_us;
    int64_t due_shown[JOB_KIND_COUNT], oldest_shown[JOB_KIND_COUNT];
    struct jobs_stats stats;
};

/* Does what is due until nothing is.  On the worker's loop; suspends. */
rpc_status worker_work(struct rpc_call *call, struct worker *worker);

/* A run is over: forgets it, or keeps it until its end is written. */
void worker_take_back(struct worker *worker, struct run *run);
void worker_forget(struct worker *worker, struct run *run);

/* Runs what was fetched; tells what kind it is of. */
job_type worker_hand_out(struct worker *worker, const JobRow *row);

/* Numbers on /metrics. */
void worker_count(const struct run *run);
void worker_show_depth(struct worker *worker, job_type kind, int64_t due,
                       int64_t oldest_seconds);

#endif
