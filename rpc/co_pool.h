#ifndef PRBAL_RPC_CO_POOL_H
#define PRBAL_RPC_CO_POOL_H

#include <stdbool.h>
#include <stddef.h>

/* The coroutines of one loop: its ready queue and its stacks.  For rpc/loop.c
 * alone. */
struct co_pool;

struct co_pool *co_pool_create(void);

/* Every coroutine must have ended; a parked one is a broken promise and ends
 * the process. */
void co_pool_destroy(struct co_pool *pool);

/* Runs each coroutine that was ready when this was called, until it parks or
 * ends.  False when none was ready. */
bool co_pool_run(struct co_pool *pool);
bool co_pool_is_ready(const struct co_pool *pool);

/* Coroutines that have not ended. */
size_t co_pool_live(const struct co_pool *pool);

/* Stacks that wait for the next ones. */
size_t co_pool_spare_stacks(const struct co_pool *pool);

#endif
