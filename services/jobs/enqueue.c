/* From a handler's transaction into the queue. */
#include "rpc/codec.h"
#include "services/events/wake.h"
#include "services/jobs/job.sql.h"
#include "services/jobs/jobs.h"
#include "services/jobs/worker.h"
#include "services/uuid.h"

#include <assert.h>

/* The jobs of one transaction.  Lives in the call's arena, as the argument of
 * the transaction's hooks. */
struct batch {
    size_t count, capacity;
    bool is_full;
    const char **ids, **kinds, **keys;
    ProtobufCBinaryData *arguments;
    int64_t *run_us, *attempts_max;
};

static rpc_status write_jobs(struct db *tx, void *argument)
{
    const struct batch *b = argument;
    if (b->is_full)
        return rpc_fail(db_call(tx), RPC_RESOURCE_EXHAUSTED,
                        "this asks for more work than can be queued at once");
    return db_exec(tx, &job_insert, NULL, db_texts(b->ids, b->count),
                   db_texts(b->kinds, b->count), db_texts(b->keys, b->count),
                   db_blobs(b->arguments, b->count),
                   db_ints(b->run_us, b->count),
                   db_ints(b->attempts_max, b->count));
}

static void wake_workers(struct rpc_call *call, void *argument)
{
    (void)argument;
    wake_users(call, (const char *const[]){JOBS_WAKE_NAME}, 1);
}

void job_wake_at_commit(struct db *tx)
{
    db_after_commit(tx, wake_workers, NULL);
}

static struct batch *batch_of(struct db *tx)
{
    struct batch *batch = db_before_commit_argument(tx, write_jobs);
    if (batch != NULL)
        return batch;
    batch = ARENA_NEW(db_call(tx)->arena, struct batch);
    db_before_commit(tx, write_jobs, batch);
    job_wake_at_commit(tx);
    return batch;
}

#define GROW(field)                                                        \
    (batch->field = arena_grown(arena, batch->field, batch->count, wanted, \
                                sizeof *batch->field))

static void make_room(struct arena *arena, struct batch *batch)
{
    if (batch->count < batch->capacity)
        return;
    size_t wanted = batch->count == 0 ? 4 : 2 * batch->count;
    GROW(ids);
    GROW(kinds);
    GROW(keys);
    GROW(arguments);
    GROW(run_us);
    GROW(attempts_max);
    batch->capacity = wanted;
}

static ProtobufCBinaryData packed(struct arena *arena, const struct job *job)
{
    ProtobufCBinaryData bytes = {0, NULL};
    if (job->arguments != NULL)
        bytes.data = codec_pack(arena, job->arguments, &bytes.len);
    return bytes;
}

const char *job_enqueue(struct db *tx, const struct job *job)
{
    assert(db_is_transaction(tx) && job->kind < JOB_KIND_COUNT);
    const struct job_kind *kind = &job_kinds[job->kind];
    assert((job->arguments == NULL ? NULL : job->arguments->descriptor) ==
           kind->arguments);
    struct arena *arena = db_call(tx)->arena;
    struct batch *batch = batch_of(tx);
    const char *id = uuid_create(arena);
    batch->is_full |= batch->count == JOBS_PER_TRANSACTION_MAX;
    if (batch->is_full)
        return id;
    make_room(arena, batch);

    size_t i = batch->count++;
    batch->ids[i] = id;
    batch->kinds[i] = kind->name;
    batch->keys[i] =
        job->unique_key == NULL ? "" : arena_strdup(arena, job->unique_key);
    batch->arguments[i] = packed(arena, job);
    batch->run_us[i] = job->run_at_us;
    batch->attempts_max[i] = kind->attempts_max;
    return id;
}
