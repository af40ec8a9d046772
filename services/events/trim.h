#ifndef PRBAL_SERVICES_EVENTS_TRIM_H
#define PRBAL_SERVICES_EVENTS_TRIM_H

#include "rpc/server.h"

/* Deletes events that are older than the setting event_retention, once a
 * minute, in small bites.  One for each process; several do no harm. */
struct trimmer;
struct trimmer *trimmer_create(struct rpc_server *server, struct loop *loop);
void trimmer_destroy(struct trimmer *trimmer); /* accepts NULL */

/* One round, at once: for the timer and for tests.  Suspends. */
rpc_status trim_events(struct rpc_call *call, int64_t older_than_ms,
                       int64_t *deleted);

#endif
