#include "services/jobs/run.h"

#include "rpc/codec.h"
#include "services/jobs/job.sql.h"
#include "services/jobs/jobs.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOON_MS = 1000 };

const char *const run_outcome_names[RUN_OUTCOMES] = {
    "COMMITTED", "FENCED", "DONE", "LATER", "BACK", "FAILED"};

/* ---- Desks. */

struct desk {
    struct run *first;
    bool is_closed;
};

static pthread_once_t slot_once = PTHREAD_ONCE_INIT;
static int slot;

static void take_slot(void)
{
    slot = loop_slot();
}

static struct desk *desk_of(struct loop *loop)
{
    pthread_once(&slot_once, take_slot);
    return loop_get(loop, slot);
}

void desk_start(struct loop *loop)
{
    pthread_once(&slot_once, take_slot);
    struct desk *desk = calloc(1, sizeof *desk);
    assert(desk != NULL);
    loop_set(loop, slot, desk);
}

void desk_stop(struct loop *loop)
{
    struct desk *desk = desk_of(loop);
    loop_set(loop, slot, NULL);
    free(desk);
}

bool desk_is_busy(struct loop *loop)
{
    const struct desk *desk = desk_of(loop);
    return desk != NULL && desk->first != NULL;
}

static void on_clear(void *argument)
{
    struct desk *desk = desk_of(argument);
    if (desk == NULL)
        return;
    desk->is_closed = true;
    for (struct run *run = desk->first; run != NULL; run = run->next)
        rpc_end(run->call, RPC_CANCELLED, "the server is going down");
}

void desk_clear(struct loop *loop)
{
    loop_post(loop, on_clear, loop);
}

/* ---- What the handler does, and how that ends. */

struct attempt {
    struct run *run;
    struct job_run view;
    bool is_fenced;
};

static rpc_status decode(struct rpc_call *call, struct run *run,
                         struct job_run *view)
{
    const struct job_kind *kind = &job_kinds[run->kind];
    *view = (struct job_run){.job_id = run->job_id,
                             .attempt = run->attempt,
                             .attempts_max = run->attempts_max};
    if (kind->arguments == NULL)
        return RPC_SUCCESS;
    struct codec_error error;
    view->arguments = codec_decode(call->arena, kind->arguments, run->arguments,
                                   run->argument_bytes, &error);
    return view->arguments != NULL
               ? RPC_SUCCESS
               : rpc_fail(call, RPC_INTERNAL, "arguments: %s", error.text);
}

/* The job ends in the transaction of its effect, and only for who still has the
 * lease. */
static rpc_status end_inside(struct db *tx, struct attempt *a)
{
    int64_t ended = 0;
    db_arg id = db_text(a->run->job_id), lease = db_int(a->run->lease);
    if (a->view.again_after_ms > 0)
        TRY(db_exec(tx, &job_snooze, &ended, id, lease,
                    db_int(a->view.again_after_ms)));
    else
        TRY(db_exec(tx, &job_succeed, &ended, id, lease));
    a->is_fenced = ended == 0;
    if (a->is_fenced)
        return rpc_fail(db_call(tx), RPC_FAILED_PRECONDITION,
                        "somebody else has this job now");
    return db_commit(tx);
}

static rpc_status work_inside(struct db *tx, struct attempt *a)
{
    TRY(decode(db_call(tx), a->run, &a->view));
    TRY(job_kinds[a->run->kind].inside(tx, &a->view));
    return end_inside(tx, a);
}

static rpc_status run_inside(struct rpc_call *call, void *argument)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    rpc_status status = work_inside(tx, argument);
    db_rollback(tx);
    return status;
}

static rpc_status run_outside(struct rpc_call *call, struct attempt *a)
{
    TRY(decode(call, a->run, &a->view));
    return job_kinds[a->run->kind].outside(call, &a->view);
}

static run_outcome success(const struct attempt *a)
{
    if (job_kinds[a->run->kind].inside != NULL)
        return RUN_COMMITTED;
    return a->view.again_after_ms > 0 ? RUN_LATER : RUN_DONE;
}

/* A database that is away, or a COMMIT without an answer, says nothing about
 * the job: it is simply tried again, and if it did commit, its row is gone and
 * the giving back finds nothing. */
static bool could_not_be_tried(const struct rpc_call *call,
                               const struct run *run, rpc_code code)
{
    if (call->ended.code == RPC_CANCELLED)
        return true;
    return job_kinds[run->kind].inside != NULL &&
           (code == RPC_UNAVAILABLE || code == RPC_UNKNOWN);
}

static void judge(const struct rpc_call *call, const struct attempt *a,
                  rpc_status status)
{
    struct run *run = a->run;
    if (status.code == RPC_OK) {
        run->outcome = success(a);
        run->delay_ms = a->view.again_after_ms;
        return;
    }
    snprintf(run->error, sizeof run->error, "%s: %s",
             rpc_code_name(status.code), status.message);
    if (a->is_fenced) {
        run->outcome = RUN_FENCED;
    } else if (could_not_be_tried(call, run, status.code)) {
        run->outcome = RUN_BACK;
        run->delay_ms = call->ended.code == RPC_CANCELLED ? 0 : SOON_MS;
    } else {
        run->outcome = RUN_FAILED;
        run->delay_ms = job_backoff_ms(run->attempt);
    }
}

/* ---- On the loop. */

static void on_deadline(struct loop_timer *timer)
{
    struct run *run =
        (struct run *)((char *)timer - offsetof(struct run, deadline));
    rpc_end(run->call, RPC_DEADLINE_EXCEEDED, "the job took too long");
}

struct order {
    struct run *run;
    void (*over)(void *run);
};

static void sit_down(struct desk *desk, struct run *run, struct rpc_call *call)
{
    run->call = call;
    run->began_us = loop_now_us(run->loop);
    run->next = desk->first;
    desk->first = run;
    loop_timer_init(&run->deadline, on_deadline);
    loop_timer_start(run->loop, &run->deadline,
                     job_kinds[run->kind].deadline_ms);
}

static void get_up(struct desk *desk, struct run *run)
{
    loop_timer_stop(&run->deadline);
    run->call = NULL;
    run->took_us = loop_now_us(run->loop) - run->began_us;
    struct run **at = &desk->first;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
}

static void run_task(struct rpc_call *call, void *argument)
{
    struct order order = *(struct order *)argument;
    free(argument);
    struct run *run = order.run;
    struct desk *desk = desk_of(run->loop);
    sit_down(desk, run, call);
    struct attempt attempt = {.run = run};
    rpc_status status = job_kinds[run->kind].inside != NULL
                            ? db_retry(call, run_inside, &attempt)
                            : run_outside(call, &attempt);
    judge(call, &attempt, status);
    get_up(desk, run);
    loop_post(run->home, order.over, run);
}

static void on_order(void *argument)
{
    struct order *order = argument;
    struct run *run = order->run;
    const struct desk *desk = desk_of(run->loop);
    if (desk != NULL && !desk->is_closed &&
        rpc_task(run->server, run->loop, run_task, order) != NULL)
        return;
    run->outcome = RUN_BACK;
    run->delay_ms = SOON_MS;
    loop_post(run->home, order->over, run);
    free(order);
}

void run_start(struct run *run, void (*over)(void *run))
{
    struct order *order = malloc(sizeof *order);
    assert(order != NULL);
    *order = (struct order){run, over};
    loop_post(run->loop, on_order, order);
}

struct run *run_create(struct rpc_server *server, struct loop *home,
                       const JobRow *row)
{
    struct run *run = calloc(1, sizeof *run + row->arguments.len);
    assert(run != NULL);
    run->server = server;
    run->home = home;
    run->kind = job_kind_of(row->kind);
    snprintf(run->job_id, sizeof run->job_id, "%s", row->job_id);
    run->lease = row->lease;
    run->attempt = row->attempt;
    run->attempts_max = row->attempts_max;
    run->argument_bytes = row->arguments.len;
    if (row->arguments.len > 0)
        memcpy(run->arguments, row->arguments.data, row->arguments.len);
    return run;
}
