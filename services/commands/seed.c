#include "services/seed/seed.h"

#include "db/migrate.h"
#include "services/app.h"
#include "services/commands/command.h"
#include "services/commands/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_number(const char *const *arguments, int *number,
                        const char **bad)
{
    *number = SEED_NUMBER;
    *bad = *arguments;
    if (*arguments == NULL)
        return true;
    if (strcmp(*arguments, "--number") != 0 || arguments[1] == NULL)
        return false;
    char *end;
    *bad = arguments[1];
    long value = strtol(*bad, &end, 10);
    if (*end != '\0' || end == *bad || value < 0 || value > 1000000)
        return false;
    *number = (int)value;
    *bad = arguments[2];
    return *bad == NULL;
}

static bool fill(int number, struct seed_result *result, char *error,
                 size_t error_size)
{
    struct database database;
    if (!database_open(&database, true, error, error_size))
        return false;
    bool done = db_migrate(database.url, false, error, error_size) >= 0 &&
                seed_demo(database.url, number, result, error, error_size);
    database_close(&database);
    return done;
}

static int run(const char *const *arguments)
{
    int number;
    const char *bad;
    if (!read_number(arguments, &number, &bad))
        return command_misused(&command_seed, bad);
    if (app_config()->environment == ENVIRONMENT_PRODUCTION)
        return command_fail("demo accounts have a known password: there are "
                            "none in production.");

    char error[COMMAND_ERROR_BYTES];
    struct seed_result result;
    if (!fill(number, &result, error, sizeof error))
        return command_fail("%s", error);
    printf("%d demo accounts, %d services, %d bids, %d bookings, %d messages.\n"
           "Sign in as %s with password %s\n",
           result.account_count, result.service_count, result.bid_count,
           result.booking_count, result.message_count, SEED_DEMO_EMAIL,
           SEED_DEMO_PASSWORD);
    return COMMAND_DONE;
}

const struct command command_seed = {
    .name = "seed",
    .summary = "Fills in demo data: people, services, bids, bookings, messages",
    .arguments = "[--number N]",
    .help = "The first `prbald serve` in development does it by itself; in "
            "production it is\nrefused.  Repeating it changes nothing.  What "
            "every installation needs, such as the\ncategories, comes with the "
            "migrations.\n\n"
            "  --number N  another N makes other people and prices (42)\n",
    .run = run,
};
