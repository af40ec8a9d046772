#ifndef PRBAL_DB_SQLSTATE_H
#define PRBAL_DB_SQLSTATE_H

#include "db/db.h"

#include <libpq-fe.h>

/* What an error result means to the caller of the RPC: by the comment on the
 * constraint that it names (db/constraint.h), else by the table in
 * db/sqlstate.c.  What PostgreSQL said goes to the log when it is our mistake,
 * and never to the caller.  Suspends. */
rpc_status sqlstate_status(struct db *db, const struct db_query *query,
                           const PGresult *result);

/* ABORTED, and db_is_retryable(): the transaction is to run again. */
rpc_status sqlstate_conflict(struct db *db);

/* A line in the log: a statement failed, and the reason is ours. */
void sqlstate_log(const struct db_query *query, const char *sqlstate,
                  const char *message);

#endif
