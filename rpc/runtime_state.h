#ifndef PRBAL_RPC_RUNTIME_STATE_H
#define PRBAL_RPC_RUNTIME_STATE_H

#include "prbal/runtime/v1/runtime.rpc.h"
#include "rpc/gather.h"

/* What the files of prbal.runtime.v1 share:
 *
 *   rpc/runtime.c              the process, loops, methods, limits, memory
 *   rpc/runtime_calls.c        calls and idle streams
 *   rpc/runtime_connections.c  connections */

enum { RUNTIME_PAGE_DEFAULT = 100, RUNTIME_PAGE_MAX = 1000 };

static inline size_t runtime_page(uint32_t asked)
{
    if (asked == 0)
        return RUNTIME_PAGE_DEFAULT;
    return asked < RUNTIME_PAGE_MAX ? asked : RUNTIME_PAGE_MAX;
}

/* How many there are on a loop, and the first ones of them in the order of the
 * list that is asked for. */
struct runtime_answer {
    void **rows;
    size_t count;
    size_t total;
};

/* Sorts the rows and keeps the first `room`. */
void runtime_trim(struct runtime_answer *answer, size_t room,
                  int (*compare)(const void *one, const void *other));

/* All loops' rows as one list, in the call's arena; `compare` takes pointers to
 * rows, as qsort() has it.  Suspends. */
rpc_status runtime_list(struct rpc_call *call, gather_fn fn, uint32_t page_size,
                        int (*compare)(const void *one, const void *other),
                        struct runtime_answer *list);

/* What the memory of a loop is used for (rpc/runtime_memory.c). */
enum { RUNTIME_MEMORY_MAX = 12 };

struct runtime_memory {
    const char *owner;
    uint64_t bytes;
};

size_t runtime_memory_of(const struct rpc_worker *worker,
                         struct runtime_memory memory[RUNTIME_MEMORY_MAX]);

/* The limits and what they refused (rpc/runtime_limits.c); after the loops'
 * rows are in `res`. */
void runtime_add_limits(struct rpc_call *call, GetServerStateResponse *res);

#endif
