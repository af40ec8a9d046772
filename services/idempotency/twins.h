#ifndef PRBAL_SERVICES_IDEMPOTENCY_TWINS_H
#define PRBAL_SERVICES_IDEMPOTENCY_TWINS_H

#include "rpc/call.h"

#include <protobuf-c/protobuf-c.h>

/* Calls of one name on one loop, one at a time: the first runs, the others wait
 * in line without anything that others could want, and hear how it ended.
 *
 *   enter --> RUN ------------------------> leave
 *     |        ^  turn passed on            |  |
 *     +- wait -+  <-------------------------+  |
 *          |                                   |
 *          +-> ANSWERED, BUSY <----------------+  told to all */

typedef enum {
    TWIN_RUN,      /* it is this call's turn; twin_leave() must follow */
    TWIN_ANSWERED, /* `hash` and `reply` are what the first one got */
    TWIN_BUSY,     /* another process is at it, and went on for too long */
} twin_turn;

/* What twins share, and one of them; on its coroutine's stack or in its arena.
 * `call` and `name` are set by who enters. */
struct twin {
    struct rpc_call *call;
    const char *name;
    const uint8_t *hash; /* of the request that was answered */
    ProtobufCBinaryData reply;

    struct twin *next;          /* of the bucket, or in line */
    struct twin *first, **last; /* who waits for this one */
    twin_turn turn;
    bool done;
};

/* Of the loop; called as the server's loop hooks are. */
void twins_loop_start(struct loop *loop);
void twins_loop_stop(struct loop *loop);

/* Suspends while a twin runs, and answers the call's end when that comes
 * first. */
rpc_status twin_enter(struct twin *twin, twin_turn *turn);

/* The running one is through.  With TWIN_RUN the next in line has its turn, as
 * nothing has come of this one; else all who wait are told.  Does not
 * suspend. */
void twin_leave(struct twin *twin, twin_turn told);

enum { TWIN_HASH_BYTES = 32 };

#endif
