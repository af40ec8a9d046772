/* One statement, from arguments to result, through whatever happens to links.
 *
 *   describe (once per query and loop) -> encode -> run -> what came back?
 *
 *   anything failed on a replica         again, by the primary
 *   skipped by a neighbour's error       again, alone
 *   plan or prepared statement is stale  describe and run again
 *   lane lost patience                   again, on a leased link
 *   link lost: a read                    again, once
 *              a write, sent             UNKNOWN, nobody can say
 *              a write, not sent         UNAVAILABLE */
#include "db/execute.h"

#include "db/observe.h"
#include "db/sqlstate.h"
#include "db/transaction.h"
#include "rpc/clock.h"

#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS_MAX = 5, PATIENT_LANE_US = 20000 };

static struct lane *read_lane(struct db_pool *pool)
{
    struct lane *first = &pool->reads[0], *second = &pool->reads[1];
    return link_age_us(first->link) > PATIENT_LANE_US &&
                   link_age_us(second->link) < link_age_us(first->link)
               ? second
               : first;
}

static struct lane *lane_for(struct db_pool *pool, const struct db_query *query)
{
    return query->reads ? read_lane(pool) : &pool->writes;
}

/* ------------------------------------------------------------- describing */

static rpc_status take_description(struct db *db, const struct db_query *query,
                                   const PGresult *result)
{
    struct description *d = pool_description(db->pool, query);
    int count = PQnparams(result);
    if (count != query->param_count)
        return rpc_fail(db->call, RPC_INTERNAL, "%s has %d parameters, not %d",
                        query->name, count, query->param_count);
    uint32_t *oids = calloc((size_t)count, sizeof *oids);
    if (oids == NULL)
        abort();
    for (int i = 0; i < count; i++)
        oids[i] = PQparamtype(result, i);
    free(d->oids);
    d->oids = oids;
    return RPC_SUCCESS;
}

static bool worth_again(const struct statement *s)
{
    return s->outcome == STATEMENT_SKIPPED || s->outcome == STATEMENT_LOST ||
           s->outcome == STATEMENT_UNSENT;
}

static rpc_status describe(struct db *db, struct lane *lane,
                           const struct db_query *query)
{
    if (query->param_count == 0 ||
        pool_description(db->pool, query)->oids != NULL)
        return RPC_SUCCESS;
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        struct statement *s =
            statement_create(db->call, STATEMENT_DESCRIBE, query);
        s->alone = i > 0;
        TRY(lane_run(lane != NULL ? lane : read_lane(db->pool), s));
        if (worth_again(s)) {
            statement_destroy(s);
            continue;
        }
        rpc_status status = statement_failed(s)
                                ? sqlstate_status(db, query, s->result)
                                : take_description(db, query, s->result);
        statement_destroy(s);
        return status;
    }
    return pool_unavailable(db->call);
}

/* ---------------------------------------------------------------- running */

/* What is being run, and what is known of it so far. */
struct execution {
    struct db *db;
    const struct db_query *query;
    const db_arg *args;
    size_t count;
    struct replica *replica; /* that it runs on; NULL = the primary */
    bool alone;              /* a neighbour's error has skipped it */
    bool patient;            /* the lane's patience has ended */
    int lost;                /* how often its link was */
    int stale;               /* how often its prepared statement was */
};

static bool state_is(const struct statement *s, const char *state)
{
    return strcmp(statement_sqlstate(s), state) == 0;
}

/* The prepared statement is not there (a proxy changed servers), or its row
 * type has changed (a migration). */
static bool is_stale(const struct statement *s)
{
    return state_is(s, "26000") || state_is(s, "0A000");
}

static bool ran_out_of_patience(const struct statement *s)
{
    return state_is(s, "57014") || state_is(s, "55P03");
}

static bool server_is_going(const struct statement *s)
{
    return strncmp(statement_sqlstate(s), "57P", 3) == 0;
}

static rpc_status run_leased(struct db *db, struct statement *s)
{
    struct lease *lease;
    rpc_status status = lease_take(db->pool, db->call, &lease);
    if (status.code != RPC_OK) {
        statement_destroy(s);
        return status;
    }
    status = lease_run(lease, s);
    lease_give(lease);
    return status;
}

/* A copy: the description may be dropped before the statement is sent. */
static const uint32_t *parameter_types(struct db *db,
                                       const struct db_query *query)
{
    if (query->param_count == 0)
        return NULL;
    return arena_memdup(db->call->arena,
                        pool_description(db->pool, query)->oids,
                        (size_t)query->param_count * sizeof(uint32_t));
}

/* After RPC_OK *statement is done and the caller's. */
static rpc_status run_once(struct execution *e, struct statement **statement)
{
    struct params params;
    struct db *db = e->db;
    struct lane *replica = e->replica != NULL ? &e->replica->lane : NULL;
    TRY(describe(db, replica, e->query));
    const uint32_t *oids = parameter_types(db, e->query);
    TRY(args_encode(db->call, e->query, oids, e->args, e->count, &params));
    struct statement *s = statement_create(db->call, STATEMENT_RUN, e->query);
    s->params = &params;
    s->oids = oids;
    s->alone = e->alone;
    s->wants_position = db->tx == NULL && e->replica == NULL &&
                        db_wants_position(db, !e->query->reads);
    *statement = s;
    db->pool->statements++;
    if (db->tx != NULL)
        return transaction_run(db, s);
    if (e->patient)
        return run_leased(db, s);
    if (replica != NULL)
        return lane_run(replica, s);
    return lane_run(lane_for(db->pool, e->query), s);
}

/* Whatever goes wrong there, the primary may know better; a call that has ended
 * has nothing to run again. */
static bool leave_replica(struct execution *e)
{
    if (e->replica == NULL || rpc_alive(e->db->call).code != RPC_OK)
        return false;
    e->replica = NULL;
    replica_leave(e->db);
    return true;
}

static rpc_status unknown_outcome(struct rpc_call *call)
{
    return rpc_fail_reason(call, RPC_UNKNOWN, "WRITE_OUTCOME_UNKNOWN",
                           "The database went away before it had confirmed; "
                           "this may or may not have happened.");
}

/* True when it should run again; else *status is the end. */
static bool after_loss(struct execution *e, const struct statement *s,
                       rpc_status *status)
{
    bool harmless = e->query->reads || s->outcome != STATEMENT_LOST;
    if (harmless && e->db->tx == NULL && e->lost++ == 0)
        return true;
    *status = harmless || e->db->tx != NULL ? pool_unavailable(e->db->call)
                                            : unknown_outcome(e->db->call);
    return false;
}

/* The same for an error that PostgreSQL sent. */
static bool after_error(struct execution *e, const struct statement *s,
                        rpc_status *status)
{
    struct db *db = e->db;
    if (is_stale(s))
        pool_forget(db->pool, e->query);
    if (db->tx == NULL) {
        if (is_stale(s) && e->stale++ == 0)
            return true;
        if (server_is_going(s) && e->lost++ == 0)
            return true;
        if (ran_out_of_patience(s) && !e->patient &&
            rpc_alive(db->call).code == RPC_OK)
            return e->patient = true;
    }
    *status = db->tx != NULL && is_stale(s)
                  ? sqlstate_conflict(db)
                  : sqlstate_status(db, e->query, s->result);
    return false;
}

static bool again(struct execution *e, const struct statement *s,
                  rpc_status *status)
{
    bool failed = s->outcome != STATEMENT_ANSWERED || statement_failed(s);
    if (failed && leave_replica(e))
        return true;
    switch (s->outcome) {
    case STATEMENT_SKIPPED:
        return e->alone = true;
    case STATEMENT_UNSENT:
    case STATEMENT_LOST:
        return after_loss(e, s, status);
    case STATEMENT_ANSWERED:
        break;
    }
    *status = RPC_SUCCESS;
    return statement_failed(s) && after_error(e, s, status);
}

static observed_as kind_of(const struct db *db, const struct db_query *query)
{
    if (db->tx != NULL)
        return OBSERVED_TRANSACTION;
    return query->reads ? OBSERVED_READ : OBSERVED_WRITE;
}

/* db_on_begin() is to see all that the call writes. */
static rpc_status check_place(struct db *db, const struct db_query *query)
{
    if (db->tx != NULL || db->on_begin == NULL || query->reads)
        return RPC_SUCCESS;
    sqlstate_log(query, "refused", "a write outside the call's transaction");
    return rpc_fail(db->call, RPC_INTERNAL, "%s outside a transaction",
                    query->name);
}

rpc_status execute(struct db *db, const struct db_query *query,
                   const db_arg *args, size_t count, PGresult **result)
{
    TRY(check_place(db, query));
    struct execution e = {
        .db = db, .query = query, .args = args, .count = count};
    e.replica = replica_for(db, query);
    rpc_status status = RPC_SUCCESS;
    bool more = true;
    int64_t start_us = clock_monotonic_us();
    for (int i = 0; i < ATTEMPTS_MAX && more; i++) {
        struct statement *s;
        rpc_status ran = run_once(&e, &s);
        if (ran.code != RPC_OK && leave_replica(&e))
            continue;
        TRY(ran);
        more = again(&e, s, &status);
        if (!more && status.code == RPC_OK) {
            db_note_position(db, &s->position);
            *result = s->result;
            s->result = NULL;
        }
        statement_destroy(s);
    }
    if (more)
        status = pool_unavailable(db->call);
    if (status.code != RPC_OK && db->tx != NULL)
        transaction_fail(db, status);
    observe_statement(kind_of(db, query), query,
                      clock_monotonic_us() - start_us);
    db->pool->failures += status.code != RPC_OK;
    return status;
}

rpc_status pool_read(struct db_pool *pool, struct rpc_call *call,
                     const struct db_query *query, PGresult **result)
{
    struct db db = {.call = call, .pool = pool};
    return execute(&db, query, NULL, 0, result);
}
