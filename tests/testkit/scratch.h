#ifndef PRBAL_TESTS_SCRATCH_H
#define PRBAL_TESTS_SCRATCH_H

/* A migrated database for one test program, cloned from a template that the
 * first program of a test run makes.  The server is PRBAL_TEST_DATABASE_URL's,
 * or, when that is not set, one that is started for this program alone. */
struct scratch;

/* NULL with a sentence on stderr. */
struct scratch *scratch_create(void);
const char *scratch_url(const struct scratch *scratch);

/* Drops the database; no connection of this program may be left.  Accepts
 * NULL. */
void scratch_destroy(struct scratch *scratch);

#endif
