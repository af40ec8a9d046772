#include "services/events/trim.h"

#include "db/db.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/events/event.sql.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    TRIM_EVERY_MS = 60 * 1000,
    EVENTS_A_BITE = 2000,
    BITES_MAX = 200,
    PAUSE_MS = 50, /* between bites, for everybody else's statements */
};

struct trimmer {
    struct rpc_server *server;
    struct loop *loop;
    struct loop_timer timer;
};

rpc_status trim_events(struct rpc_call *call, int64_t older_than_ms,
                       int64_t *deleted)
{
    *deleted = 0;
    for (int i = 0; i < BITES_MAX; i++) {
        int64_t bite = 0;
        TRY(db_exec(call->db, &event_trim, &bite,
                    db_double((double)older_than_ms / 1000),
                    db_int(EVENTS_A_BITE)));
        *deleted += bite;
        if (bite < EVENTS_A_BITE)
            break;
        TRY(rpc_sleep(call, PAUSE_MS));
    }
    return RPC_SUCCESS;
}

/* A round that fails is followed by another one in a minute. */
static void trim_task(struct rpc_call *call, void *argument)
{
    (void)argument;
    int64_t deleted;
    (void)trim_events(call, app_config()->event_retention_ms, &deleted);
}

static void on_timer(struct loop_timer *timer)
{
    struct trimmer *trimmer =
        (struct trimmer *)((char *)timer - offsetof(struct trimmer, timer));
    rpc_task(trimmer->server, trimmer->loop, trim_task, NULL);
    loop_timer_start(trimmer->loop, timer, TRIM_EVERY_MS);
}

struct trimmer *trimmer_create(struct rpc_server *server, struct loop *loop)
{
    struct trimmer *trimmer = calloc(1, sizeof *trimmer);
    assert(trimmer != NULL);
    trimmer->server = server;
    trimmer->loop = loop;
    loop_timer_init(&trimmer->timer, on_timer);
    loop_timer_start(loop, &trimmer->timer, TRIM_EVERY_MS);
    return trimmer;
}

void trimmer_destroy(struct trimmer *trimmer)
{
    if (trimmer == NULL)
        return;
    loop_timer_stop(&trimmer->timer);
    free(trimmer);
}
