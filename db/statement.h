#ifndef PRBAL_DB_STATEMENT_H
#define PRBAL_DB_STATEMENT_H

#include "db/args.h"
#include "db/position.h"

#include <libpq-fe.h>

/* A statement on its way to PostgreSQL and back.
 *
 *   queued -> sent -> done
 *
 * It lives on the heap and not in the call's arena, because an answer can come
 * after the call that asked has gone. */
struct statement;

typedef enum {
    /* `result` is what PostgreSQL said: rows, a command's end, or an error. */
    STATEMENT_ANSWERED,
    /* Not run, since one before it in the same batch failed. */
    STATEMENT_SKIPPED,
    /* The link was lost (or never came up) before the statement left. */
    STATEMENT_UNSENT,
    /* The link was lost after it left: it may have run. */
    STATEMENT_LOST,
} statement_outcome;

typedef enum {
    STATEMENT_RUN,      /* query with params */
    STATEMENT_DESCRIBE, /* the types of a query's parameters */
    STATEMENT_COMMAND,  /* `command`: begin, commit, rollback */
} statement_kind;

struct statement {
    struct statement *next; /* in the list that it is in */
    struct rpc_call *call;  /* NULL: nobody waits for it any more */
    statement_kind kind;
    const char *command;          /* a literal */
    const struct db_query *query; /* RUN and DESCRIBE */
    const uint32_t *oids;         /* RUN; with `params` read when it is sent */
    const struct params *params;
    bool begins;  /* BEGIN goes ahead of it */
    bool alone;   /* shares no implicit transaction with strangers */
    bool at_sync; /* done when its commit is, not when its rows are here */
    /* What it has committed is to be told by a position, which comes behind it
     * in the same write; `position` is not known when that could not be had. */
    bool wants_position;
    bool awaits_position; /* while sent */
    struct position position;
    bool skipped; /* while sent: it was not run */
    int steps;    /* while sent: protocol steps without an answer */
    int prepared; /* the number of the prepared statement that it ran as */
    bool done;
    statement_outcome outcome;
    PGresult *result;
};

struct statement *statement_create(struct rpc_call *call, statement_kind kind,
                                   const struct db_query *query);
void statement_destroy(struct statement *statement); /* accepts NULL */

/* Hands it back to the coroutine that waits, or destroys it when there is
 * none. */
void statement_finish(struct statement *statement, statement_outcome outcome);

/* Suspends until it is done.  When the call ends first, nobody waits for the
 * statement any more (whoever answers it destroys it), and the call's end is
 * returned. */
rpc_status statement_wait(struct statement *statement);

/* The SQLSTATE of an error result, "" otherwise. */
const char *statement_sqlstate(const struct statement *statement);
bool statement_failed(const struct statement *statement);

struct statement_list {
    struct statement *first, **last;
    size_t count;
};
void statement_list_init(struct statement_list *list);
void statement_list_add(struct statement_list *list, struct statement *s);
struct statement *statement_list_take(struct statement_list *list);
/* True when it was in the list. */
bool statement_list_remove(struct statement_list *list, struct statement *s);

#endif
