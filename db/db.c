#include "db/db.h"

#include "db/execute.h"
#include "db/sqlstate.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool db_is_transaction(const struct db *db)
{
    return db->tx != NULL;
}

struct rpc_call *db_call(const struct db *db)
{
    return db->call;
}

/* ---------------------------------------------------------------- positions
 */

bool db_wants_position(const struct db *db, bool writes)
{
    const struct db *first = db->call->db;
    bool tells_reads = first != NULL && first->tells_reads;
    return tells_reads || (writes && db->call->method != NULL);
}

void db_note_position(struct db *db, const struct position *position)
{
    struct db *first = db->call->db;
    if (first == NULL || position_compare(position, &first->wrote) <= 0)
        return;
    first->wrote = *position;
    first->is_told = false;
}

bool db_read_after(const struct rpc_call *call, char token[DB_READ_AFTER_BYTES])
{
    const struct db *db = call->db;
    if (db == NULL || !position_is_known(&db->wrote))
        return false;
    position_write(&db->wrote, token);
    return true;
}

bool db_read_after_news(struct rpc_call *call, char token[DB_READ_AFTER_BYTES])
{
    struct db *db = call->db;
    if (db == NULL || db->is_told || !db_read_after(call, token))
        return false;
    return db->is_told = true;
}

void db_tell_reads(struct rpc_call *call)
{
    call->db->tells_reads = true;
}

/* -------------------------------------------------------------------- rows */

/* "UserSummary" is called "user summary". */
static const char *spoken_name(struct arena *arena, const char *type)
{
    char *spoken = arena_alloc(arena, 2 * strlen(type) + 1), *at = spoken;
    for (const char *p = type; *p != '\0'; p++) {
        if (isupper((unsigned char)*p) && p != type)
            *at++ = ' ';
        *at++ = (char)tolower((unsigned char)*p);
    }
    return spoken;
}

/* A query's plan is made from its first result, and again when the columns have
 * other types: the database may have been restored, or migrated. */
static rpc_status plan_for(struct db *db, const struct db_query *query,
                           const PGresult *result, struct row_plan **plan)
{
    struct description *d = pool_description(db->pool, query);
    if (d->plan == NULL || !row_plan_fits(d->plan, result)) {
        char error[256] = "";
        free(d->plan);
        d->plan = row_plan_create(query, result, error, sizeof error);
        if (d->plan == NULL) {
            sqlstate_log(query, "plan", error);
            return rpc_fail(db->call, RPC_INTERNAL, "%s", error);
        }
    }
    *plan = d->plan;
    return RPC_SUCCESS;
}

static rpc_status read_rows(struct db *db, const struct db_query *query,
                            const PGresult *result, void **messages)
{
    struct row_plan *plan;
    TRY(plan_for(db, query, result, &plan));
    for (int i = 0; i < PQntuples(result); i++)
        TRY(row_read(db->call, plan, result, i, &messages[i]));
    return RPC_SUCCESS;
}

static rpc_status read_one(struct db *db, const struct db_query *query,
                           const PGresult *result, void **message)
{
    *message = NULL;
    if (PQntuples(result) == 0)
        return RPC_SUCCESS;
    if (PQntuples(result) > 1)
        return rpc_fail(db->call, RPC_INTERNAL, "%s gave %d rows, not one",
                        query->name, PQntuples(result));
    return read_rows(db, query, result, message);
}

static rpc_status check_row(struct db *db, const struct db_query *query)
{
    if (query->row != NULL)
        return RPC_SUCCESS;
    return rpc_fail(db->call, RPC_INTERNAL, "%s is :exec", query->name);
}

rpc_status db_find_args(struct db *db, const struct db_query *query,
                        void *message, const db_arg *args, size_t count)
{
    PGresult *result;
    TRY(check_row(db, query));
    TRY(execute(db, query, args, count, &result));
    void *found;
    rpc_status status = read_one(db, query, result, &found);
    PQclear(result);
    if (status.code == RPC_OK)
        memcpy(message, &found, sizeof found);
    return status;
}

rpc_status db_one_args(struct db *db, const struct db_query *query,
                       void *message, const db_arg *args, size_t count)
{
    void *found;
    TRY(db_find_args(db, query, &found, args, count));
    if (found == NULL)
        return rpc_fail(db->call, RPC_NOT_FOUND, "%s not found",
                        spoken_name(db->call->arena, query->row->short_name));
    memcpy(message, &found, sizeof found);
    return RPC_SUCCESS;
}

rpc_status db_many_args(struct db *db, const struct db_query *query, size_t *n,
                        void *messages, const db_arg *args, size_t count)
{
    PGresult *result;
    TRY(check_row(db, query));
    TRY(execute(db, query, args, count, &result));
    size_t rows = (size_t)PQntuples(result);
    void **found = arena_array(db->call->arena, rows, sizeof *found);
    rpc_status status = read_rows(db, query, result, found);
    PQclear(result);
    if (status.code != RPC_OK)
        return status;
    *n = rows;
    if (rows == 0)
        found = NULL;
    memcpy(messages, &found, sizeof found);
    return status;
}

rpc_status db_exec_args(struct db *db, const struct db_query *query,
                        int64_t *changed, const db_arg *args, size_t count)
{
    PGresult *result;
    TRY(execute(db, query, args, count, &result));
    if (changed != NULL)
        *changed = strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return RPC_SUCCESS;
}
