#include "db/pool_internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEASES = 8,
    LEASE_QUEUE = 256,
    STATEMENT_MS = 15000,
    IDLE_TRANSACTION_MS = 10000,
    RETRY_MS = 1000,
    REPLICA_LAG_MS = 1000,
};

static int slot;

static void take_slot(void)
{
    slot = loop_slot();
}

/* Tests have pools on several threads, and no main() that would come first. */
static int pool_slot(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, take_slot);
    return slot;
}

static void set_default(int *value, int fallback)
{
    if (*value == 0)
        *value = fallback;
}

/* jit: every statement here is short, and compiling one takes longer than any
 * of them may. */
static void write_settings(struct db_pool *pool)
{
    static const char common[] = "-c TimeZone=UTC -c jit=off "
                                 "-c statement_timeout=%d -c lock_timeout=%d "
                                 "-c idle_in_transaction_session_timeout=%d";
    const struct db_pool_options *o = &pool->options;
    pool->lane_statement_ms = o->statement_timeout_ms < LANE_STATEMENT_MS
                                  ? o->statement_timeout_ms
                                  : LANE_STATEMENT_MS;
    snprintf(pool->lane_settings, sizeof pool->lane_settings, common,
             pool->lane_statement_ms, LANE_LOCK_MS, o->idle_transaction_ms);
    snprintf(pool->lease_settings, sizeof pool->lease_settings, common,
             o->statement_timeout_ms, 0, o->idle_transaction_ms);
}

static void on_flush(struct loop_flush *flush)
{
    struct db_pool *pool =
        (struct db_pool *)((char *)flush - offsetof(struct db_pool, flush));
    for (int i = 0; i < READ_LANES; i++)
        lane_flush(&pool->reads[i]);
    lane_flush(&pool->writes);
    for (int i = 0; i < pool->replicas.count; i++)
        lane_flush(&pool->replicas.each[i].lane);
}

struct db_pool *db_pool_create(struct loop *loop,
                               const struct db_pool_options *options)
{
    struct db_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        abort();
    pool->loop = loop;
    pool->options = *options;
    set_default(&pool->options.leases_max, LEASES);
    set_default(&pool->options.lease_queue_max, LEASE_QUEUE);
    set_default(&pool->options.statement_timeout_ms, STATEMENT_MS);
    set_default(&pool->options.idle_transaction_ms, IDLE_TRANSACTION_MS);
    set_default(&pool->options.replica_lag_ms, REPLICA_LAG_MS);
    write_settings(pool);
    for (int i = 0; i < READ_LANES; i++) {
        pool->reads[i].shares = true;
        lane_init(&pool->reads[i], pool);
    }
    lane_init(&pool->writes, pool);
    leases_init(&pool->leases, pool, pool->options.leases_max);
    pool->flush.fn = on_flush;
    loop_add_flush(loop, &pool->flush);
    loop_set(loop, pool_slot(), pool);
    link_open(pool->reads[0].link); /* so that db_pool_is_up() knows */
    replicas_init(&pool->replicas, pool);
    return pool;
}

void db_pool_destroy(struct db_pool *pool)
{
    if (pool == NULL)
        return;
    loop_remove_flush(pool->loop, &pool->flush);
    loop_set(pool->loop, pool_slot(), NULL);
    replicas_finish(&pool->replicas);
    leases_finish(&pool->leases);
    for (int i = 0; i < READ_LANES; i++)
        lane_finish(&pool->reads[i]);
    lane_finish(&pool->writes);
    constraints_finish(&pool->constraints);
    for (size_t i = 0; i < pool->description_count; i++) {
        free(pool->descriptions[i].oids);
        free(pool->descriptions[i].plan);
    }
    free(pool->descriptions);
    free(pool);
}

struct db_pool *db_pool_of(struct loop *loop)
{
    return loop_get(loop, pool_slot());
}

bool db_pool_is_up(const struct db_pool *pool)
{
    return link_state_of(pool->reads[0].link) == LINK_UP;
}

void pool_hurry(struct db_pool *pool)
{
    for (int i = 0; i < READ_LANES; i++)
        if (pool->reads[i].link != NULL)
            link_hurry(pool->reads[i].link);
    if (pool->writes.link != NULL)
        link_hurry(pool->writes.link);
}

bool pool_is_down(const struct db_pool *pool)
{
    return link_state_of(pool->reads[0].link) == LINK_WAITING;
}

struct db *db_open(struct rpc_call *call)
{
    struct db *db = ARENA_NEW(call->arena, struct db);
    db->call = call;
    db->pool = db_pool_of(call->loop);
    return db;
}

struct db_pool_stats db_pool_stats(const struct db_pool *pool)
{
    struct db_pool_stats stats = {
        .links_up = leases_up(&pool->leases),
        .leases_up = leases_up(&pool->leases),
        .leases_used = leases_used(&pool->leases),
        .leases_waiting = pool->leases.waiting,
        .statements = pool->statements,
        .failures = pool->failures,
        .replicas = pool->replicas.count,
        .replicas_serving = replicas_serving(&pool->replicas),
    };
    for (int i = 0; i < READ_LANES; i++)
        stats.links_up += link_state_of(pool->reads[i].link) == LINK_UP;
    stats.links_up += link_state_of(pool->writes.link) == LINK_UP;
    return stats;
}

/* Through a proxy the settings stay away: it may refuse them, and hands links
 * on with whatever was set.  The role's own settings count then. */
struct link *pool_link(struct db_pool *pool, struct link_options options)
{
    options.loop = pool->loop;
    if (options.url == NULL)
        options.url = pool->options.url;
    options.name = "prbald";
    options.prepare = pool->options.prepare;
    if (!options.prepare) {
        options.settings = NULL;
        options.answer_ms = 0;
    }
    return link_create(&options);
}

rpc_status pool_unavailable(struct rpc_call *call)
{
    return rpc_fail_retry(call, RPC_UNAVAILABLE, RETRY_MS,
                          "The database cannot be reached at the moment.");
}

struct description *pool_description(struct db_pool *pool,
                                     const struct db_query *query)
{
    size_t id = (size_t)query->id;
    if (id >= pool->description_count) {
        size_t count = id + 64;
        pool->descriptions =
            realloc(pool->descriptions, count * sizeof *pool->descriptions);
        if (pool->descriptions == NULL)
            abort();
        memset(pool->descriptions + pool->description_count, 0,
               (count - pool->description_count) * sizeof *pool->descriptions);
        pool->description_count = count;
    }
    return &pool->descriptions[id];
}

void pool_forget(struct db_pool *pool, const struct db_query *query)
{
    struct description *d = pool_description(pool, query);
    free(d->oids);
    free(d->plan);
    *d = (struct description){0};
}
