#include "services/listings/views.h"

#include "db/db.h"
#include "rpc/loop.h"
#include "services/listings/views.sql.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The views that wait on this loop.  The first one starts a task that sleeps,
 * takes the batch out of the loop's slot, writes it and frees it. */
struct batch {
    size_t count;
    const char *services[VIEWS_BATCH_MAX];
    const char *viewers[VIEWS_BATCH_MAX];
    char ids[VIEWS_BATCH_MAX][2][37]; /* what the two arrays point at */
};

static int slot;
static pthread_once_t slot_once = PTHREAD_ONCE_INIT;

static void take_slot(void)
{
    slot = loop_slot();
}

/* Views are worth no retry: what cannot be written now is dropped, and so is
 * the last second of a server that goes down. */
static void write_batch(struct rpc_call *call, void *argument)
{
    struct batch *batch = argument;
    rpc_status slept = rpc_sleep(call, VIEWS_DELAY_MS);
    loop_set(call->loop, slot, NULL);
    if (slept.code == RPC_OK) {
        (void)db_exec(call->db, &views_record, NULL,
                      db_texts(batch->services, batch->count),
                      db_texts(batch->viewers, batch->count));
        (void)db_exec(call->db, &views_forget, NULL, DB_NONE);
    }
    free(batch);
}

/* NULL when no coroutine can be had. */
static struct batch *open_batch(struct rpc_call *call)
{
    struct batch *batch = calloc(1, sizeof *batch);
    assert(batch != NULL);
    loop_set(call->loop, slot, batch);
    if (rpc_task(call->server, call->loop, write_batch, batch) != NULL)
        return batch;
    loop_set(call->loop, slot, NULL);
    free(batch);
    return NULL;
}

static const char *keep_id(char place[37], const char *id)
{
    size_t length = strlen(id);
    assert(length < 37);
    memcpy(place, id, length + 1);
    return place;
}

void views_add(struct rpc_call *call, const char *service_id)
{
    pthread_once(&slot_once, take_slot);
    struct batch *batch = loop_get(call->loop, slot);
    if (batch == NULL)
        batch = open_batch(call);
    if (batch == NULL || batch->count == VIEWS_BATCH_MAX)
        return;
    size_t i = batch->count++;
    batch->services[i] = keep_id(batch->ids[i][0], service_id);
    batch->viewers[i] = keep_id(batch->ids[i][1], call->caller.id);
}
