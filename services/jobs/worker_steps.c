/* What the worker says to the database.  Each step is one statement of its own:
 * when its answer is lost, the next sign of life sorts out what is whose. */
#include "db/db.h"
#include "services/app.h"
#include "services/jobs/job.sql.h"
#include "services/jobs/worker_internal.h"

#include <pthread.h>

/* Three signs of life in a lease: one may be lost. */
enum { BEATS_IN_A_LEASE = 3 };

static const char *kind_names[JOB_KIND_COUNT], *kind_queues[JOB_KIND_COUNT];

static void name_kinds(void)
{
    for (int i = 0; i < JOB_KIND_COUNT; i++) {
        kind_names[i] = job_kinds[i].name;
        kind_queues[i] = job_kinds[i].queue;
    }
}

/* ---- What ended. */

enum { SETTLE_MAX = JOBS_AT_ONCE_MAX };

struct settling {
    size_t count;
    const char *ids[SETTLE_MAX], *outcomes[SETTLE_MAX], *errors[SETTLE_MAX];
    int64_t leases[SETTLE_MAX], delays_ms[SETTLE_MAX];
};

static struct settling *settling_of(struct arena *arena, const struct run *run)
{
    struct settling *s = ARENA_NEW(arena, struct settling);
    for (; run != NULL && s->count < SETTLE_MAX; run = run->next) {
        size_t i = s->count++;
        s->ids[i] = run->job_id;
        s->leases[i] = run->lease;
        s->outcomes[i] = run_outcome_names[run->outcome];
        s->delays_ms[i] = run->delay_ms;
        s->errors[i] = run->error;
    }
    return s;
}

static rpc_status settle(struct rpc_call *call, struct worker *worker)
{
    struct run *ended = worker->over;
    worker->over = NULL; /* what ends meanwhile is for the next time */
    const struct settling *s = settling_of(call->arena, ended);
    rpc_status status =
        db_exec(call->db, &job_settle, NULL, db_texts(s->ids, s->count),
                db_ints(s->leases, s->count), db_texts(s->outcomes, s->count),
                db_ints(s->delays_ms, s->count), db_texts(s->errors, s->count));
    while (ended != NULL) {
        struct run *run = ended;
        ended = run->next;
        if (status.code == RPC_OK) {
            worker_forget(worker, run);
        } else {
            run->next = worker->over;
            worker->over = run;
        }
    }
    return status;
}

/* ---- Signs of life. */

static bool beat_is_due(const struct worker *worker)
{
    int64_t every_us = app_config()->job_lease_ms * 1000 / BEATS_IN_A_LEASE;
    return worker->beat_us == 0 ||
           loop_now_us(worker->loop) - worker->beat_us >= every_us;
}

/* Whether what is fetched now is under a lease that others believe. */
static bool lease_holds(const struct worker *worker)
{
    return worker->beat_us != 0 && loop_now_us(worker->loop) - worker->beat_us <
                                       app_config()->job_lease_ms * 1000;
}

static rpc_status show_depths(struct rpc_call *call, struct worker *worker)
{
    size_t count;
    JobDepthRow **rows;
    TRY(db_many(call->db, &job_depths, &count, &rows,
                db_texts(kind_names, JOB_KIND_COUNT)));
    for (size_t i = 0; i < count; i++)
        worker_show_depth(worker, job_kind_of(rows[i]->kind),
                          rows[i]->due_count, rows[i]->oldest_seconds);
    return RPC_SUCCESS;
}

static rpc_status beat(struct rpc_call *call, struct worker *worker)
{
    int64_t now_us =
        loop_now_us(worker->loop); /* the lease counts from later */
    TRY(db_exec(call->db, &job_beat, NULL, db_text(worker->worker_id),
                db_int(app_config()->job_lease_ms),
                db_ints(worker->leases, (size_t)worker->taken_count)));
    worker->beat_us = now_us;
    TRY(db_exec(call->db, &job_rescue, NULL, DB_NONE));
    worker->is_fetch_due = true;
    return show_depths(call, worker);
}

/* ---- The clock. */

static rpc_status put_schedule(struct rpc_call *call, struct worker *worker)
{
    const char *kinds[JOB_RULES_MAX], *times[JOB_RULES_MAX];
    int64_t seconds[JOB_RULES_MAX], weekdays[JOB_RULES_MAX];
    for (size_t i = 0; i < job_rule_count; i++) {
        const struct job_rule *rule = &job_rules[i];
        kinds[i] = job_kinds[rule->kind].name;
        times[i] = rule->time_of_day == NULL ? "" : rule->time_of_day;
        seconds[i] = rule->every_seconds;
        weekdays[i] = rule->weekday;
    }
    TRY(db_exec(
        call->db, &job_schedule_put, NULL, db_texts(kinds, job_rule_count),
        db_ints(seconds, job_rule_count), db_texts(times, job_rule_count),
        db_ints(weekdays, job_rule_count),
        db_text(app_config()->default_timezone)));
    worker->is_registered = true;
    return RPC_SUCCESS;
}

static rpc_status tick(struct rpc_call *call, struct worker *worker)
{
    int64_t attempts_max[JOB_KIND_COUNT];
    for (int i = 0; i < JOB_KIND_COUNT; i++)
        attempts_max[i] = job_kinds[i].attempts_max;
    int64_t enqueued;
    worker->is_tick_due = false;
    TRY(db_exec(call->db, &job_tick, &enqueued,
                db_texts(kind_names, JOB_KIND_COUNT),
                db_ints(attempts_max, JOB_KIND_COUNT)));
    worker->is_fetch_due = true;
    return RPC_SUCCESS;
}

/* ---- What is due. */

static int room_of(const struct worker *worker, int64_t rooms[JOB_KIND_COUNT])
{
    int room = worker->at_once - worker->taken_count;
    for (int i = 0; i < JOB_KIND_COUNT; i++) {
        int of_kind = job_kinds[i].at_once - worker->taken_of_kind[i];
        rooms[i] = of_kind < room ? of_kind : room;
    }
    return room;
}

static rpc_status look_ahead(struct rpc_call *call, struct worker *worker)
{
    JobNextRow *next;
    TRY(db_one(call->db, &job_next, &next, db_texts(kind_names, JOB_KIND_COUNT),
               db_texts(kind_queues, JOB_KIND_COUNT)));
    bool is_soon = next->_wait_ms_case != 0 && next->wait_ms < LOOKS_EVERY_MS;
    worker->wait_ms = is_soon ? next->wait_ms + 1 : LOOKS_EVERY_MS;
    if (is_soon && next->wait_ms <= 0) {
        worker->wait_ms = 0;
        worker->is_tick_due = true;
    }
    return RPC_SUCCESS;
}

static rpc_status fetch(struct rpc_call *call, struct worker *worker)
{
    int64_t rooms[JOB_KIND_COUNT];
    int room = room_of(worker, rooms);
    worker->is_fetch_due = false;
    worker->wait_ms = LOOKS_EVERY_MS;
    if (room == 0) /* the next run that ends makes some */
        return RPC_SUCCESS;
    size_t count;
    JobRow **rows;
    TRY(db_many(call->db, &job_fetch, &count, &rows, db_text(worker->worker_id),
                db_texts(kind_names, JOB_KIND_COUNT),
                db_texts(kind_queues, JOB_KIND_COUNT),
                db_ints(rooms, JOB_KIND_COUNT), db_int(room)));
    worker->stats.fetches++;
    worker->stats.fetched += count;
    for (size_t i = 0; i < count; i++)
        rooms[worker_hand_out(worker, rows[i])]--;
    for (int i = 0; i < JOB_KIND_COUNT; i++)
        worker->has_backlog[i] = rooms[i] <= 0 || (int)count == room;
    return look_ahead(call, worker);
}

static rpc_status leave(struct rpc_call *call, struct worker *worker)
{
    worker->is_leave_due = false;
    TRY(db_exec(call->db, &job_leave, NULL, db_text(worker->worker_id)));
    worker->has_left = true;
    return RPC_SUCCESS;
}

/* One step of what is due; *idle when there is none. */
static rpc_status step(struct rpc_call *call, struct worker *worker, bool *idle)
{
    if (worker->over != NULL)
        return settle(call, worker);
    if (worker->is_leave_due && worker->taken_count == 0)
        return leave(call, worker);
    if (beat_is_due(worker) && !worker->has_left)
        return beat(call, worker);
    *idle = worker->is_draining;
    if (*idle)
        return RPC_SUCCESS;
    if (!worker->is_registered)
        return put_schedule(call, worker);
    if (worker->is_tick_due)
        return tick(call, worker);
    *idle = !worker->is_fetch_due || !lease_holds(worker);
    return *idle ? RPC_SUCCESS : fetch(call, worker);
}

rpc_status worker_work(struct rpc_call *call, struct worker *worker)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, name_kinds);
    bool is_idle = false;
    while (!is_idle)
        TRY(step(call, worker, &is_idle));
    return RPC_SUCCESS;
}
