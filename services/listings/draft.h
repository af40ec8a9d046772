#ifndef PRBAL_SERVICES_LISTINGS_DRAFT_H
#define PRBAL_SERVICES_LISTINGS_DRAFT_H

#include "db/db.h"
#include "prbal/v1/listing.rpc.h"

/* What an owner says of a service, on its way into the database: the terms of
 * a Service message that service_insert and service_update write. */

/* Arguments of both statements; the caller of draft_args() fills those before
 * DRAFT_FIRST_ARG. */
enum { DRAFT_FIRST_ARG = 4, DRAFT_ARGS = 35 };

/* Puts the defaults that the .proto tells in place of what is unset. */
void draft_set_defaults(Service *draft);

/* The rules that hold for a service as a whole.  INVALID_ARGUMENT on the field
 * that breaks one. */
rpc_status draft_check(struct rpc_call *call, const Service *draft);

/* Looks the categories up: INVALID_ARGUMENT when one is unknown or inactive.
 * Suspends. */
rpc_status draft_name_categories(struct db *db, const Service *draft,
                                 const char **names);

/* Fills args[DRAFT_FIRST_ARG] to the end. */
void draft_args(struct rpc_call *call, const Service *draft,
                const char *category_names, db_arg args[DRAFT_ARGS]);

#endif
