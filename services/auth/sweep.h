#ifndef PRBAL_SERVICES_AUTH_SWEEP_H
#define PRBAL_SERVICES_AUTH_SWEEP_H

#include "rpc/call.h"

/* Removes what has long expired (codes, sessions, throttles, revocations), some
 * thousand rows at a time, and opens accounts whose suspension is over.  Any
 * number of processes may do it at once.  Failures are left to the next time.
 * Suspends. */
void auth_sweep(struct rpc_call *call);

#endif
