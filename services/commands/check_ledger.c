#include "services/commands/check_ledger.h"

#include "db/admin.h"
#include "services/commands/command.h"
#include "services/commands/database.h"
#include "services/ledger/ledger.h"
#include "services/ledger/ledger_check.sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQL_BYTES = 8192, REPORT_BYTES = 16384, TEXT_BYTES = 512 };

void ledger_rule_sql(const struct ledger_rule *rule, const char *columns,
                     char *sql, size_t sql_size)
{
    const char *body = rule->query->sql;
    const char *end = strrchr(body, ';');
    int length = (int)(end == NULL ? strlen(body) : (size_t)(end - body));
    snprintf(sql, sql_size, "select %s from (\n%.*s\n) broken", columns, length,
             body);
}

/* "" when there are none. */
static const char *const broken_rows =
    "case when count(*) > 0"
    "     then count(*) || ' found, such as ' || min(subject || ': ' || detail)"
    "     else '' end";

static int check_rule(struct db_admin *link, const struct ledger_rule *rule)
{
    static char sql[SQL_BYTES]; /* more than a frame takes */
    char found[TEXT_BYTES], error[TEXT_BYTES];
    ledger_rule_sql(rule, broken_rows, sql, sizeof sql);
    if (!db_admin_text(link, sql, NULL, found, sizeof found, error,
                       sizeof error)) {
        printf("FAIL  %s: %s\n", rule->name, error);
        return 1;
    }
    if (*found == '\0')
        printf("ok    %s\n", rule->name);
    else
        printf("FAIL  %s: %s\n", rule->name, found);
    return *found == '\0' ? 0 : 1;
}

static int check_rules(struct db_admin *link)
{
    static char report[REPORT_BYTES];
    char error[TEXT_BYTES];
    int failures = 0;
    for (const struct ledger_rule *r = ledger_rules; r->name != NULL; r++)
        failures += check_rule(link, r);
    if (db_admin_text(link, ledger_report.sql, NULL, report, sizeof report,
                      error, sizeof error))
        printf("%s\n", report);
    return failures;
}

int check_ledger(void)
{
    char error[COMMAND_ERROR_BYTES];
    struct database database;
    if (!database_open(&database, true, error, sizeof error)) {
        printf("FAIL  database: %s\n", error);
        return 1;
    }
    struct db_admin *link = db_admin_open(database.url, error, sizeof error);
    int failures = 1;
    if (link == NULL)
        printf("FAIL  database: %s\n", error);
    else
        failures = check_rules(link);
    db_admin_close(link);
    database_close(&database);
    return failures;
}
