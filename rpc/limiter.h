#ifndef PRBAL_RPC_LIMITER_H
#define PRBAL_RPC_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

/* Token buckets by key, of a fixed number: a full table forgets the bucket
 * that is fullest, which is the one that matters least.  Shared by the
 * loops of a server: one caller on many connections has one bucket.  Kept as
 * the generic cell rate algorithm, so that a bucket is two words. */
struct rpc_limiter;

struct rpc_limiter *limiter_create(void);
void limiter_destroy(struct rpc_limiter *limiter); /* accepts NULL */

typedef struct {
    bool is_allowed;
    uint32_t remaining; /* calls that would pass now */
    int64_t retry_ms;   /* when not allowed: until the next one passes */
} limiter_answer;

/* Takes one token from the bucket of `key`, which holds `burst` and gets
 * `count` back evenly in `period_us`.  Both must be at least 1. */
limiter_answer limiter_take(struct rpc_limiter *limiter, uint64_t key,
                            uint32_t count, int64_t period_us, uint32_t burst,
                            int64_t now_us);

#endif
