#include "db/admin.h"

#include "services/commands/command.h"
#include "services/commands/database.h"

#include <stdio.h>
#include <string.h>

/* The first administrator cannot be made by another one.  Who may run this can
 * read the data folder anyway. */
static const char promote[] =
    "with changed as ("
    "  update account"
    "     set user_type = 'ADMIN', admin_level = 'SUPERUSER', updated_at = "
    "now()"
    "   where email = $1::citext"
    "     and account_status = 'ACTIVE'"
    "  returning user_id, full_name"
    "), noted as ("
    "  insert into audit_log (action, object_type, object_id, detail)"
    "  select 'account.promote', 'account', user_id::text,"
    "         '{\"by\": \"prbald admin\"}'"
    "    from changed"
    ")"
    "select coalesce(nullif(full_name, ''), 'The account') from changed";

static bool make_superuser(const char *email, char *name, size_t name_size,
                           char *error, size_t error_size)
{
    struct database database;
    if (!database_open(&database, true, error, error_size))
        return false;
    const char *const parameters[] = {email, NULL};
    struct db_admin *link = db_admin_open(database.url, error, error_size);
    bool good = link != NULL && db_admin_text(link, promote, parameters, name,
                                              name_size, error, error_size);
    db_admin_close(link);
    database_close(&database);
    return good;
}

static int run(const char *const *arguments)
{
    const char *email = arguments[0];
    if (email == NULL || strchr(email, '@') == NULL || arguments[1] != NULL)
        return command_misused(&command_admin, email == NULL ? ""
                                               : arguments[1] != NULL
                                                   ? arguments[1]
                                                   : email);
    char error[COMMAND_ERROR_BYTES], name[256] = "";
    if (!make_superuser(email, name, sizeof name, error, sizeof error))
        return command_fail("%s", error);
    if (*name == '\0')
        return command_fail("%s is not the address of an active account: "
                            "register with it and verify it first.",
                            email);
    printf("%s (%s) is a superuser, from the next sign-in or refreshed token "
           "on.\n",
           name, email);
    return COMMAND_DONE;
}

const struct command command_admin = {
    .name = "admin",
    .summary = "Makes an account a superuser, the first one above all",
    .arguments = "EMAIL",
    .help = "The account has to be registered and verified; it can no longer "
            "bid or book then.\nWorks beside a running server, and is written "
            "into the audit log.\n",
    .run = run,
};
