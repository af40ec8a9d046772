#ifndef PRBAL_RPC_POOL_H
#define PRBAL_RPC_POOL_H

#include <stddef.h>

/* Memory of one loop's connections and streams.
 *
 * HTTP/2 takes and frees a handful of small objects for every call.  Freed ones
 * wait here in lists by size for the next call, without locks and without
 * malloc()'s bookkeeping.  Allocation never returns NULL: running out of memory
 * ends the process. */
struct pool;

struct pool *pool_create(void);
void pool_destroy(struct pool *pool); /* what is still in use stays */

void *pool_alloc(struct pool *pool, size_t size);
void *pool_alloc_zeroed(struct pool *pool, size_t size);
void *pool_realloc(struct pool *pool, void *object, size_t size);
void pool_free(struct pool *pool, void *object); /* accepts NULL */

/* What is in use, and what waits for the next one. */
size_t pool_used_bytes(const struct pool *pool);
size_t pool_spare_bytes(const struct pool *pool);

#endif
