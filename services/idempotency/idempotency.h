#ifndef PRBAL_SERVICES_IDEMPOTENCY_IDEMPOTENCY_H
#define PRBAL_SERVICES_IDEMPOTENCY_IDEMPOTENCY_H

#include "rpc/call.h"

/* A retried write happens once: what (prbal.idempotent) promises to a caller
 * who sends an `idempotency-key`.  docs/idempotency.md has the promise as
 * clients read it.
 *
 *   key known?  same request:  the first reply again, byte for byte
 *               other request: INVALID_ARGUMENT, IDEMPOTENCY_KEY_REUSED
 *   new:        the handler's transaction begins with the key's row and ends
 *               with the reply in it, so both are there or neither
 *   a twin is at work: waited for, at last ABORTED, REQUEST_IN_FLIGHT
 *
 * A failure keeps nothing: the next call with the key runs the handler.
 *
 * What a marked method's handler owes for it, with and without a key:
 *
 *   - All that it writes is one transaction (db_begin(), db_commit()); a write
 *     outside of it, or a second commit, is INTERNAL.  A deadlock therefore
 *     runs it again from the top.
 *   - The response is complete at db_commit().  In development a change after
 *     that ends the process; else what was kept is answered. */

/* The server's `once` hook.  Suspends. */
rpc_status idempotency_run(struct rpc_call *call, const void *request,
                           void *response);

void idempotency_loop_start(struct loop *loop);
void idempotency_loop_stop(struct loop *loop);

#endif
