#ifndef PRBAL_TESTS_DBKIT_H
#define PRBAL_TESTS_DBKIT_H

#include "db/db.h"
#include "db/pool.h"
#include "rpc/loop.h"
#include "tests/testkit/scratch.h"

#include <libpq-fe.h>

/* What the tests of db/ stand on: a loop and a pool over a real PostgreSQL,
 * without a server around them. */
struct dbkit {
    struct loop *loop;
    struct db_pool *pool;
    struct arena *arena; /* what tests look at lives here */
    PGconn *pg;          /* a plain connection, for looking from outside */
    struct scratch *scratch;
};

/* Over a scratch database, or over `url`. */
struct dbkit *dbkit_create(const struct db_pool_options *options);
void dbkit_destroy(struct dbkit *kit);

/* cmocka's setup and teardown with the pool's defaults. */
int dbkit_setup(void **state);
int dbkit_teardown(void **state);

/* Runs `fn` as a task of its own, with call->db set, until it has returned.
 * The status is copied. */
typedef rpc_status dbkit_fn(struct rpc_call *call, void *argument);
rpc_status dbkit_run(struct dbkit *kit, dbkit_fn *fn, void *argument);

/* Starts one and goes on; dbkit_wait() runs the loop until it has returned. */
struct dbkit_task {
    struct dbkit *kit;
    struct rpc_call *call; /* NULL once it is over */
    dbkit_fn *fn;
    void *argument;
    rpc_status status;
    bool retryable;
    bool done;
};
void dbkit_start(struct dbkit *kit, struct dbkit_task *task, dbkit_fn *fn,
                 void *argument);
void dbkit_wait(struct dbkit_task *task);

/* One statement in a task of its own; rows are copied to the kit's arena. */
#define dbkit_one(kit, query, message, ...) \
    dbkit_one_args(kit, query, message, DB_ARGS(__VA_ARGS__))
rpc_status dbkit_one_args(struct dbkit *kit, const struct db_query *query,
                          void *message, const db_arg *args, size_t count);
#define dbkit_exec(kit, query, changed, ...) \
    dbkit_exec_args(kit, query, changed, DB_ARGS(__VA_ARGS__))
rpc_status dbkit_exec_args(struct dbkit *kit, const struct db_query *query,
                           int64_t *changed, const db_arg *args, size_t count);

/* From outside: runs a statement, reads one number. */
void dbkit_sql(struct dbkit *kit, const char *statement);
int64_t dbkit_number(struct dbkit *kit, const char *query);

/* Runs the loop until the query answers `number`, at most some seconds. */
bool dbkit_becomes(struct dbkit *kit, const char *query, int64_t number);

/* Runs the loop for a moment. */
void dbkit_idle(struct dbkit *kit, int64_t ms);

#define assert_code(status, expected) \
    assert_string_equal(rpc_code_name((status).code), rpc_code_name(expected))
#define assert_ok(status)                                                     \
    do {                                                                      \
        rpc_status status_ = (status);                                        \
        if (status_.code != RPC_OK)                                           \
            fail_msg("%s: %s", rpc_code_name(status_.code), status_.message); \
    } while (0)

#endif
