#ifndef PRBAL_SERVICES_COMMANDS_CHECK_LEDGER_H
#define PRBAL_SERVICES_COMMANDS_CHECK_LEDGER_H

#include "services/ledger/ledger.h"

#include <stddef.h>

/* A statement that answers `columns`, SQL text, of what breaks a rule. */
void ledger_rule_sql(const struct ledger_rule *rule, const char *columns,
                     char *sql, size_t sql_size);

/* Proves the ledger of the settings' database and prints a line a rule and what
 * each kind of account has; returns how many rules are broken.  Main thread. */
int check_ledger(void);

#endif
