#include "services/jobs/worker.h"

#include "services/app.h"
#include "services/events/wake.h"
#include "services/jobs/worker_internal.h"
#include "services/uuid.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_once_t slot_once = PTHREAD_ONCE_INIT;
static int slot;

static void take_slot(void)
{
    slot = loop_slot();
}

static struct worker *worker_of(struct loop *loop)
{
    pthread_once(&slot_once, take_slot);
    return loop_get(loop, slot);
}

/* ---- The one task that works. */

static void wait_for_more(struct worker *worker, int64_t ms)
{
    loop_timer_start(worker->loop, &worker->timer, ms);
}

/* A failure is the pool's to report; the next second tries the same.  A server
 * that goes down does not wait for that: its lease ends by itself. */
static void work_task(struct rpc_call *call, void *argument)
{
    struct worker *worker = argument;
    rpc_status status = worker_work(call, worker);
    worker->is_working = false;
    if (status.code != RPC_OK && worker->is_draining)
        worker->has_left = true;
    wait_for_more(worker,
                  status.code == RPC_OK ? worker->wait_ms : LOOKS_EVERY_MS);
}

static void start_working(struct worker *worker)
{
    if (worker->is_working)
        return;
    worker->is_working = true;
    if (rpc_task(worker->server, worker->loop, work_task, worker) != NULL)
        return;
    worker->is_working = false;
    wait_for_more(worker, LOOKS_EVERY_MS);
}

static void on_timer(struct loop_timer *timer)
{
    struct worker *worker =
        (struct worker *)((char *)timer - offsetof(struct worker, timer));
    worker->is_fetch_due = true;
    start_working(worker);
}

static void wake(struct loop *loop)
{
    struct worker *worker = worker_of(loop);
    if (worker == NULL)
        return;
    worker->is_fetch_due = true;
    start_working(worker);
}

void jobs_register(void)
{
    wake_register(JOBS_WAKE_NAME, wake);
}

/* ---- Runs. */

static int loop_index(const struct worker *worker, const struct loop *loop)
{
    int i = 0;
    while (rpc_server_loop(worker->server, i) != loop)
        i++;
    return i;
}

static struct loop *idlest_loop(const struct worker *worker)
{
    int best = 0;
    for (int i = 1; i < rpc_server_loop_count(worker->server); i++)
        if (worker->taken_of_loop[i] < worker->taken_of_loop[best])
            best = i;
    return rpc_server_loop(worker->server, best);
}

static void on_over(void *argument)
{
    struct run *run = argument;
    struct worker *worker = worker_of(run->home);
    if (worker == NULL) { /* it has stopped; the lease will run out */
        free(run);
        return;
    }
    worker_count(run);
    worker_take_back(worker, run);
    if (worker->is_fetch_due || worker->over != NULL)
        start_working(worker);
}

job_type worker_hand_out(struct worker *worker, const JobRow *row)
{
    struct run *run = run_create(worker->server, worker->loop, row);
    run->loop = idlest_loop(worker);
    worker->leases[worker->taken_count++] = run->lease;
    worker->taken_of_kind[run->kind]++;
    worker->taken_of_loop[loop_index(worker, run->loop)]++;
    run_start(run, on_over);
    return run->kind;
}

/* A backlog is fetched by halves of a kind's room, and not one by one.  Without
 * one there is nothing to fetch, unless what is over comes again soon. */
static bool is_worth_a_look(const struct worker *worker, const struct run *run)
{
    bool is_over_for_good =
        run->outcome == RUN_DONE || run->outcome == RUN_FENCED ||
        (run->outcome == RUN_COMMITTED && run->delay_ms == 0);
    int taken = worker->taken_of_kind[run->kind];
    return !is_over_for_good || (worker->has_backlog[run->kind] &&
                                 2 * taken <= job_kinds[run->kind].at_once);
}

void worker_forget(struct worker *worker, struct run *run)
{
    int i = 0;
    while (worker->leases[i] != run->lease)
        i++;
    worker->leases[i] = worker->leases[--worker->taken_count];
    worker->taken_of_kind[run->kind]--;
    worker->taken_of_loop[loop_index(worker, run->loop)]--;
    worker->is_fetch_due |= is_worth_a_look(worker, run);
    free(run);
}

void worker_take_back(struct worker *worker, struct run *run)
{
    if (run->outcome == RUN_COMMITTED || run->outcome == RUN_FENCED) {
        worker_forget(worker, run);
        return;
    }
    run->next = worker->over;
    worker->over = run;
}

/* ---- Going down. */

/* What runs gets the drain time but for its last second, in which it can still
 * be given back. */
static void clear_when_late(struct worker *worker)
{
    int64_t drain_ms = app_config()->drain_ms;
    int64_t patience_ms = drain_ms > 2000 ? drain_ms - 1000 : drain_ms / 2;
    int64_t since_us = loop_now_us(worker->loop) - worker->drain_us;
    if (worker->is_cleared || since_us < patience_ms * 1000)
        return;
    worker->is_cleared = true;
    for (int i = 0; i < rpc_server_loop_count(worker->server); i++)
        desk_clear(rpc_server_loop(worker->server, i));
}

static bool worker_is_busy(struct worker *worker)
{
    if (!worker->is_draining) {
        worker->is_draining = true;
        worker->drain_us = loop_now_us(worker->loop);
    }
    if (worker->taken_count > 0)
        clear_when_late(worker);
    else if (!worker->has_left) {
        worker->is_leave_due = true;
        start_working(worker);
    }
    return worker->taken_count > 0 || worker->is_working || !worker->has_left;
}

bool jobs_are_busy(struct rpc_server *server, struct loop *loop)
{
    (void)server;
    struct worker *worker = worker_of(loop);
    return desk_is_busy(loop) || (worker != NULL && worker_is_busy(worker));
}

/* ---- Life. */

static void name_worker(struct worker *worker)
{
    struct arena *arena = arena_create();
    snprintf(worker->worker_id, sizeof worker->worker_id, "%s",
             uuid_create(arena));
    arena_destroy(arena);
}

static void create_worker(struct rpc_server *server, struct loop *loop)
{
    struct worker *worker = calloc(1, sizeof *worker);
    assert(worker != NULL);
    worker->server = server;
    worker->loop = loop;
    worker->at_once = (int)app_config()->jobs;
    worker->taken_of_loop = calloc((size_t)rpc_server_loop_count(server),
                                   sizeof *worker->taken_of_loop);
    assert(worker->taken_of_loop != NULL);
    name_worker(worker);
    loop_set(loop, slot, worker);
    loop_timer_init(&worker->timer, on_timer);
    loop_timer_start(loop, &worker->timer, 0);
}

void jobs_start(struct rpc_server *server, struct loop *loop)
{
    pthread_once(&slot_once, take_slot);
    desk_start(loop);
    if (loop == rpc_server_loop(server, 0) && app_config()->jobs > 0)
        create_worker(server, loop);
}

static void destroy_worker(struct worker *worker)
{
    loop_timer_stop(&worker->timer);
    for (int kind = 0; kind < JOB_KIND_COUNT; kind++)
        worker_show_depth(worker, (job_type)kind, 0, 0);
    while (worker->over != NULL) {
        struct run *run = worker->over;
        worker->over = run->next;
        free(run);
    }
    free(worker->taken_of_loop);
    free(worker);
}

void jobs_stop(struct loop *loop)
{
    struct worker *worker = worker_of(loop);
    loop_set(loop, slot, NULL);
    if (worker != NULL)
        destroy_worker(worker);
    desk_stop(loop);
}

struct jobs_stats jobs_stats(struct loop *loop)
{
    const struct worker *worker = worker_of(loop);
    if (worker == NULL)
        return (struct jobs_stats){0};
    struct jobs_stats stats = worker->stats;
    stats.running = worker->taken_count;
    return stats;
}
