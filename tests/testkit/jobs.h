#ifndef PRBAL_TESTS_JOBS_H
#define PRBAL_TESTS_JOBS_H

#include "services/jobs/jobs.h"
#include "services/jobs/run.h"
#include "tests/testkit/testkit.h"

/* Enqueues on the server's first loop, and commits or rolls back.  Returns the
 * job's id, in the fixture's arena. */
const char *enqueue(fixture *t, const struct job *job, bool commit);

/* Enqueues a mail to `to`, by the letters' own way. */
const char *enqueue_mail(fixture *t, const char *to, const char *unique_key);

/* Lets the server work until the query answers `want`; fails the test when it
 * does not come to that in a while. */
void until(fixture *t, int64_t want, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* QUEUED, RUNNING, or how it ended; "" for a job that is nowhere. */
const char *job_status(fixture *t, const char *job_id);
void until_status(fixture *t, const char *job_id, const char *status);

/* From now on nothing comes by the clock. */
void stop_schedule(fixture *t);

/* While on, no mail can be written. */
void break_outbox(bool on);

#endif
