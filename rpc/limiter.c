#include "rpc/limiter.h"

#include <stdlib.h>
#include <uv.h>

/* Keys are hashes already: the low bits choose the stripe, the next ones the
 * row.  A row is one cache line. */
enum { STRIPES = 64, ROWS = 128, WAYS = 4 };

struct bucket {
    uint64_t key;
    int64_t full_us; /* when the bucket will be full again */
};

struct stripe {
    uv_mutex_t lock;
    struct bucket rows[ROWS][WAYS];
};

struct rpc_limiter {
    struct stripe stripes[STRIPES];
};

struct rpc_limiter *limiter_create(void)
{
    struct rpc_limiter *limiter = calloc(1, sizeof *limiter);
    if (limiter == NULL)
        abort();
    for (int i = 0; i < STRIPES; i++)
        if (uv_mutex_init(&limiter->stripes[i].lock) != 0)
            abort();
    return limiter;
}

void limiter_destroy(struct rpc_limiter *limiter)
{
    if (limiter == NULL)
        return;
    for (int i = 0; i < STRIPES; i++)
        uv_mutex_destroy(&limiter->stripes[i].lock);
    free(limiter);
}

static struct bucket *find_bucket(struct bucket row[WAYS], uint64_t key)
{
    struct bucket *fullest = &row[0];
    for (int i = 0; i < WAYS; i++) {
        if (row[i].key == key)
            return &row[i];
        if (row[i].full_us < fullest->full_us)
            fullest = &row[i];
    }
    *fullest = (struct bucket){.key = key};
    return fullest;
}

static limiter_answer take(struct bucket *bucket, int64_t token_us,
                           uint32_t burst, int64_t now_us)
{
    int64_t full_us = bucket->full_us > now_us ? bucket->full_us : now_us;
    int64_t late_us = full_us + token_us - (now_us + token_us * burst);
    if (late_us > 0)
        return (limiter_answer){.retry_ms = (late_us + 999) / 1000};
    bucket->full_us = full_us + token_us;
    return (limiter_answer){
        .is_allowed = true,
        .remaining = (uint32_t)(-late_us / token_us),
    };
}

limiter_answer limiter_take(struct rpc_limiter *limiter, uint64_t key,
                            uint32_t count, int64_t period_us, uint32_t burst,
                            int64_t now_us)
{
    struct stripe *stripe = &limiter->stripes[key % STRIPES];
    uv_mutex_lock(&stripe->lock);
    struct bucket *bucket =
        find_bucket(stripe->rows[key / STRIPES % ROWS], key);
    limiter_answer answer = take(bucket, period_us / count, burst, now_us);
    uv_mutex_unlock(&stripe->lock);
    return answer;
}
