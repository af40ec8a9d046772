#ifndef PRBAL_RPC_LOAD_H
#define PRBAL_RPC_LOAD_H

#include "rpc/orca.h"

#include <stdatomic.h>

struct rpc_worker;

/* What calls came to, and how full the loop is.  Written by one loop, read by
 * any thread. */
struct load_counts {
    _Atomic uint64_t started, succeeded, failed;
    _Atomic uint64_t faults; /* of the failed: those that are the server's */
    _Atomic int64_t last_started_us;
    _Atomic uint32_t fullness_permille;
};

/* On the worker's loop. */
void load_count_start(struct rpc_worker *worker);
void load_count_end(struct rpc_worker *worker, rpc_code code);

/* Lets others see how full this loop is: calls in flight or the time of a
 * pass, whichever is nearer to its limit. */
void load_publish(struct rpc_worker *worker);

/* Where the last measurement stood. */
struct load_meter {
    int64_t at_us, cpu_us;
    uint64_t calls, faults;
};

/* The process since the last measurement.  False, and nothing is written, when
 * that was less than a second ago. */
bool load_measure(const struct rpc_server *server, struct load_meter *meter,
                  double values[RPC_LOAD_VALUES]);

#endif
