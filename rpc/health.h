#ifndef PRBAL_RPC_HEALTH_H
#define PRBAL_RPC_HEALTH_H

#include "rpc/server_internal.h"

/* grpc.health.v1: every service of the server is as well as the server: it
 * serves while the ready hook says so and it is not going down. */

/* Tells the watchers of this worker when that has changed; once a second. */
void health_tick(struct rpc_worker *worker);

#endif
