#ifndef PRBAL_DB_CONSTRAINT_H
#define PRBAL_DB_CONSTRAINT_H

#include "rpc/status.h"

#include <stdbool.h>
#include <stdint.h>

/* What a violated constraint means to the caller.  It is written where the
 * constraint is, as its comment in the migration:
 *
 *     comment on constraint bid_amount_positive on bid is
 *       'INVALID_ARGUMENT amount.amount_minor: The amount must be positive.';
 *     comment on index bid_one_live_per_provider is
 *       'ALREADY_EXISTS BID_EXISTS: You already have a live bid on this.';
 *
 *     CODE [REASON] [field.path]: sentence
 *
 * REASON becomes google.rpc.ErrorInfo, the path a BadRequest violation. */
struct constraint_text {
    const char *name;
    rpc_code code;
    const char *reason; /* NULL = none */
    const char *field;  /* NULL = none */
    const char *sentence;
};

/* The comments of one database, read when the first constraint is violated and
 * again, at most every few seconds, when an unknown one is. */
struct constraints {
    struct arena *arena;
    struct constraint_text *rows;
    int count;
    int64_t read_us; /* 0 = never */
};

struct db_pool;
struct rpc_call;

void constraints_finish(struct constraints *constraints);

/* NULL when there is no comment on it.  Suspends.  The result lives until
 * something suspends again. */
const struct constraint_text *constraint_find(struct db_pool *pool,
                                              struct rpc_call *call,
                                              const char *name);

/* Reads a comment; false when it does not have the form above. */
struct arena;
bool constraint_parse(struct arena *arena, const char *comment,
                      struct constraint_text *text);

#endif
