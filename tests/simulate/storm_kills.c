/* Workers over the same few accounts, in transactions of one or two postings,
 * while connections are killed and hot accounts are added up.  Each asks until
 * it knows, by the same id. */
#include "rpc/clock.h"
#include "tests/simulate/storm.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WORKERS = 16,
    ATTEMPTS_MAX = 200,
    WAIT_MS = 5,
    ROLL_UP = 500,
    OPERATIONS_A_KILL = 50,
};

struct crowd {
    struct storm *storm;
    struct accounts accounts;
    uint32_t left; /* operations of this batch */
    uint32_t next_id;
    struct storm_step *steps;
    uint32_t acknowledged, refused, retries, kills;
    bool lost; /* somebody never got to know */
};

struct worker {
    struct crowd *crowd;
    struct dice64 dice;
    uint32_t ids[2];
    int count;
};

static rpc_status post_each(struct db *tx, const struct worker *w)
{
    for (int i = 0; i < w->count; i++)
        TRY(storm_ask(tx, w->crowd->storm, 0, &w->crowd->accounts,
                      &w->crowd->steps[w->ids[i]].request));
    return RPC_SUCCESS;
}

/* A refused one gives its locks back now, not when the worker is done. */
static rpc_status post_all(struct rpc_call *call, void *argument)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    rpc_status status = post_each(tx, argument);
    if (status.code == RPC_OK)
        return db_commit(tx);
    db_rollback(tx);
    return status;
}

static bool is_unsure(rpc_status status)
{
    return status.code == RPC_UNAVAILABLE || status.code == RPC_UNKNOWN ||
           status.code == RPC_ABORTED || status.code == RPC_DEADLINE_EXCEEDED;
}

static bool ask_until_known(struct rpc_call *call, struct worker *w)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        rpc_status status = db_retry(call, post_all, w);
        if (!is_unsure(status)) {
            w->crowd->acknowledged += status.code == RPC_OK;
            w->crowd->refused += status.code != RPC_OK;
            return true;
        }
        w->crowd->retries++;
        if (rpc_sleep(call, WAIT_MS).code != RPC_OK)
            return false;
    }
    return false;
}

static rpc_status work(struct rpc_call *call, void *argument)
{
    struct worker *w = argument;
    struct crowd *c = w->crowd;
    while (c->left > 0) {
        w->count = c->left > 1 && draw(&w->dice, 4) == 0 ? 2 : 1;
        c->left -= (uint32_t)w->count;
        for (int i = 0; i < w->count; i++) {
            uint32_t id = c->next_id++;
            c->steps[id] = storm_draw(&w->dice, id, c->steps);
            w->ids[i] = id;
        }
        if (!ask_until_known(call, w)) {
            c->lost = true;
            break;
        }
    }
    return RPC_SUCCESS;
}

static rpc_status add_up(struct rpc_call *call, void *argument)
{
    struct crowd *c = argument;
    while (c->left > 0) {
        int64_t count;
        (void)ledger_roll_up(call->db, ROLL_UP, &count);
        TRY(rpc_sleep(call, WAIT_MS));
    }
    return RPC_SUCCESS;
}

/* Any connection but the one that asks. */
static rpc_status kill_some(struct rpc_call *call, void *argument)
{
    struct crowd *c = argument;
    uint32_t next = c->next_id + OPERATIONS_A_KILL;
    while (c->left > 0) {
        TRY(rpc_sleep(call, WAIT_MS));
        if (c->next_id < next)
            continue;
        next = c->next_id + OPERATIONS_A_KILL;
        PGresult *r =
            PQexec(c->storm->kit->pg,
                   "select pg_terminate_backend(pid) from pg_stat_activity"
                   " where datname = current_database()"
                   "   and pid <> pg_backend_pid()"
                   "   and backend_type = 'client backend'"
                   " order by random() limit 1");
        c->kills += (uint32_t)PQntuples(r);
        PQclear(r);
    }
    return RPC_SUCCESS;
}

static bool run_batch(struct crowd *c, uint32_t count, struct worker *workers)
{
    static struct dbkit_task tasks[WORKERS + 2];
    c->left = count;
    for (int i = 0; i < WORKERS; i++)
        dbkit_start(c->storm->kit, &tasks[i], work, &workers[i]);
    dbkit_start(c->storm->kit, &tasks[WORKERS], add_up, c);
    dbkit_start(c->storm->kit, &tasks[WORKERS + 1], kill_some, c);
    for (int i = 0; i < WORKERS + 2; i++)
        dbkit_wait(&tasks[i]);
    if (c->lost)
        printf("BROKEN: somebody never got to know\n");
    return !c->lost && storm_is_sound(c->storm);
}

bool storm_with_kills(struct storm *storm, int batches, uint32_t count)
{
    storm->run++;
    struct crowd crowd = {.storm = storm, .next_id = 1};
    struct worker workers[WORKERS];
    crowd.steps =
        calloc((size_t)batches * (count + WORKERS) + 2, sizeof *crowd.steps);
    if (crowd.steps == NULL || !storm_open(storm, 0, &crowd.accounts))
        return false;
    for (int i = 0; i < WORKERS; i++)
        workers[i] = (struct worker){
            .crowd = &crowd, .dice = {storm->seed * 7919u + (uint64_t)i}};
    int64_t start_us = clock_monotonic_us();
    bool sound = true;
    int batch = 0;
    for (; batch < batches && sound; batch++)
        sound = run_batch(&crowd, count, workers);
    double seconds = (double)(clock_monotonic_us() - start_us) / 1e6;
    printf("kills: %d workers, %u operations, %u transactions acknowledged, %u "
           "refused, %u connections killed, %u retries, %d checks, %.0f a "
           "second; %s\n",
           WORKERS, crowd.next_id - 1, crowd.acknowledged, crowd.refused,
           crowd.kills, crowd.retries, batch,
           (double)(crowd.next_id - 1) / seconds,
           sound ? "every rule held" : "BROKEN");
    free(crowd.steps);
    return sound;
}
