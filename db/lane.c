#include "db/lane.h"

#include "db/pool_internal.h"

static void fail_queue(struct lane *lane)
{
    struct statement *s;
    while ((s = statement_list_take(&lane->queue)) != NULL)
        statement_finish(s, STATEMENT_UNSENT);
}

static void on_changed(struct link *link)
{
    struct lane *lane = link_owner(link);
    switch (link_state_of(link)) {
    case LINK_UP:
        if (lane->url == NULL)
            pool_hurry(lane->pool);
        if (lane->up != NULL)
            lane->up(lane);
        lane_flush(lane);
        return;
    case LINK_CONNECTING: /* was lost, and is tried at once: what waits, waits
                           */
        return;
    default:
        fail_queue(lane);
    }
}

static void on_finished(struct link *link, struct statement *s,
                        statement_outcome outcome)
{
    struct lane *lane = link_owner(link);
    if (lane->finished != NULL)
        lane->finished(lane, s, outcome);
    else
        statement_finish(s, outcome);
}

void lane_init(struct lane *lane, struct db_pool *pool)
{
    lane->pool = pool;
    statement_list_init(&lane->queue);
    lane->link = pool_link(
        pool, (struct link_options){
                  .url = lane->url,
                  .settings = pool->lane_settings,
                  .answer_ms = pool->lane_statement_ms + POOL_ANSWER_GRACE_MS,
                  .keeps = true,
                  .changed = on_changed,
                  .finished = on_finished,
                  .owner = lane,
              });
}

void lane_finish(struct lane *lane)
{
    link_destroy(lane->link);
    lane->link = NULL;
    fail_queue(lane);
}

void lane_flush(struct lane *lane)
{
    if (link_state_of(lane->link) != LINK_UP)
        return;
    int open = 0; /* what was sent since the last sync */
    struct statement *s;
    while (link_in_flight(lane->link) < LANE_SENT_MAX &&
           (s = statement_list_take(&lane->queue)) != NULL) {
        if (s->call == NULL) { /* its arguments went with the call */
            statement_destroy(s);
            continue;
        }
        bool alone = s->alone || !lane->shares;
        if (open == LANE_BATCH_MAX || (alone && open > 0)) {
            link_sync(lane->link);
            open = 0;
        }
        link_send(lane->link, s);
        if (alone)
            link_sync(lane->link);
        bool asks = s->wants_position && link_send_position(lane->link, s);
        if (alone && asks)
            link_sync(lane->link);
        open += !alone;
    }
    if (open > 0)
        link_sync(lane->link);
}

static rpc_status refuse(struct statement *s, rpc_status status)
{
    statement_destroy(s);
    return status;
}

rpc_status lane_run(struct lane *lane, struct statement *s)
{
    s->at_sync = !lane->shares;
    link_open(lane->link);
    if (link_state_of(lane->link) == LINK_WAITING)
        return refuse(s, pool_unavailable(s->call));
    if (lane->queue.count + link_in_flight(lane->link) >= LANE_IN_FLIGHT_MAX)
        return refuse(s, rpc_fail_retry(s->call, RPC_RESOURCE_EXHAUSTED, 100,
                                        "The database has too much to do."));
    statement_list_add(&lane->queue, s);
    return statement_wait(s);
}
