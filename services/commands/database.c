#include "services/commands/database.h"

#include "db/admin.h"
#include "services/app.h"

#include <stdio.h>
#include <string.h>

enum { OLDEST_VERSION = 150000 };

static bool open_url(struct database *database, char *error, size_t error_size)
{
    char reason[512];
    struct db_admin *link = db_admin_open(database->url, reason, sizeof reason);
    if (link == NULL) {
        snprintf(error, error_size,
                 "The database of PRBAL_DATABASE_URL cannot be reached: %s",
                 reason);
        return false;
    }
    int version = db_admin_version(link);
    db_admin_close(link);
    if (version >= OLDEST_VERSION)
        return true;
    snprintf(
        error, error_size,
        "The database of PRBAL_DATABASE_URL is PostgreSQL %d.%d; 15 is the "
        "oldest that will do.",
        version / 10000, version % 10000);
    return false;
}

static bool open_private(struct database *database,
                         const struct embedded_options *options, char *error,
                         size_t error_size)
{
    database->embedded = embedded_start(options, error, error_size);
    if (database->embedded == NULL)
        return false;
    database->url = embedded_url(database->embedded);
    return true;
}

bool database_open(struct database *database, bool share, char *error,
                   size_t error_size)
{
    *database = (struct database){.url = app_config()->database_url};
    if (*database->url != '\0')
        return open_url(database, error, error_size);
    const struct embedded_options options = {.folder = app_data_folder(),
                                             .backup = app_config()->backup,
                                             .share = share};
    return open_private(database, &options, error, error_size);
}

bool database_take_over(struct database *database,
                        const struct embedded_lease *lease, char *error,
                        size_t error_size)
{
    *database = (struct database){0};
    const struct embedded_options options = {.folder = app_data_folder(),
                                             .backup = app_config()->backup,
                                             .lease = lease};
    return open_private(database, &options, error, error_size);
}

void database_close(struct database *database)
{
    embedded_stop(database->embedded);
    *database = (struct database){0};
}
