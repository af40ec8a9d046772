/* A question on its way:
 *
 *   asking loop --post--> each loop: fn() --post--> asking loop: one missing
 * less
 *
 * Only the asking loop counts and frees, so nothing here is shared at one time.
 * A call that ends before the last answer leaves the question to it. */
#include "rpc/gather.h"

#include "rpc/arena.h"

#include <stdlib.h>
#include <string.h>

struct question;

struct share {
    struct question *question;
    struct rpc_worker *worker;
    struct arena *arena;
    void *answer;
};

struct question {
    struct loop *home;
    struct rpc_call *call; /* NULL: it does not wait any more */
    gather_fn fn;
    void *question;
    bool done;
    int missing;
    int share_count;
    struct share shares[];
};

static void free_question(void *argument)
{
    struct question *q = argument;
    for (int i = 0; i < q->share_count; i++)
        arena_destroy(q->shares[i].arena);
    free(q->question);
    free(q);
}

static void on_answered(void *argument)
{
    struct question *q = ((struct share *)argument)->question;
    if (--q->missing > 0)
        return;
    q->done = true;
    if (q->call == NULL)
        free_question(q);
    else
        rpc_wake(q->call);
}

static void ask_here(void *argument)
{
    struct share *share = argument;
    struct question *q = share->question;
    q->fn(share->worker, share->arena, q->question, share->answer);
    loop_post(q->home, on_answered, share);
}

static struct question *make_question(struct rpc_call *call,
                                      const struct gather_ask *ask)
{
    int count = call->server->worker_count;
    struct question *q =
        calloc(1, sizeof *q + (size_t)count * sizeof q->shares[0]);
    void *copy = malloc(ask->question_size + 1);
    if (q == NULL || copy == NULL)
        abort();
    if (ask->question_size > 0)
        memcpy(copy, ask->question, ask->question_size);
    q->home = call->loop;
    q->call = call;
    q->fn = ask->fn;
    q->question = copy;
    q->missing = q->share_count = count;
    for (int i = 0; i < count; i++) {
        struct arena *arena = arena_create();
        q->shares[i] = (struct share){q, &call->server->workers[i], arena,
                                      arena_alloc(arena, ask->answer_size)};
    }
    return q;
}

rpc_status gather(struct rpc_call *call, const struct gather_ask *ask,
                  void *answers)
{
    struct question *q = make_question(call, ask);
    for (int i = 0; i < q->share_count; i++)
        loop_post(q->shares[i].worker->loop, ask_here, &q->shares[i]);
    rpc_status status = rpc_wait(call, &q->done);
    if (!q->done) {
        q->call = NULL; /* the last answer frees it */
        return status;
    }
    rpc_defer(call, free_question, q);
    char *all =
        arena_array(call->arena, (size_t)q->share_count, ask->answer_size);
    for (int i = 0; i < q->share_count; i++)
        memcpy(all + (size_t)i * ask->answer_size, q->shares[i].answer,
               ask->answer_size);
    *(void **)answers = all;
    return status;
}
