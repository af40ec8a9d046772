#ifndef PRBAL_RPC_GATHER_H
#define PRBAL_RPC_GATHER_H

#include "rpc/server_internal.h"

/* Asking every loop of a server what it knows.
 *
 * Connections and calls belong to their loops and have no locks.  So a question
 * is posted to each loop, which answers from what it has at that moment; it
 * costs the loops nothing when nobody asks. */

/* Runs on the worker's loop and fills `answer`, which is zeroed.  What it
 * points at is allocated in `arena`, or outlives the server. */
typedef void (*gather_fn)(struct rpc_worker *worker, struct arena *arena,
                          const void *question, void *answer);

struct gather_ask {
    gather_fn fn;
    const void *question; /* copied; nothing it points at is */
    size_t question_size;
    size_t answer_size;
};

/* Suspends until all loops have answered: *answers is an array of `answer_size`
 * each, one per worker, which lives as long as the call.  Fails when the call
 * ends first. */
rpc_status gather(struct rpc_call *call, const struct gather_ask *ask,
                  void *answers);

#endif
