#include "db/lease.h"

#include "db/observe.h"
#include "db/pool_internal.h"

#include <stdlib.h>
#include <uv.h>

typedef enum {
    LEASE_CLOSED,
    LEASE_OPENING,
    LEASE_FREE,
    LEASE_TAKEN,
    LEASE_GIVEN, /* back, but its link is not idle yet */
} lease_state;

/* PQcancel() connects and waits, so it runs on the thread pool. */
struct cancel {
    uv_work_t work;
    PGcancel *key;
    struct lease *lease; /* NULL: the pool has gone */
};

struct lease {
    struct db_pool *pool;
    struct link *link;
    lease_state state;
    struct cancel *cancel; /* on its way */
    bool rolled_back;      /* while given */
};

/* On the stack of the coroutine that waits. */
struct lease_waiter {
    struct lease_waiter *next;
    struct rpc_call *call;
    struct lease *lease;
    bool done;
};

/* ----------------------------------------------------------------- waiting */

static void waiter_add(struct leases *leases, struct lease_waiter *w)
{
    *leases->last = w;
    leases->last = &w->next;
    leases->waiting++;
    observe_lease_wait(+1);
}

static void waiter_remove(struct leases *leases, struct lease_waiter *w)
{
    struct lease_waiter **at = &leases->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (leases->last == &w->next)
        leases->last = at;
    leases->waiting--;
    observe_lease_wait(-1);
}

static void waiter_serve(struct leases *leases, struct lease *lease)
{
    struct lease_waiter *w = leases->first;
    waiter_remove(leases, w);
    w->lease = lease;
    w->done = true;
    rpc_wake(w->call);
}

static struct lease *find(const struct leases *leases, lease_state state)
{
    for (int i = 0; i < leases->count; i++)
        if (leases->all[i].state == state)
            return &leases->all[i];
    return NULL;
}

static void open_one(struct leases *leases)
{
    struct lease *lease = find(leases, LEASE_CLOSED);
    if (lease == NULL || find(leases, LEASE_FREE) != NULL)
        return;
    lease->state = LEASE_OPENING;
    link_open(lease->link);
}

/* The lease can be used: the next in line gets it. */
static void now_free(struct lease *lease)
{
    struct leases *leases = &lease->pool->leases;
    lease->state = LEASE_FREE;
    if (leases->first == NULL)
        return;
    lease->state = LEASE_TAKEN;
    observe_lease(+1);
    waiter_serve(leases, lease);
}

/* Those who wait go on waiting while others have leases that will come back. */
static void could_not_open(struct lease *lease)
{
    struct leases *leases = &lease->pool->leases;
    lease->state = LEASE_CLOSED;
    if (find(leases, LEASE_TAKEN) || find(leases, LEASE_GIVEN) ||
        find(leases, LEASE_OPENING))
        return;
    while (leases->first != NULL)
        waiter_serve(leases, NULL);
}

/* ------------------------------------------------------------- giving back */

static void cancel_work(uv_work_t *work)
{
    struct cancel *cancel = (struct cancel *)work;
    char error[256];
    PQcancel(cancel->key, error, sizeof error);
}

static void settle(struct lease *lease);

static void cancel_done(uv_work_t *work, int status)
{
    struct cancel *cancel = (struct cancel *)work;
    struct lease *lease = cancel->lease;
    (void)status;
    PQfreeCancel(cancel->key);
    free(cancel);
    if (lease == NULL)
        return;
    lease->cancel = NULL;
    if (lease->state == LEASE_GIVEN)
        settle(lease);
}

static void cancel_start(struct lease *lease)
{
    if (lease->cancel != NULL || link_state_of(lease->link) != LINK_UP)
        return;
    struct cancel *cancel = calloc(1, sizeof *cancel);
    if (cancel == NULL)
        abort();
    cancel->lease = lease;
    cancel->key = link_cancel_key(lease->link);
    lease->cancel = cancel;
    if (cancel->key == NULL ||
        uv_queue_work(loop_uv(lease->pool->loop), &cancel->work, cancel_work,
                      cancel_done) != 0)
        abort();
}

static void roll_back(struct lease *lease)
{
    lease->rolled_back = true;
    struct statement *s = statement_create(NULL, STATEMENT_COMMAND, NULL);
    s->command = "rollback";
    s->at_sync = true;
    link_send(lease->link, s);
    link_sync(lease->link);
}

/* A cancel that is still on its way could hit the next one's statement, so it
 * is waited for, too. */
static void settle(struct lease *lease)
{
    if (link_state_of(lease->link) != LINK_UP) {
        lease->state = LEASE_CLOSED;
        if (lease->pool->leases.first != NULL)
            open_one(&lease->pool->leases);
        return;
    }
    if (link_in_flight(lease->link) > 0 || lease->cancel != NULL)
        return;
    if (!link_in_transaction(lease->link)) {
        now_free(lease);
        return;
    }
    if (!lease->rolled_back) {
        roll_back(lease);
        return;
    }
    link_close(lease->link);
    settle(lease);
}

void lease_give(struct lease *lease)
{
    lease->state = LEASE_GIVEN;
    lease->rolled_back = false;
    observe_lease(-1);
    settle(lease);
}

/* --------------------------------------------------------------- the link */

static void on_changed(struct link *link)
{
    struct lease *lease = link_owner(link);
    bool up = link_state_of(link) == LINK_UP;
    switch (lease->state) {
    case LEASE_OPENING:
        if (up)
            now_free(lease);
        else
            could_not_open(lease);
        return;
    case LEASE_FREE:
        lease->state = LEASE_CLOSED;
        return;
    case LEASE_GIVEN:
        settle(lease);
        return;
    default: /* who has it finds out at the next statement */
        return;
    }
}

static void on_finished(struct link *link, struct statement *s,
                        statement_outcome outcome)
{
    struct lease *lease = link_owner(link);
    statement_finish(s, outcome);
    if (lease->state == LEASE_GIVEN && link_state_of(link) == LINK_UP)
        settle(lease);
}

/* --------------------------------------------------------------- top level */

void leases_init(struct leases *leases, struct db_pool *pool, int count)
{
    leases->last = &leases->first;
    leases->count = count;
    leases->all = calloc((size_t)count, sizeof *leases->all);
    if (leases->all == NULL)
        abort();
    for (int i = 0; i < count; i++) {
        leases->all[i].pool = pool;
        leases->all[i].link = pool_link(
            pool, (struct link_options){
                      .settings = pool->lease_settings,
                      .answer_ms = pool->options.statement_timeout_ms +
                                   POOL_ANSWER_GRACE_MS,
                      .changed = on_changed,
                      .finished = on_finished,
                      .owner = &leases->all[i],
                  });
    }
}

void leases_finish(struct leases *leases)
{
    for (int i = 0; i < leases->count; i++) {
        struct lease *lease = &leases->all[i];
        if (lease->cancel != NULL)
            lease->cancel->lease = NULL;
        link_destroy(lease->link);
    }
    while (leases->first != NULL)
        waiter_serve(leases, NULL);
    free(leases->all);
    leases->all = NULL;
    leases->count = 0;
}

int leases_used(const struct leases *leases)
{
    int used = 0;
    for (int i = 0; i < leases->count; i++)
        used += leases->all[i].state == LEASE_TAKEN ||
                leases->all[i].state == LEASE_GIVEN;
    return used;
}

int leases_up(const struct leases *leases)
{
    int up = 0;
    for (int i = 0; i < leases->count; i++)
        up += link_state_of(leases->all[i].link) == LINK_UP;
    return up;
}

static rpc_status wait_in_line(struct db_pool *pool, struct rpc_call *call,
                               struct lease **lease)
{
    struct leases *leases = &pool->leases;
    struct lease_waiter w = {.call = call};
    waiter_add(leases, &w);
    open_one(leases);
    rpc_status ended = rpc_wait_for(call, "database link", &w.done);
    if (ended.code != RPC_OK) {
        if (!w.done)
            waiter_remove(leases, &w);
        else if (w.lease != NULL)
            lease_give(w.lease);
        return ended;
    }
    *lease = w.lease;
    return w.lease == NULL ? pool_unavailable(call) : RPC_SUCCESS;
}

rpc_status lease_take(struct db_pool *pool, struct rpc_call *call,
                      struct lease **lease)
{
    TRY(rpc_alive(call));
    struct leases *leases = &pool->leases;
    struct lease *free_one = find(leases, LEASE_FREE);
    if (free_one != NULL && leases->first == NULL) {
        free_one->state = LEASE_TAKEN;
        observe_lease(+1);
        *lease = free_one;
        return RPC_SUCCESS;
    }
    if (pool_is_down(pool))
        return pool_unavailable(call);
    if (leases->waiting >= pool->options.lease_queue_max)
        return rpc_fail_retry(call, RPC_RESOURCE_EXHAUSTED, 100,
                              "The database has too much to do.");
    return wait_in_line(pool, call, lease);
}

static bool send_now(struct lease *lease, struct statement *s)
{
    s->at_sync = true;
    if (link_state_of(lease->link) != LINK_UP) {
        statement_finish(s, STATEMENT_UNSENT);
        return false;
    }
    link_send(lease->link, s);
    /* COMMIT has committed when it is answered, another one at its sync. */
    bool is_over = s->kind == STATEMENT_COMMAND;
    if (!is_over)
        link_sync(lease->link);
    bool asks = s->wants_position && link_send_position(lease->link, s);
    if (is_over || asks)
        link_sync(lease->link);
    return true;
}

rpc_status lease_run(struct lease *lease, struct statement *s)
{
    if (!send_now(lease, s))
        return RPC_SUCCESS;
    rpc_status ended = statement_wait(s);
    if (ended.code != RPC_OK && link_in_flight(lease->link) > 0)
        cancel_start(lease);
    return ended;
}

void lease_run_always(struct lease *lease, struct statement *s)
{
    if (send_now(lease, s))
        rpc_wait_always(s->call, &s->done);
}
