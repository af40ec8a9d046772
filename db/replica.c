#include "db/replica.h"

#include "db/observe.h"
#include "db/pool_internal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUND_MS_MIN = 20,
    ROUND_MS_MAX = 250,
    ROUNDS_IN_LAG = 4, /* so that the asking itself makes nobody late */
    TICK_MS = 2,       /* while somebody waits */
    BUSY_US = 20000,   /* a lane that has not answered for so long is passed */
};

/* A call that waits for a replica to get somewhere; on its stack. */
struct replica_waiter {
    struct replica_waiter *next;
    struct rpc_call *call;
    struct replica *replica;
    struct position position;
    int64_t until_us;
    bool has_come, done;
};

/* ------------------------------------------------------------------ waiting */

static void waiter_remove(struct replicas *all, struct replica_waiter *w)
{
    struct replica_waiter **at = &all->waiters;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

/* Wakes those whose wait is over, by success or by time. */
static void serve_waiters(struct replicas *all)
{
    int64_t now_us = loop_now_us(all->pool->loop);
    struct replica_waiter *next;
    for (struct replica_waiter *w = all->waiters; w != NULL; w = next) {
        next = w->next;
        w->has_come = position_covers(&w->replica->replayed, &w->position);
        bool is_lost = !position_is_known(&w->replica->replayed);
        if (!w->has_come && !is_lost && now_us < w->until_us)
            continue;
        waiter_remove(all, w);
        w->done = true;
        rpc_wake(w->call);
    }
}

/* ------------------------------------------------------------------ asking */

/* The timeline is the greatest that anything tells of: the control file is
 * behind, and the receiver has told only where it may (pg_monitor).  A receiver
 * that follows a later timeline makes it that of all that it will replay beyond
 * the fork, and no position of that timeline lies before. */
static const char replica_sql[] =
    "-- replica_position\n"
    "select pg_last_wal_replay_lsn(), system_identifier,"
    " greatest((select timeline_id from pg_control_checkpoint()),"
    " (select min_recovery_end_timeline from pg_control_recovery()),"
    " (select max(received_tli) from pg_stat_wal_receiver))::int8"
    " from pg_control_system() where pg_is_in_recovery()";

static struct statement *ask(struct lane *lane, const char *sql)
{
    if (link_state_of(lane->link) != LINK_UP)
        return NULL;
    struct statement *s = statement_create(NULL, STATEMENT_COMMAND, NULL);
    s->command = sql;
    s->alone = true;
    link_send(lane->link, s);
    link_sync(lane->link);
    return s;
}

static void ask_primary(struct replicas *all)
{
    if (all->probe != NULL)
        return;
    all->probe_us = loop_now_us(all->pool->loop);
    all->probe = ask(&all->pool->reads[0], position_sql_with_cluster);
}

static void ask_replica(struct replica *r)
{
    link_open(r->lane.link);
    if (r->probe == NULL)
        r->probe = ask(&r->lane, replica_sql);
}

static int64_t round_ms(const struct replicas *all)
{
    int64_t ms = all->pool->options.replica_lag_ms / ROUNDS_IN_LAG;
    ms = ms < ROUND_MS_MAX ? ms : ROUND_MS_MAX;
    return ms > ROUND_MS_MIN ? ms : ROUND_MS_MIN;
}

static void on_timer(struct loop_timer *timer)
{
    struct replicas *all =
        (struct replicas *)((char *)timer - offsetof(struct replicas, timer));
    int64_t now_us = loop_now_us(all->pool->loop);
    bool is_round = now_us - all->round_us >= round_ms(all) * 1000;
    if (is_round) {
        all->round_us = now_us;
        ask_primary(all);
        for (int i = 0; i < all->count; i++)
            ask_replica(&all->each[i]);
    }
    serve_waiters(all);
    for (struct replica_waiter *w = all->waiters; w != NULL; w = w->next)
        ask_replica(w->replica);
    loop_timer_start(all->pool->loop, timer,
                     all->waiters != NULL ? TICK_MS : round_ms(all));
}

/* ------------------------------------------------------------------ answers */

static uint64_t number_at(const PGresult *result, int column)
{
    uint64_t number = 0;
    if (!PQgetisnull(result, 0, column) &&
        PQgetlength(result, 0, column) == sizeof number)
        memcpy(&number, PQgetvalue(result, 0, column), sizeof number);
    return be64toh(number);
}

/* What the marks say of a replica that has just told where it is. */
static void take_age(struct replica *r, int64_t now_us)
{
    const struct replicas *all = r->all;
    r->fresh_us = r->behind_us = 0;
    for (uint64_t i = 0; i < REPLICA_MARKS_MAX && i < all->mark_count; i++) {
        const struct replica_mark *mark =
            &all->marks[(all->mark_count - 1 - i) % REPLICA_MARKS_MAX];
        if (position_covers(&r->replayed, &mark->position)) {
            r->fresh_us = mark->at_us;
            return;
        }
        r->behind_us = now_us - mark->at_us;
    }
}

/* A standby that has become a primary has no row to tell. */
static void on_replica(struct replica *r, const struct statement *s,
                       statement_outcome outcome)
{
    r->replayed = (struct position){0};
    if (outcome == STATEMENT_ANSWERED && !statement_failed(s) &&
        PQntuples(s->result) == 1)
        r->replayed = (struct position){
            .lsn = number_at(s->result, 0),
            .cluster = number_at(s->result, 1),
            .timeline = (uint32_t)number_at(s->result, 2),
        };
    take_age(r, loop_now_us(r->all->pool->loop));
    serve_waiters(r->all);
}

static void on_primary(struct replicas *all, const struct statement *s,
                       statement_outcome outcome)
{
    struct position position = {0};
    if (outcome != STATEMENT_ANSWERED || statement_failed(s) ||
        !position_read(s->result, &position))
        return;
    all->marks[all->mark_count++ % REPLICA_MARKS_MAX] =
        (struct replica_mark){position, all->probe_us};
}

static void on_replica_finished(struct lane *lane, struct statement *s,
                                statement_outcome outcome)
{
    struct replica *r =
        (struct replica *)((char *)lane - offsetof(struct replica, lane));
    if (s == r->probe) {
        r->probe = NULL;
        on_replica(r, s, outcome);
    }
    statement_finish(s, outcome);
}

static void on_primary_finished(struct lane *lane, struct statement *s,
                                statement_outcome outcome)
{
    struct replicas *all = &lane->pool->replicas;
    if (s == all->probe) {
        all->probe = NULL;
        on_primary(all, s, outcome);
    }
    statement_finish(s, outcome);
}

/* ---------------------------------------------------------------- choosing */

static bool can_serve(const struct replica *r)
{
    const struct db_pool *pool = r->all->pool;
    int64_t lag_us = (int64_t)pool->options.replica_lag_ms * 1000;
    return link_state_of(r->lane.link) == LINK_UP &&
           position_is_known(&r->replayed) && r->fresh_us != 0 &&
           loop_now_us(pool->loop) - r->fresh_us <= lag_us &&
           link_age_us(r->lane.link) < BUSY_US;
}

int replicas_serving(const struct replicas *all)
{
    int count = 0;
    for (int i = 0; i < all->count; i++)
        count += can_serve(&all->each[i]);
    return count;
}

/* Of those that can serve and have replayed `wanted` (NULL: anything) the one
 * with the least to do. */
static struct replica *find_ready(struct replicas *all,
                                  const struct position *wanted)
{
    struct replica *best = NULL;
    for (int i = 0; i < all->count; i++) {
        struct replica *r = &all->each[i];
        if (!can_serve(r) ||
            (wanted != NULL && !position_covers(&r->replayed, wanted)))
            continue;
        if (best == NULL ||
            link_in_flight(r->lane.link) < link_in_flight(best->lane.link))
            best = r;
    }
    return best;
}

/* One that may get there in time: of the token's cluster, and not known to be
 * later than anyone would wait. */
static struct replica *find_near(struct replicas *all,
                                 const struct position *wanted)
{
    struct replica *best = NULL;
    for (int i = 0; i < all->count; i++) {
        struct replica *r = &all->each[i];
        if (can_serve(r) && r->replayed.cluster == wanted->cluster &&
            r->behind_us < REPLICA_WAIT_MS * 1000 &&
            (best == NULL || r->replayed.lsn > best->replayed.lsn))
            best = r;
    }
    return best;
}

static bool wait_for(struct replica *r, struct rpc_call *call,
                     const struct position *wanted)
{
    struct replicas *all = r->all;
    struct replica_waiter w = {
        .next = all->waiters,
        .call = call,
        .replica = r,
        .position = *wanted,
        .until_us = loop_now_us(call->loop) + REPLICA_WAIT_MS * 1000,
    };
    all->waiters = &w;
    ask_replica(r);
    loop_timer_start(call->loop, &all->timer, TICK_MS);
    rpc_status ended = rpc_wait_for(call, "replica", &w.done);
    if (ended.code != RPC_OK && !w.done)
        waiter_remove(all, &w);
    return w.has_come && can_serve(r);
}

static struct replica *choose_reached(struct replicas *all,
                                      struct rpc_call *call,
                                      const struct position *wanted,
                                      observed_route *why)
{
    struct replica *r = find_ready(all, wanted);
    *why = OBSERVED_REPLICA;
    if (r != NULL)
        return r;
    r = find_near(all, wanted);
    *why = OBSERVED_WAITED;
    if (r != NULL && wait_for(r, call, wanted))
        return r;
    *why = OBSERVED_BEHIND;
    return NULL;
}

typedef enum { TOKEN_ABSENT, TOKEN_READ, TOKEN_UNREADABLE } token_kind;

/* One that comes twice was joined by somebody who cannot know which counts. */
static token_kind read_token(const struct rpc_call *call,
                             struct position *position)
{
    static const char name[] = "prbal-read-after";
    token_kind kind = TOKEN_ABSENT;
    for (const struct rpc_field *f = rpc_all_metadata(call); f; f = f->next) {
        if (strcmp(f->name, name) != 0)
            continue;
        if (kind != TOKEN_ABSENT ||
            !position_parse(position, f->value, f->value_size))
            return TOKEN_UNREADABLE;
        kind = TOKEN_READ;
    }
    return kind;
}

static struct replica *choose(struct replicas *all, struct rpc_call *call,
                              observed_route *why)
{
    struct position wanted;
    struct replica *r;
    switch (read_token(call, &wanted)) {
    case TOKEN_UNREADABLE:
        *why = OBSERVED_UNREADABLE;
        return NULL;
    case TOKEN_READ:
        if (find_ready(all, NULL) != NULL)
            return choose_reached(all, call, &wanted, why);
        *why = OBSERVED_LEFT_OUT;
        return NULL;
    case TOKEN_ABSENT:
        break;
    }
    if (!all->pool->options.replica_without_token) {
        *why = OBSERVED_NO_TOKEN;
        return NULL;
    }
    r = find_ready(all, NULL);
    *why = r != NULL ? OBSERVED_REPLICA : OBSERVED_LEFT_OUT;
    return r;
}

static bool may_leave_primary(const struct db *db, const struct db_query *query)
{
    const struct rpc_method *method = db->call->method;
    return db->pool->replicas.count > 0 && db->tx == NULL && query->reads &&
           method != NULL && method->kind == RPC_UNARY &&
           method->has_no_side_effects && !method->is_fresh;
}

struct replica *replica_for(struct db *db, const struct db_query *query)
{
    struct db *first = db->call->db;
    if (!may_leave_primary(db, query) || first == NULL ||
        position_is_known(&first->wrote))
        return NULL;
    if (!first->is_routed) {
        observed_route why;
        first->is_routed = true;
        first->replica = choose(&db->pool->replicas, db->call, &why);
        observe_route(why);
    }
    return first->replica;
}

void replica_leave(struct db *db)
{
    db->call->db->replica = NULL;
    observe_route(OBSERVED_FAILED);
}

/* --------------------------------------------------------------- top level */

static void on_replica_up(struct lane *lane)
{
    struct replica *r =
        (struct replica *)((char *)lane - offsetof(struct replica, lane));
    r->replayed = (struct position){0}; /* another server may be behind it */
    ask_replica(r);
}

static void add(struct replicas *all, const char *url)
{
    struct replica *r = &all->each[all->count++];
    r->all = all;
    r->lane = (struct lane){.url = url,
                            .shares = true,
                            .up = on_replica_up,
                            .finished = on_replica_finished};
    lane_init(&r->lane, all->pool);
    link_open(r->lane.link);
}

void replicas_init(struct replicas *all, struct db_pool *pool)
{
    char *rest, *url;
    all->pool = pool;
    loop_timer_init(&all->timer, on_timer);
    if (pool->options.replica_urls == NULL)
        return;
    all->urls = strdup(pool->options.replica_urls);
    if (all->urls == NULL)
        abort();
    for (url = strtok_r(all->urls, ";", &rest);
         url != NULL && all->count < REPLICAS_MAX;
         url = strtok_r(NULL, ";", &rest))
        add(all, url);
    if (all->count == 0)
        return;
    pool->reads[0].finished = on_primary_finished;
    loop_timer_start(pool->loop, &all->timer, 0);
}

/* Those who wait are woken first: they find that nobody can serve. */
void replicas_finish(struct replicas *all)
{
    loop_timer_stop(&all->timer);
    for (int i = 0; i < all->count; i++)
        lane_finish(&all->each[i].lane);
    while (all->waiters != NULL) {
        struct replica_waiter *w = all->waiters;
        waiter_remove(all, w);
        w->done = true;
        rpc_wake(w->call);
    }
    all->count = 0;
    free(all->urls);
    all->urls = NULL;
}
