#ifndef PRBAL_DB_OBSERVE_H
#define PRBAL_DB_OBSERVE_H

#include "db/db.h"

/* What operators see of the database: numbers for Prometheus, and a line in
 * the log for a statement that took long. */

typedef enum {
    OBSERVED_READ,
    OBSERVED_WRITE,
    OBSERVED_TRANSACTION
} observed_as;

enum { OBSERVE_SLOW_US = 1000000 };

void observe_statement(observed_as as, const struct db_query *query,
                       int64_t duration_us);
void observe_error(const char *sqlstate);
void observe_link(int change); /* one more is up, or one less */
void observe_link_failure(const char *error);
void observe_lease(int change); /* taken, or back */
void observe_lease_wait(int change);

#endif
