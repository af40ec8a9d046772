#ifndef PRBAL_TESTS_MARKET_H
#define PRBAL_TESTS_MARKET_H

#include "tests/testkit/testkit.h"

/* Things on the market, put there by SQL: for tests of what comes after.  The
 * ids live in the fixture's arena. */

/* An id that nothing has. */
#define NOBODY "00000000-0000-4000-8000-000000000000"

/* OPEN services in Cairo, at 100.00 USD. */
const char *needed_service(fixture *t, const struct person *owner,
                           const char *title);
const char *offered_service(fixture *t, const struct person *owner,
                            const char *title);
const char *course(fixture *t, const struct person *owner, const char *title);

#endif
