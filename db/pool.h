#ifndef PRBAL_DB_POOL_H
#define PRBAL_DB_POOL_H

#include "db/db.h"
#include "rpc/server.h"

/* The links of one loop to PostgreSQL: two read lanes and one write lane in
 * pipeline mode, shared by all calls of the loop, and leased links for
 * transactions. */
struct db_pool;

struct db_pool_options {
    const char *url;          /* libpq connection string; outlives the pool */
    int leases_max;           /* leased links; 0 = 8 */
    int lease_queue_max;      /* calls that wait for one; 0 = 256 */
    int statement_timeout_ms; /* 0 = 15,000 */
    int idle_transaction_ms;  /* idle_in_transaction; 0 = 10,000 */
    bool prepare;             /* named statements; false for old PgBouncer */

    /* Standbys that reads may go to (db/replica.h): connection strings with ';'
     * between them, at most 4; NULL or "" = none. */
    const char *replica_urls;
    int replica_lag_ms; /* one further behind serves nobody; 0 = 1,000 */
    bool replica_without_token; /* also calls that carry no token */
};

/* One pool a loop; kept in a loop slot.  One link is opened now, so that
 * db_pool_is_up() knows, the others when they are needed. */
struct db_pool *db_pool_create(struct loop *loop,
                               const struct db_pool_options *options);
void db_pool_destroy(struct db_pool *pool);
struct db_pool *db_pool_of(struct loop *loop);

/* Whether statements can run now, as the last attempt or probe saw it. */
bool db_pool_is_up(const struct db_pool *pool);

/* The `db` of a call on this loop, in the call's arena. */
struct db *db_open(struct rpc_call *call);

/* Since the pool was made; /metrics has more (db/observe.c). */
struct db_pool_stats {
    int links_up, leases_up, leases_used, leases_waiting;
    int replicas, replicas_serving;
    uint64_t statements, failures;
};
struct db_pool_stats db_pool_stats(const struct db_pool *pool);

#endif
