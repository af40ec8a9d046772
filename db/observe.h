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

/* Who answers the reads of a call, where there are replicas, and why. */
typedef enum {
    OBSERVED_REPLICA,    /* a replica that is ready */
    OBSERVED_WAITED,     /* one that was waited for */
    OBSERVED_BEHIND,     /* the primary: none has come to the token in time */
    OBSERVED_LEFT_OUT,   /* the primary: all are down, busy or too far behind */
    OBSERVED_NO_TOKEN,   /* the primary: the call carries none */
    OBSERVED_UNREADABLE, /* the primary: it carries something else */
    OBSERVED_FAILED,     /* the primary, after a replica has failed */
    OBSERVED_ROUTES,
} observed_route;

enum { OBSERVE_SLOW_US = 1000000 };

void observe_statement(observed_as as, const struct db_query *query,
                       int64_t duration_us);
void observe_route(observed_route route);
void observe_error(const char *sqlstate);
void observe_link(int change); /* one more is up, or one less */
void observe_link_failure(const char *error);
void observe_lease(int change); /* taken, or back */
void observe_lease_wait(int change);

#endif
