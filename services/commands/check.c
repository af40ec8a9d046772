#include "db/admin.h"
#include "services/app.h"
#include "services/commands/check_ledger.h"
#include "services/commands/command.h"
#include "services/commands/database.h"
#include "services/commands/invariants.h"
#include "services/commands/review.h"

#include <stdio.h>
#include <string.h>

/* In development a weak setting is only told. */
static int check_rules(void)
{
    bool strict = app_config()->environment == ENVIRONMENT_PRODUCTION;
    int failures = 0;
    for (const struct review_rule *rule = review_rules; rule->name != NULL;
         rule++) {
        char error[COMMAND_ERROR_BYTES];
        if (rule->is_fine(error, sizeof error)) {
            printf("ok    %s\n", rule->name);
            continue;
        }
        printf("%-5s %s: %s\n", strict ? "FAIL" : "weak", rule->name, error);
        failures += strict ? 1 : 0;
    }
    return failures;
}

static int check_database(void)
{
    char error[COMMAND_ERROR_BYTES], version[64] = "", role[64] = "";
    struct database database;
    if (!database_open(&database, true, error, sizeof error)) {
        printf("FAIL  database: %s\n", error);
        return 1;
    }
    struct db_admin *link = db_admin_open(database.url, error, sizeof error);
    bool good = link != NULL &&
                db_admin_text(link, "show server_version", NULL, version,
                              sizeof version, error, sizeof error) &&
                db_admin_text(link,
                              "select current_user where has_schema_privilege("
                              "'public', 'create')",
                              NULL, role, sizeof role, error, sizeof error);
    db_admin_close(link);
    database_close(&database);
    if (good && *role != '\0') {
        printf("ok    database: PostgreSQL %s as %s\n", version, role);
        return 0;
    }
    printf("FAIL  database: %s\n",
           good ? "the user may not create tables in schema public." : error);
    return 1;
}

static void tell_invariant(const char *sentence, long long broken)
{
    if (broken == 0)
        printf("ok    data: %s\n", sentence);
    else
        printf("FAIL  data: %s: %lld do not\n", sentence, broken);
}

static int check_data(void)
{
    char error[COMMAND_ERROR_BYTES];
    struct database database;
    if (!database_open(&database, true, error, sizeof error))
        return 0; /* check_database() has told */
    struct db_admin *link = db_admin_open(database.url, error, sizeof error);
    int broken = link == NULL ? -1
                              : invariants_check(link, tell_invariant, error,
                                                 sizeof error);
    db_admin_close(link);
    database_close(&database);
    if (broken < 0)
        printf("FAIL  data: %s\n", error);
    return broken < 0 ? 1 : broken;
}

static int run(const char *const *arguments)
{
    bool with_data = command_flag(arguments, "--invariants");
    bool ledger = command_flag(arguments, "--ledger");
    if (*arguments != NULL && ((!with_data && !ledger) || arguments[1] != NULL))
        return command_misused(&command_check, *arguments);
    int failures = ledger ? check_ledger() : check_rules() + check_database();
    if (with_data)
        failures += check_data();
    if (failures == 0)
        return COMMAND_DONE;
    return command_fail("%d check%s failed.", failures,
                        failures == 1 ? "" : "s");
}

const struct command command_check = {
    .name = "check",
    .summary = "Checks the settings and reaches the database",
    .arguments = "[--invariants | --ledger]",
    .help =
        "With PRBAL_ENVIRONMENT=production a weak setting fails the check, "
        "as it stops\n`prbald serve`; in development it is only told.\n\n"
        "  --invariants  also look at all that has to hold in the data, "
        "such as that no\n"
        "                provider is booked twice; reads every row\n"
        "  --ledger      prove the books instead: every rule of the ledger, "
        "with what\n"
        "                breaks it, and what each kind of account has\n",
    .run = run,
};
