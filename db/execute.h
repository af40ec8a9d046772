#ifndef PRBAL_DB_EXECUTE_H
#define PRBAL_DB_EXECUTE_H

#include "db/pool_internal.h"

/* Runs a query where `db` says: in a lane, or in its transaction.  Suspends.
 * After RPC_OK the result is rows or a command's end, and the caller's to
 * PQclear(). */
rpc_status execute(struct db *db, const struct db_query *query,
                   const db_arg *args, size_t count, PGresult **result);

#endif
