#include "db/sqlstate.h"

#include "db/observe.h"
#include "db/pool_internal.h"
#include "rpc/log.h"

#include <string.h>

enum { CONFLICT_RETRY_MS = 50, RETRY_MS = 1000 };

typedef enum {
    ONCE,     /* the same again will fail again */
    CONFLICT, /* the transaction lost against another: run it again */
    LATER,    /* worth a try when some time has passed */
    OURS,     /* a mistake of ours: logged */
} again;

/* The first row whose state is a prefix counts. */
static const struct {
    const char *state;
    rpc_code code;
    again again;
    const char *sentence;
} table[] = {
    {"08", RPC_UNAVAILABLE, LATER,
     "The database cannot be reached at the moment."},
    {"22001", RPC_INVALID_ARGUMENT, ONCE, "A text is too long."},
    {"22003", RPC_INVALID_ARGUMENT, ONCE, "A number is out of range."},
    {"22007", RPC_INVALID_ARGUMENT, ONCE, "A time or date is malformed."},
    {"22008", RPC_INVALID_ARGUMENT, ONCE, "A time or date is out of range."},
    {"22021", RPC_INVALID_ARGUMENT, ONCE, "A text is not valid UTF-8."},
    {"22023", RPC_INVALID_ARGUMENT, ONCE, "A value is not allowed here."},
    {"22P02", RPC_INVALID_ARGUMENT, ONCE, "A value is malformed."},
    {"22P05", RPC_INVALID_ARGUMENT, ONCE, "A text holds a NUL character."},
    {"23502", RPC_INVALID_ARGUMENT, ONCE, "A value is missing."},
    {"23503", RPC_FAILED_PRECONDITION, ONCE,
     "Something that this refers to is not there, or is still in use."},
    {"23505", RPC_ALREADY_EXISTS, ONCE, "This is there already."},
    {"23514", RPC_FAILED_PRECONDITION, ONCE, "A value is not allowed here."},
    {"23P01", RPC_ABORTED, ONCE, "This collides with something else."},
    {"25006", RPC_UNAVAILABLE, LATER, /* a standby, during a failover */
     "The database takes no changes at the moment."},
    {"25P03", RPC_ABORTED, ONCE, "This took too long between two steps."},
    {"40001", RPC_ABORTED, CONFLICT, "Someone else was faster; try again."},
    {"40P01", RPC_ABORTED, CONFLICT, "Someone else was faster; try again."},
    {"53100", RPC_RESOURCE_EXHAUSTED, LATER,
     "The database has no room to write."},
    {"53", RPC_RESOURCE_EXHAUSTED, LATER, "The database has too much to do."},
    {"55P03", RPC_ABORTED, CONFLICT, "Someone else is at work on this."},
    {"57014", RPC_DEADLINE_EXCEEDED, ONCE, "The database took too long."},
    {"57P", RPC_UNAVAILABLE, LATER,
     "The database cannot be reached at the moment."},
    {"", RPC_INTERNAL, OURS, "internal error"},
};

void sqlstate_log(const struct db_query *query, const char *sqlstate,
                  const char *message)
{
    log_text(LOG_ERROR, "db", "%s (%s:%d): %s: %s", query->name, query->file,
             query->line, sqlstate, message);
}

static const char *field_of(const PGresult *result, int field)
{
    const char *text = PQresultErrorField(result, field);
    return text == NULL ? "" : text;
}

static rpc_status from_comment(struct rpc_call *call,
                               const struct constraint_text *text)
{
    rpc_status status = rpc_fail(call, text->code, "%s", text->sentence);
    if (text->field != NULL)
        rpc_add_field_violation(call, text->field, text->sentence);
    if (text->reason != NULL)
        rpc_add_reason(call, arena_strdup(call->arena, text->reason));
    return status;
}

static void remember_conflict(struct db *db, rpc_status status)
{
    db->retryable = status.message;
    if (db->call->db != NULL)
        db->call->db->retryable = status.message;
}

static rpc_status from_table(struct db *db, const struct db_query *query,
                             const char *state, const char *message)
{
    size_t i = 0;
    while (strncmp(state, table[i].state, strlen(table[i].state)) != 0)
        i++;
    rpc_status status =
        rpc_fail(db->call, table[i].code, "%s", table[i].sentence);
    switch (table[i].again) {
    case ONCE:
        break;
    case LATER:
        rpc_add_retry(db->call, RETRY_MS);
        break;
    case CONFLICT:
        rpc_add_retry(db->call, CONFLICT_RETRY_MS);
        remember_conflict(db, status);
        break;
    case OURS:
        sqlstate_log(query, state, message);
    }
    return status;
}

rpc_status sqlstate_conflict(struct db *db)
{
    return from_table(db, NULL, "40001", "");
}

/* A statement that our own cancel stopped has the call's end as its reason. */
rpc_status sqlstate_status(struct db *db, const struct db_query *query,
                           const PGresult *result)
{
    const char *state = field_of(result, PG_DIAG_SQLSTATE);
    const char *constraint = field_of(result, PG_DIAG_CONSTRAINT_NAME);
    observe_error(state);
    if (strcmp(state, "57014") == 0)
        TRY(rpc_alive(db->call));
    if (strncmp(state, "23", 2) == 0 && constraint[0] != '\0') {
        const struct constraint_text *text =
            constraint_find(db->pool, db->call, constraint);
        if (text != NULL)
            return from_comment(db->call, text);
    }
    return from_table(db, query, state,
                      field_of(result, PG_DIAG_MESSAGE_PRIMARY));
}
