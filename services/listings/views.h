#ifndef PRBAL_SERVICES_LISTINGS_VIEWS_H
#define PRBAL_SERVICES_LISTINGS_VIEWS_H

#include "rpc/call.h"

/* Who looked at what.  A person counts once a day for each service; looking is
 * answered at once and written soon after, many views in one statement.  A
 * process that dies loses the views of its last second. */
enum { VIEWS_DELAY_MS = 1000, VIEWS_BATCH_MAX = 512 };

/* Remembers that the caller, who is signed in, saw a service.  When a batch is
 * full and cannot be written, views are dropped.  Does not suspend. */
void views_add(struct rpc_call *call, const char *service_id);

#endif
