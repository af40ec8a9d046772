#include "tests/testkit/dbkit.h"

#include "rpc/clock.h"
#include "rpc/codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_US = 20 * 1000000, LOOK_MS = 5 };

static void no_notice(void *argument, const PGresult *result)
{
    (void)argument;
    (void)result;
}

struct dbkit *dbkit_create(const struct db_pool_options *options)
{
    struct dbkit *kit = calloc(1, sizeof *kit);
    if (kit == NULL)
        abort();
    struct db_pool_options o = *options;
    if (o.url == NULL) {
        kit->scratch = scratch_create();
        if (kit->scratch == NULL)
            abort();
        o.url = scratch_url(kit->scratch);
    }
    kit->pg = PQconnectdb(o.url);
    PQsetNoticeReceiver(kit->pg, no_notice, NULL);
    kit->arena = arena_create();
    kit->loop = loop_create();
    kit->pool = db_pool_create(kit->loop, &o);
    return kit;
}

void dbkit_destroy(struct dbkit *kit)
{
    db_pool_destroy(kit->pool);
    loop_destroy(kit->loop);
    arena_destroy(kit->arena);
    PQfinish(kit->pg);
    scratch_destroy(kit->scratch);
    free(kit);
}

int dbkit_setup(void **state)
{
    *state = dbkit_create(&(struct db_pool_options){.prepare = true});
    return 0;
}

int dbkit_teardown(void **state)
{
    dbkit_destroy(*state);
    return 0;
}

/* -------------------------------------------------------------------- tasks */

static void task_main(struct rpc_call *call, void *argument)
{
    struct dbkit_task *task = argument;
    task->call = call;
    call->db = db_open(call);
    rpc_status status = task->fn(call, task->argument);
    task->retryable = db_is_retryable(call, status);
    task->status = (rpc_status){status.code,
                                arena_strdup(task->kit->arena, status.message)};
    task->call = NULL;
    task->done = true;
}

void dbkit_start(struct dbkit *kit, struct dbkit_task *task, dbkit_fn *fn,
                 void *argument)
{
    *task = (struct dbkit_task){.kit = kit, .fn = fn, .argument = argument};
    task->call = rpc_task(NULL, kit->loop, task_main, task);
    if (task->call == NULL)
        abort();
}

void dbkit_wait(struct dbkit_task *task)
{
    loop_run_until(task->kit->loop, &task->done);
}

rpc_status dbkit_run(struct dbkit *kit, dbkit_fn *fn, void *argument)
{
    struct dbkit_task task;
    dbkit_start(kit, &task, fn, argument);
    dbkit_wait(&task);
    return task.status;
}

struct statement_task {
    struct dbkit *kit;
    const struct db_query *query;
    const db_arg *args;
    size_t count;
    ProtobufCMessage *row;
    int64_t changed;
};

static rpc_status one(struct rpc_call *call, void *argument)
{
    struct statement_task *t = argument;
    ProtobufCMessage *row;
    TRY(db_one_args(call->db, t->query, &row, t->args, t->count));
    t->row = codec_copy(t->kit->arena, row);
    return RPC_SUCCESS;
}

static rpc_status exec(struct rpc_call *call, void *argument)
{
    struct statement_task *t = argument;
    return db_exec_args(call->db, t->query, &t->changed, t->args, t->count);
}

rpc_status dbkit_one_args(struct dbkit *kit, const struct db_query *query,
                          void *message, const db_arg *args, size_t count)
{
    struct statement_task t = {kit, query, args, count, NULL, 0};
    rpc_status status = dbkit_run(kit, one, &t);
    memcpy(message, &t.row, sizeof t.row);
    return status;
}

rpc_status dbkit_exec_args(struct dbkit *kit, const struct db_query *query,
                           int64_t *changed, const db_arg *args, size_t count)
{
    struct statement_task t = {kit, query, args, count, NULL, 0};
    rpc_status status = dbkit_run(kit, exec, &t);
    if (changed != NULL)
        *changed = t.changed;
    return status;
}

/* ------------------------------------------------------------- from outside */

void dbkit_sql(struct dbkit *kit, const char *statement)
{
    PGresult *r = PQexec(kit->pg, statement);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "%s: %s", statement, PQresultErrorMessage(r));
        abort();
    }
    PQclear(r);
}

int64_t dbkit_number(struct dbkit *kit, const char *query)
{
    PGresult *r = PQexec(kit->pg, query);
    if (PQresultStatus(r) != PGRES_TUPLES_OK || PQntuples(r) != 1) {
        fprintf(stderr, "%s: %s", query, PQresultErrorMessage(r));
        abort();
    }
    int64_t number = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return number;
}

struct alarm {
    struct loop_timer timer;
    bool done;
};

static void on_alarm(struct loop_timer *timer)
{
    ((struct alarm *)timer)->done = true;
}

void dbkit_idle(struct dbkit *kit, int64_t ms)
{
    struct alarm alarm = {.done = false};
    loop_timer_init(&alarm.timer, on_alarm);
    loop_timer_start(kit->loop, &alarm.timer, ms);
    loop_run_until(kit->loop, &alarm.done);
}

bool dbkit_becomes(struct dbkit *kit, const char *query, int64_t number)
{
    int64_t end_us = clock_monotonic_us() + PATIENCE_US;
    while (clock_monotonic_us() < end_us) {
        if (dbkit_number(kit, query) == number)
            return true;
        dbkit_idle(kit, LOOK_MS);
    }
    return false;
}
