#ifndef PRBAL_DB_ROW_PLAN_H
#define PRBAL_DB_ROW_PLAN_H

#include "db/db.h"

#include <libpq-fe.h>

/* How the columns of one query become the fields of its message: worked out
 * once from the column names and types, then followed for every row.  The table
 * of what fits what is in db/column.c. */
struct row_plan;

/* From a result, or from the description of a prepared statement.  NULL with a
 * sentence in error[size] when a column has no field, or a type that its field
 * cannot take.  Freed with free(). */
struct row_plan *row_plan_create(const struct db_query *query,
                                 const PGresult *result, char *error,
                                 size_t size);

/* Whether `result` has the columns that the plan was made for. */
bool row_plan_fits(const struct row_plan *plan, const PGresult *result);

/* One row as a message in the call's arena.  INTERNAL when a value does not fit
 * its field, which the plan cannot foresee: a number out of range, an unknown
 * enum name. */
rpc_status row_read(struct rpc_call *call, const struct row_plan *plan,
                    const PGresult *result, int row, void *message);

#endif
