#include "services/seed/seed.h"

#include "services/app.h"

#include "db/migrate.h"
#include "services/commands/command.h"
#include "services/commands/database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct choice {
    int number;
    bool demo;
};

static bool read_choice(const char *const *arguments, struct choice *choice,
                        const char **bad)
{
    *choice = (struct choice){.number = SEED_NUMBER,
                              .demo = app_config()->environment ==
                                      ENVIRONMENT_DEVELOPMENT};
    for (; *arguments != NULL; arguments++) {
        *bad = *arguments;
        if (strcmp(*arguments, "--base") == 0) {
            choice->demo = false;
            continue;
        }
        if (strcmp(*arguments, "--number") != 0 || arguments[1] == NULL)
            return false;
        char *end;
        *bad = *++arguments;
        long number = strtol(*arguments, &end, 10);
        if (*end != '\0' || end == *arguments || number < 0 || number > 1000000)
            return false;
        choice->number = (int)number;
    }
    return true;
}

static bool fill(const struct choice *choice, struct seed_result *result,
                 char *error, size_t error_size)
{
    struct database database;
    if (!database_open(&database, true, error, error_size))
        return false;
    bool done = db_migrate(database.url, false, error, error_size) >= 0 &&
                seed(database.url, choice->number, choice->demo, result, error,
                     error_size);
    database_close(&database);
    return done;
}

static int run(const char *const *arguments)
{
    struct choice choice;
    const char *bad;
    if (!read_choice(arguments, &choice, &bad))
        return command_misused(&command_seed, bad);

    char error[COMMAND_ERROR_BYTES];
    struct seed_result result;
    if (!fill(&choice, &result, error, sizeof error))
        return command_fail("%s", error);
    if (!choice.demo) {
        printf("The base data is there.\n");
        return COMMAND_DONE;
    }
    printf("%d accounts, %d services, %d bids, %d bookings, %d messages.\n"
           "Sign in as %s with password %s\n",
           result.account_count, result.service_count, result.bid_count,
           result.booking_count, result.message_count, SEED_DEMO_EMAIL,
           SEED_DEMO_PASSWORD);
    return COMMAND_DONE;
}

const struct command command_seed = {
    .name = "seed",
    .summary = "Fills in categories, and in development demo data",
    .arguments = "[--base] [--number N]",
    .help = "Repeating it changes nothing.  The first `prbald serve` in "
            "development does it by\nitself; in production there is never demo "
            "data.\n\n"
            "  --base      only what every installation needs\n"
            "  --number N  another N makes other people and prices (42)\n",
    .run = run,
};
