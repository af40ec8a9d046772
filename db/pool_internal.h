#ifndef PRBAL_DB_POOL_INTERNAL_H
#define PRBAL_DB_POOL_INTERNAL_H

#include "db/constraint.h"
#include "db/lane.h"
#include "db/lease.h"
#include "db/pool.h"
#include "db/position.h"
#include "db/replica.h"
#include "db/row_plan.h"
#include "rpc/loop.h"

/* What db/ shares within itself. */

/* A read that takes long holds up its lane, so there is a second one to go
 * round it. */
enum { READ_LANES = 2 };

/* What the way to the server and back may take beyond its own timeout, before
 * it counts as gone. */
enum { POOL_ANSWER_GRACE_MS = 3000 };

/* What is known of a query once it has been prepared on this loop. */
struct description {
    uint32_t *oids;        /* of its parameters; NULL = not known */
    struct row_plan *plan; /* NULL = not made */
};

struct db_pool {
    struct loop *loop;
    struct db_pool_options options;
    char lane_settings[160], lease_settings[160];
    int lane_statement_ms;
    struct lane reads[READ_LANES], writes;
    struct leases leases;
    struct replicas replicas;
    struct description *descriptions; /* by query id */
    size_t description_count;
    struct constraints constraints;
    struct loop_flush flush;
    uint64_t statements, failures;
};

struct transaction;

struct db {
    struct rpc_call *call;
    struct db_pool *pool;
    struct transaction *tx; /* NULL: the pool */
    /* The message of the last status that a conflict made; kept in the call's
     * first db, so that it outlives the transaction. */
    const char *retryable;
    /* Up to where the call has written, kept there as well. */
    struct position wrote;
    bool is_told;     /* by db_read_after_news() */
    bool tells_reads; /* db_tell_reads() */
    /* And who answers its reads; NULL = the primary. */
    struct replica *replica;
    bool is_routed;
    rpc_status (*on_begin)(struct db *tx, void *argument); /* or NULL */
    void *on_begin_argument;
};

/* Whether what a statement commits is to be known by its position: somebody
 * waits for an answer. */
bool db_wants_position(const struct db *db, bool writes);
void db_note_position(struct db *db, const struct position *position);

/* Makes a link with the pool's settings; `owner`, `changed` and the like come
 * from the caller. */
struct link *pool_link(struct db_pool *pool, struct link_options options);

/* UNAVAILABLE, come back later. */
rpc_status pool_unavailable(struct rpc_call *call);
/* A link has come up: the others need not wait any longer. */
void pool_hurry(struct db_pool *pool);
bool pool_is_down(const struct db_pool *pool);

/* The entry of a query; it moves when another one is asked for. */
struct description *pool_description(struct db_pool *pool,
                                     const struct db_query *query);
void pool_forget(struct db_pool *pool, const struct db_query *query);

/* Runs a statement that takes no parameters in the read lane; suspends.  The
 * result is the caller's to PQclear(). */
rpc_status pool_read(struct db_pool *pool, struct rpc_call *call,
                     const struct db_query *query, PGresult **result);

#endif
