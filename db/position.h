#ifndef PRBAL_DB_POSITION_H
#define PRBAL_DB_POSITION_H

#include "db/db.h"

#include <libpq-fe.h>

/* A place in the log of a PostgreSQL cluster: whoever has replayed that far
 * knows all that was committed before it.
 *
 *   cluster   which initdb made it; later ones have greater numbers
 *   timeline  grows with each failover
 *   lsn       bytes of the log
 *
 * Compared in that order.  All zero is no position. */
struct position {
    uint64_t cluster;
    uint32_t timeline;
    uint64_t lsn;
};

static inline bool position_is_known(const struct position *p)
{
    return p->lsn != 0;
}

/* Less than, equal to or greater than 0. */
int position_compare(const struct position *a, const struct position *b);

/* Whether whoever has replayed up to `have` knows everything up to `want`.
 * Positions of two clusters say nothing of each other. */
bool position_covers(const struct position *have, const struct position *want);

/* As a token: DB_READ_AFTER_BYTES of hexadecimal digits, whose order as text is
 * that of the positions.  Parsing refuses everything else. */
void position_write(const struct position *position,
                    char token[DB_READ_AFTER_BYTES]);
bool position_parse(struct position *position, const char *token, size_t size);

/* How far the log of a primary is on its disk, which is how far standbys can
 * have it: all that was committed is before that, unless commits are not waited
 * for (synchronous_commit=off), when it is as far as the log is in memory.  The
 * first one tells the cluster besides. */
extern const char position_sql_with_cluster[];
extern const char position_sql[];

/* From the first row of their binary results; keeps the cluster when it is not
 * told.  False when they make no sense. */
bool position_read(const PGresult *result, struct position *position);

#endif
