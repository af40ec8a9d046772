#ifndef PRBAL_SERVICES_LISTINGS_SERVICE_H
#define PRBAL_SERVICES_LISTINGS_SERVICE_H

#include "db/db.h"
#include "prbal/v1/listing.rpc.h"
#include "services/listings/service_row.rpc.h"

/* For use inside the domain: what the methods on one service share. */

/* UNAUTHENTICATED for who is not signed in, where nothing is public. */
rpc_status listing_check_reader(struct rpc_call *call);

/* A service as the caller may see it; NOT_FOUND when they may not.  Suspends.
 */
rpc_status listing_read(struct db *db, const char *service_id,
                        Service **service);

/* Locks a service of the caller's, or any for an administrator: the row that
 * bids and bookings queue on as well, so it comes before those.  NOT_FOUND for
 * somebody else's.  Suspends. */
rpc_status listing_lock(struct db *tx, const char *service_id,
                        ServiceLockRow **row);

/* FAILED_PRECONDITION (SERVICE_NOT_ACTIVE) for a deleted one. */
rpc_status listing_check_active(struct rpc_call *call,
                                const ServiceLockRow *row);

#endif
