#ifndef PRBAL_TESTS_STANDBY_H
#define PRBAL_TESTS_STANDBY_H

/* A real streaming standby of a PostgreSQL, made by pg_basebackup, in a folder
 * of its own.  Main thread. */
struct standby;

/* Runs when this returns.  Failing is a sentence on stderr and the end of the
 * program. */
struct standby *standby_create(const char *primary_url);
const char *standby_url(const struct standby *standby);

/* SIGKILL to its postmaster, waited for; and again. */
void standby_kill(struct standby *standby);
void standby_start(struct standby *standby);

void standby_destroy(struct standby *standby); /* accepts NULL */

#endif
