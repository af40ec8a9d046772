#ifndef PRBAL_DB_MIGRATE_H
#define PRBAL_DB_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

/* Numbered SQL files, compiled in from db/migrations/NNNN_name.sql: forward
 * only, checksummed, each in its own transaction, all under one advisory lock.
 * Blocking, for start-up. */
struct migration {
    int number;
    const char *name;
    const char *sql;
};
extern const struct migration db_migrations[]; /* ends with number 0 */

/* Applies what is missing and reports how many that were, or -1 with a
 * sentence in error[error_size]: a changed file, a gap, a database newer than
 * this binary (which is allowed when newer_is_fine), a failed statement. */
int db_migrate(const char *url, bool newer_is_fine, char *error,
               size_t error_size);

#endif
