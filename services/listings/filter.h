#ifndef PRBAL_SERVICES_LISTINGS_FILTER_H
#define PRBAL_SERVICES_LISTINGS_FILTER_H

#include "db/db.h"
#include "prbal/v1/listing.rpc.h"

/* What a list is narrowed to, as arguments of the fragment service_filter
 * ($1 to $26 of services/listings/service_list.sql). */
enum { FILTER_ARGS = 26 };

/* Where the arguments of the circle stand: latitude, longitude, metres. */
enum { FILTER_CIRCLE = 11 };

/* What a list shows at all, before anybody filters. */
struct list_scope {
    ServiceKind kind; /* UNSPECIFIED for any */
    bool courses, others;
    bool not_own;
};

/* `filter` may be NULL.  INVALID_ARGUMENT on "filter.x" when it contradicts
 * itself.  Suspends: categories and misspelt words are looked up. */
rpc_status filter_args(struct rpc_call *call, const ServiceFilter *filter,
                       const struct list_scope *scope,
                       db_arg args[FILTER_ARGS]);

/* Narrows to a circle; 10 km when `radius_km` is 0. */
void filter_circle(const LatLng *point, double radius_km,
                   db_arg args[FILTER_ARGS]);

#endif
