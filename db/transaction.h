#ifndef PRBAL_DB_TRANSACTION_H
#define PRBAL_DB_TRANSACTION_H

#include "db/pool_internal.h"

/* Runs a statement in db's transaction, with BEGIN ahead of the first one.
 * Suspends.  After RPC_OK the statement is done and the caller's, else it is
 * gone. */
rpc_status transaction_run(struct db *db, struct statement *statement);

/* A statement of it failed: nothing more will run, and a commit answers
 * `status`. */
void transaction_fail(struct db *db, rpc_status status);

#endif
