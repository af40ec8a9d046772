#ifndef PRBAL_RPC_FAULT_H
#define PRBAL_RPC_FAULT_H

#include "rpc/call.h"

#include <stddef.h>

/* Faults on purpose: delays and failures for whoever writes a client and wants
 * to see what it does on a bad day.
 *
 *   *=delay:300ms@20; prbal.v1.BidService/ListBids=abort:UNAVAILABLE@5
 *
 * Rules are separated by ";", and the first one whose method fits is used:
 * "SERVICE/METHOD", all of a service by a "*" behind the slash, or "*".  After
 * "=" stand "delay:DURATION" and "abort:CODE" in any order, each with
 * "@PERCENT" of the calls, 100 when it is left out.  A call with a delay and an
 * abort waits first.
 *
 * Chance is drawn from the call's request id: a client that sends the same
 * x-request-id again meets the same fault again. */
struct rpc_faults;

enum { RPC_FAULT_RULES_MAX = 32 };

/* NULL with one sentence in error[error_size]. */
struct rpc_faults *rpc_faults_parse(const char *text, char *error,
                                    size_t error_size);
void rpc_faults_free(struct rpc_faults *faults); /* accepts NULL */

/* May suspend.  An abort has the reason FAULT_INJECTED. */
rpc_status rpc_faults_meet(const struct rpc_faults *faults,
                           struct rpc_call *call);

#endif
