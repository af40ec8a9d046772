#ifndef PRBAL_DB_EMBEDDED_H
#define PRBAL_DB_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>

/* A private PostgreSQL for one data folder: initdb on first use, `postgres` as
 * a supervised child on a Unix socket in the folder, no TCP, never as root (as
 * root it runs as the user `postgres`).  Blocking calls, for start-up and
 * shutdown on the main thread. */
struct embedded;

struct embedded_options {
    const char *folder;   /* <folder>/pg holds the cluster and the socket */
    bool throw_away;      /* fsync off: for tests only */
};

/* Starts it and waits until it answers, creating the database "prbal" when it
 * is not there.  NULL with a sentence in error[error_size]. */
struct embedded *embedded_start(const struct embedded_options *options,
                                char *error, size_t error_size);

/* libpq connection string; lives as long as the handle. */
const char *embedded_url(const struct embedded *embedded);

/* False when the child has died; it is then started again by the next
 * embedded_supervise(). */
bool embedded_supervise(struct embedded *embedded);

/* Fast shutdown, waited for.  Accepts NULL. */
void embedded_stop(struct embedded *embedded);

#endif
