#ifndef PRBAL_DB_CHILD_H
#define PRBAL_DB_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/* A program that runs beside this one and does not outlive it: when the thread
 * that started it ends, by SIGKILL too, the kernel sends it `death_signal`.  So
 * start children on the main thread. */
struct child {
    pid_t pid;  /* 0 when none runs */
    int handle; /* a pidfd: readable once the process has ended */
};

/* Whom a child runs as; uid and gid of this process change nothing. */
struct child_user {
    uid_t uid;
    gid_t gid;
    char name[64];
};

/* Makes the calling process, a fresh fork, that user for good. */
bool child_become(const struct child_user *user);

struct child_spec {
    const char *const *argv;       /* argv[0] is the path */
    const struct child_user *user; /* NULL = as this process */
    const char *log;               /* gets stdout and stderr; appended to */
    int death_signal;
};

/* False with errno when there is no process to be had.  What fails after that,
 * such as a missing program, is an exit status of 127 and a line in the log. */
bool child_start(struct child *child, const struct child_spec *spec);

/* True once the child has ended, with *status as waitpid() gives it; then it is
 * forgotten.  Waits for that at most `timeout_ms`. */
bool child_wait(struct child *child, int timeout_ms, int *status);

void child_signal(const struct child *child, int signal_number);

/* The same for a process that is not ours; a pid that is not there has ended.
 */
bool process_wait(pid_t pid, int timeout_ms);

#endif
