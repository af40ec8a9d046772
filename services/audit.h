#ifndef PRBAL_SERVICES_AUDIT_H
#define PRBAL_SERVICES_AUDIT_H

#include "db/db.h"

/* The record of who did what, append-only, written by the transaction that
 * does it: an act that is rolled back leaves no trace of having happened.
 * `action` is "bid.accepted"; the object and `detail_json` may be NULL.  The
 * actor, the session and the request are the call's.  Suspends. */
rpc_status audit(struct db *db, const char *action, const char *object_type,
                 const char *object_id, const char *detail_json);

#endif
