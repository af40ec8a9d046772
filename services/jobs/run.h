#ifndef PRBAL_SERVICES_JOBS_RUN_H
#define PRBAL_SERVICES_JOBS_RUN_H

#include "rpc/loop.h"
#include "rpc/server.h"
#include "services/jobs/job_row.rpc.h"
#include "services/jobs/kinds.h"

/* One run of one job: on a coroutine of its own, on one loop, as nobody (the
 * caller has no id), with a deadline.  It is made by the worker, posted to its
 * loop, and posted back when it is over. */

typedef enum {
    RUN_COMMITTED, /* it has ended in its own transaction; nothing is to do */
    RUN_FENCED,    /* its lease was lost and its transaction rolled back */
    RUN_DONE,      /* an OUTSIDE job has done its work */
    RUN_LATER,     /* the same, and is to come again */
    RUN_BACK,      /* it could not be tried; somebody else may */
    RUN_FAILED,
    RUN_OUTCOMES,
} run_outcome;

/* "DONE", as statements and metrics know it. */
extern const char *const run_outcome_names[RUN_OUTCOMES];

enum { JOB_ID_SIZE = 37, RUN_ERROR_SIZE = 400 };

struct run {
    struct run *next; /* of whoever has it */
    struct rpc_server *server;
    struct loop *home; /* the worker's */
    struct loop *loop; /* where it runs */
    job_type kind;
    char job_id[JOB_ID_SIZE];
    int64_t lease;
    int attempt, attempts_max;
    int64_t began_us, took_us;

    struct rpc_call *call; /* while it runs, else NULL */
    struct loop_timer deadline;

    run_outcome outcome;
    int64_t delay_ms;
    char error[RUN_ERROR_SIZE];

    size_t argument_bytes;
    uint8_t arguments[];
};

/* One desk a loop: the runs that are under way on it. */
void desk_start(struct loop *loop);
void desk_stop(struct loop *loop);
bool desk_is_busy(struct loop *loop);

/* Ends what runs on a loop, because the server goes down.  From any thread. */
void desk_clear(struct loop *loop);

/* A run of what was fetched; the worker frees it, by free(). */
struct run *run_create(struct rpc_server *server, struct loop *home,
                       const JobRow *row);

/* Runs it on run->loop; `over(run)` is then posted to run->home. */
void run_start(struct run *run, void (*over)(void *run));

#endif
