#ifndef PRBAL_SERVICES_COMMANDS_INVARIANTS_H
#define PRBAL_SERVICES_COMMANDS_INVARIANTS_H

#include "db/admin.h"
#include "db/db.h"

/* What the marketplace promises of its data, whatever has happened to the
 * machine: looked at by `prbald check --invariants` and after a restore.
 * `query` takes no parameter and its first column counts what breaks the
 * sentence. */
struct invariant {
    const char *sentence;
    const struct db_query *query;
};

extern const struct invariant invariants[]; /* ends with a NULL sentence */

/* How many there are: these, and the rules of the ledger. */
size_t invariants_count(void);

/* Looks at all of them in one snapshot.  `tell` gets each sentence with its
 * count.  Reports how many are broken; -1 with a sentence in error[error_size]
 * when PostgreSQL does not answer.  Blocks. */
int invariants_check(struct db_admin *link,
                     void (*tell)(const char *sentence, long long broken),
                     char *error, size_t error_size);

#endif
