#ifndef PRBAL_DB_EMBEDDED_H
#define PRBAL_DB_EMBEDDED_H

#include <stdbool.h>
#include <stddef.h>

/* A private PostgreSQL for one data folder: initdb on first use, `postgres` as
 * a supervised child on a Unix socket in the folder, no TCP, never as root (as
 * root it runs as the user `postgres`).  It goes down with this process,
 * however that ends, and one that is still going down is waited for.  Blocking
 * calls, for start-up and shutdown; all on the main thread, because the child
 * lives as long as the thread that started it.
 *
 *   <folder>/lock          held while a process runs the folder's server
 *   <folder>/pg/           0700, of the user that postgres runs as
 *            data/         the cluster
 *            log           what postgres says
 *            .s.PGSQL.5432 the socket */
struct embedded;

struct embedded_options {
    const char *folder;
    bool throw_away; /* fsync off: for tests only */
    /* When another process runs the folder's server, use that one: it is not
     * stopped by embedded_stop().  Without it this is an error. */
    bool share;
};

/* Starts it and waits until it answers, creating the database "prbal" when it
 * is not there.  NULL with a sentence in error[error_size]. */
struct embedded *embedded_start(const struct embedded_options *options,
                                char *error, size_t error_size);

/* libpq connection string; lives as long as the handle. */
const char *embedded_url(const struct embedded *embedded);

/* The folder of PostgreSQL's programs, for psql and pg_dump. */
const char *embedded_programs(const struct embedded *embedded);

/* The process id of the postmaster, or 0 when it has died or is shared. */
int embedded_pid(const struct embedded *embedded);

/* False when the server had died and was started again just now, which is done
 * at most once a second and does not wait until it answers.  Call it about once
 * a second. */
bool embedded_supervise(struct embedded *embedded);

/* Fast shutdown, waited for.  Accepts NULL. */
void embedded_stop(struct embedded *embedded);

#endif
