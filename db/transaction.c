/*
 *   begin -> hook -> [statement] ... -> hooks -> commit -> hooks
 *              |          |               |        |
 *              +-> failed +---------------+--------+-> rollback (also at the
 *                                                      call's end)
 */
#include "db/transaction.h"

#include "db/sqlstate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

typedef rpc_status (*before_fn)(struct db *tx, void *argument);
typedef void (*after_fn)(struct rpc_call *call, void *argument);

struct hook {
    struct hook *next;
    before_fn before; /* one of the two */
    after_fn after;
    void *argument;
};

struct transaction {
    struct lease *lease; /* NULL: over */
    bool begun;          /* BEGIN has been sent */
    bool has_written;    /* what is to be told of after the commit */
    rpc_status failed;
    struct hook *before, *after;
};

/* --------------------------------------------------------------- statements */

rpc_status transaction_run(struct db *db, struct statement *s)
{
    struct transaction *tx = db->tx;
    rpc_status status = tx->failed;
    if (tx->lease == NULL)
        status = rpc_fail(db->call, RPC_INTERNAL, "the transaction is over");
    if (status.code != RPC_OK) {
        statement_destroy(s);
        return status;
    }
    s->begins = !tx->begun;
    tx->begun = true;
    tx->has_written |= !s->query->reads;
    status = lease_run(tx->lease, s);
    if (status.code != RPC_OK)
        tx->failed = status;
    return status;
}

void transaction_fail(struct db *db, rpc_status status)
{
    if (db->tx->failed.code == RPC_OK)
        db->tx->failed = status;
}

/* Gives the lease back, which rolls back what is open. */
static void end(struct db *db)
{
    struct transaction *tx = db->tx;
    if (tx->lease == NULL)
        return;
    lease_give(tx->lease);
    tx->lease = NULL;
}

static void at_call_end(void *argument)
{
    end(argument);
}

void db_rollback(struct db *db)
{
    assert(db->tx != NULL);
    if (db->tx->lease == NULL)
        return;
    rpc_undefer(db->call, db);
    end(db);
}

static rpc_status run_begin_hook(struct db *tx)
{
    if (tx->on_begin == NULL)
        return RPC_SUCCESS;
    rpc_status status = tx->on_begin(tx, tx->on_begin_argument);
    if (status.code != RPC_OK)
        db_rollback(tx);
    return status;
}

rpc_status db_begin(struct db *db, struct db **out)
{
    assert(db->tx == NULL && "a transaction inside a transaction");
    struct lease *lease;
    TRY(lease_take(db->pool, db->call, &lease));
    struct db *inner = ARENA_NEW(db->call->arena, struct db);
    *inner = *db;
    inner->tx = ARENA_NEW(db->call->arena, struct transaction);
    inner->tx->lease = lease;
    rpc_defer(db->call, at_call_end, inner);
    *out = inner;
    return run_begin_hook(inner);
}

void db_on_begin(struct db *db, before_fn fn, void *argument)
{
    assert(db->tx == NULL);
    db->on_begin = fn;
    db->on_begin_argument = argument;
}

/* -------------------------------------------------------------------- commit
 */

static rpc_status run_before_hooks(struct db *db)
{
    for (struct hook *h = db->tx->before; h != NULL; h = h->next)
        TRY(h->before(db, h->argument));
    return db->tx->failed;
}

static rpc_status commit_answer(struct db *db, const struct statement *s)
{
    static const struct db_query commit = {
        .name = "commit", .sql = "commit", .file = __FILE__, .line = __LINE__};
    if (s->outcome == STATEMENT_UNSENT)
        return pool_unavailable(db->call);
    if (s->outcome != STATEMENT_ANSWERED)
        return rpc_fail_reason(db->call, RPC_UNKNOWN, "WRITE_OUTCOME_UNKNOWN",
                               "The database went away before it had "
                               "confirmed; this may or may not have happened.");
    if (statement_failed(s))
        return sqlstate_status(db, &commit, s->result);
    /* PostgreSQL answers ROLLBACK to the commit of what has failed. */
    if (strcmp(PQcmdStatus(s->result), "COMMIT") != 0)
        return rpc_fail(db->call, RPC_ABORTED, "The transaction had failed.");
    return RPC_SUCCESS;
}

/* From here on it is waited for even when the call ends: the hooks must know
 * whether it happened. */
static rpc_status send_commit(struct db *db)
{
    struct statement *s = statement_create(db->call, STATEMENT_COMMAND, NULL);
    s->command = "commit";
    s->wants_position = db_wants_position(db, db->tx->has_written);
    lease_run_always(db->tx->lease, s);
    rpc_status status = commit_answer(db, s);
    db_note_position(db, &s->position);
    statement_destroy(s);
    return status;
}

static rpc_status commit(struct db *db)
{
    if (db->tx->lease == NULL)
        return rpc_fail(db->call, RPC_INTERNAL, "the transaction is over");
    TRY(db->tx->failed);
    TRY(run_before_hooks(db));
    TRY(rpc_alive(db->call));
    return db->tx->begun ? send_commit(db) : RPC_SUCCESS;
}

rpc_status db_commit(struct db *db)
{
    assert(db->tx != NULL);
    rpc_status status = commit(db);
    db_rollback(db); /* gives the lease back; nothing is open after COMMIT */
    if (status.code != RPC_OK)
        return status;
    for (struct hook *h = db->tx->after; h != NULL; h = h->next)
        h->after(db->call, h->argument);
    return status;
}

/* --------------------------------------------------------------------- hooks
 */

static void add_hook(struct db *db, struct hook **list, struct hook hook)
{
    for (; *list != NULL; list = &(*list)->next)
        if ((*list)->before == hook.before && (*list)->after == hook.after &&
            (*list)->argument == hook.argument)
            return;
    *list = arena_memdup(db->call->arena, &hook, sizeof hook);
}

void db_before_commit(struct db *db, before_fn fn, void *argument)
{
    assert(db->tx != NULL);
    add_hook(db, &db->tx->before,
             (struct hook){.before = fn, .argument = argument});
}

void db_after_commit(struct db *db, after_fn fn, void *argument)
{
    assert(db->tx != NULL);
    add_hook(db, &db->tx->after,
             (struct hook){.after = fn, .argument = argument});
}

void *db_before_commit_argument(const struct db *db, before_fn fn)
{
    assert(db->tx != NULL);
    for (const struct hook *h = db->tx->before; h != NULL; h = h->next)
        if (h->before == fn)
            return h->argument;
    return NULL;
}

/* -------------------------------------------------------------------- retry */

enum { RETRIES_MAX = 4, RETRY_MS = 10 };

bool db_is_retryable(const struct rpc_call *call, rpc_status status)
{
    return call->db != NULL && status.code == RPC_ABORTED &&
           status.message == call->db->retryable;
}

rpc_status db_retry(struct rpc_call *call,
                    rpc_status (*body)(struct rpc_call *call, void *argument),
                    void *argument)
{
    rpc_status status = body(call, argument);
    for (int i = 1; i < RETRIES_MAX && db_is_retryable(call, status); i++) {
        /* Unevenly, so that the rivals do not meet again. */
        TRY(rpc_sleep(call,
                      RETRY_MS * i + (int64_t)((uintptr_t)call >> 6) % 10));
        status = body(call, argument);
    }
    return status;
}
