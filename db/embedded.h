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

/* A server that runs, on its way from one process to the next.
 *
 *   owner --lend--> next one --embedded_start(lease)--> supervises it
 *     |                                                   |
 *     +--release--> embedded_keep(): waits, as its parent |
 *                       '------- sees the end of the pipe-'
 *
 * The kernel stops PostgreSQL when its parent ends, so the parent stays, as
 * little as it can be, until PostgreSQL ends, or all that hold the pipe's other
 * end have gone: then nobody supervises it, and it is told to stop. */
struct embedded_lease {
    int lock; /* the open <folder>/lock */
    int pipe; /* whoever holds it keeps PostgreSQL up */
    int pid;  /* the postmaster's */
};

struct embedded_options {
    const char *folder;
    bool throw_away; /* fsync off: for tests only */
    /* When another process runs the folder's server, use that one: it is not
     * stopped by embedded_stop().  Without it this is an error. */
    bool share;
    /* The folder of backups that finished WAL is kept in (db/backup.h); NULL or
     * "" = none.  Of a server that is taken over nothing changes. */
    const char *backup;
    /* Takes that server over, and these descriptors in any case; NULL = none.
     * One that has died meanwhile is started anew. */
    const struct embedded_lease *lease;
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

/* What the next process needs; the descriptors stay ours.  False when the
 * server is shared, or there is none to lend. */
bool embedded_lend(struct embedded *embedded, struct embedded_lease *lease);
/* The next one did not come to it: all is as before. */
void embedded_take_back(struct embedded *embedded);

/* The next one supervises the server: lets go of it, and frees the handle.
 * *pid is the postmaster's when this process is its parent and has to go on as
 * embedded_keep(*pid, *pipe); else 0. */
void embedded_release(struct embedded *embedded, int *pid, int *pipe);

/* Until the child `pid` has ended, or told to when nobody holds the other end
 * of `pipe` any more. */
void embedded_keep(int pid, int pipe);

/* Fast shutdown, waited for.  Accepts NULL. */
void embedded_stop(struct embedded *embedded);

#endif
