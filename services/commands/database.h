#ifndef PRBAL_SERVICES_COMMANDS_DATABASE_H
#define PRBAL_SERVICES_COMMANDS_DATABASE_H

#include "db/embedded.h"

/* The database of the settings: the one that PRBAL_DATABASE_URL names, or the
 * private one of the data folder. */
struct database {
    struct embedded *embedded; /* NULL with PRBAL_DATABASE_URL */
    const char *url;
};

/* Starts the private one when it does not run.  With `share` one that another
 * prbald runs will do.  Checks that the server is new enough.  False with a
 * sentence in error[error_size].  Main thread. */
bool database_open(struct database *database, bool share, char *error,
                   size_t error_size);

/* The same of a private one that another process lends. */
bool database_take_over(struct database *database,
                        const struct embedded_lease *lease, char *error,
                        size_t error_size);
void database_close(struct database *database);

#endif
