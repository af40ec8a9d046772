#ifndef PRBAL_DB_CLUSTER_H
#define PRBAL_DB_CLUSTER_H

#include "db/child.h"

#include <stdbool.h>
#include <stddef.h>

/* The files of a private PostgreSQL: where they are, whose they are, and which
 * programs serve them. */
enum { CLUSTER_PATH_BYTES = 512 };

struct cluster {
    char folder[CLUSTER_PATH_BYTES];   /* absolute */
    char home[CLUSTER_PATH_BYTES];     /* <folder>/pg, and the socket in it */
    char data[CLUSTER_PATH_BYTES];     /* <folder>/pg/data */
    char log[CLUSTER_PATH_BYTES];      /* <folder>/pg/log */
    char programs[CLUSTER_PATH_BYTES]; /* PostgreSQL's bin */
    struct child_user user;
    int major; /* version of the programs */
};

/* What a step that fails has to say, in one sentence. */
struct cluster_error {
    char *text;
    size_t size;
};
bool cluster_fail(struct cluster_error error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Names the paths, makes <folder>, and finds the user and the programs. */
bool cluster_locate(struct cluster *cluster, const char *folder,
                    struct cluster_error error);

/* Makes <folder>/pg, runs initdb when there is no cluster yet, and checks one
 * that is there.  A run that was killed half way leaves nothing behind that the
 * next one would trip over. */
bool cluster_prepare(struct cluster *cluster, bool throw_away,
                     struct cluster_error error);

/* Only the first part of it: <folder>/pg, of the right owner, closed to all
 * others. */
bool cluster_make_home(const struct cluster *cluster,
                       struct cluster_error error);

/* Makes a folder like that, elsewhere; one that is there has to be of that
 * owner. */
bool cluster_make_folder(const struct cluster *cluster, const char *path,
                         struct cluster_error error);

/* Runs one of PostgreSQL's programs, or any other, as the cluster's user.
 * argv[0] is the path.  `tick`, if not NULL, is called with `argument` each
 * second.  False with "WHAT failed: WORDS". */
struct cluster_program {
    const char *what;
    const char *const *argv;
    int timeout_ms;  /* -1 = none */
    const char *log; /* for its output; NULL = the cluster's */
    void (*tick)(void *argument);
    void *argument;
};
bool cluster_run(const struct cluster *cluster,
                 const struct cluster_program *program,
                 struct cluster_error error);

/* Removes a folder with all that is in it; one that is not there is fine. */
void cluster_remove_tree(const char *path);

/* Whether the log has a line with these words. */
bool cluster_log_has(const struct cluster *cluster, const char *words);

/* The last FATAL, PANIC or error line of the log, or "" */
void cluster_last_words(const struct cluster *cluster, char *text, size_t size);

/* The postmaster that a file of the cluster speaks of and that truly runs in
 * this folder; 0 when none does.  A file left by one that is gone, whose number
 * another process may have by now, is removed. */
pid_t cluster_postmaster(const struct cluster *cluster);

#endif
