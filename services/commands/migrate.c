#include "db/migrate.h"

#include "services/commands/command.h"
#include "services/commands/database.h"

#include <stdio.h>

static int run(const char *const *arguments)
{
    if (*arguments != NULL)
        return command_misused(&command_migrate, *arguments);
    char error[COMMAND_ERROR_BYTES];
    struct database database;
    if (!database_open(&database, true, error, sizeof error))
        return command_fail("%s", error);
    int applied = db_migrate(database.url, false, error, sizeof error);
    database_close(&database);
    if (applied < 0)
        return command_fail("%s", error);
    if (applied == 0)
        printf("The database is up to date.\n");
    else
        printf("%d migration%s applied.\n", applied, applied == 1 ? "" : "s");
    return COMMAND_DONE;
}

const struct command command_migrate = {
    .name = "migrate",
    .summary = "Brings the database to this version's tables",
    .arguments = "",
    .help =
        "`prbald serve` does the same when it starts.  Each migration is one "
        "transaction,\nall are under one lock, and those that were applied "
        "are never applied again, so\nseveral may be started together.  A "
        "database that a newer prbald has migrated is\nrefused.\n",
    .run = run,
};
