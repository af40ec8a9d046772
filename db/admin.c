#include "db/admin.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

enum { PARAMETERS_MAX = 16 };

/* libpq breaks its messages into lines; people get one sentence. */
static bool fail(const char *message, char *error, size_t error_size)
{
    size_t used = 0;
    bool space = false;
    for (; *message != '\0' && used + 2 < error_size; message++) {
        if (isspace((unsigned char)*message)) {
            space = used > 0;
            continue;
        }
        if (space)
            error[used++] = ' ';
        space = false;
        error[used++] = *message;
    }
    error[used] = '\0';
    return false;
}

/* Notices, such as "schema exists, skipping", are no news to anybody. */
static void ignore_notice(void *argument, const PGresult *result)
{
    (void)argument, (void)result;
}

struct db_admin *db_admin_open(const char *url, char *error, size_t error_size)
{
    const char *const names[] = {"dbname", "application_name",
                                 "connect_timeout", NULL};
    const char *const values[] = {url, "prbald", "10", NULL};
    PGconn *link = PQconnectdbParams(names, values, 1);
    if (PQstatus(link) == CONNECTION_OK) {
        PQsetErrorVerbosity(link, PQERRORS_TERSE);
        PQsetNoticeReceiver(link, ignore_notice, NULL);
        return (struct db_admin *)link;
    }
    fail(PQerrorMessage(link), error, error_size);
    PQfinish(link);
    return NULL;
}

void db_admin_close(struct db_admin *link)
{
    PQfinish((PGconn *)link);
}

bool db_admin_run(struct db_admin *link, const char *script, char *error,
                  size_t error_size)
{
    PGresult *result = PQexec((PGconn *)link, script);
    ExecStatusType status = PQresultStatus(result);
    bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
                status == PGRES_EMPTY_QUERY;
    if (!good)
        fail(PQerrorMessage((PGconn *)link), error, error_size);
    PQclear(result);
    return good;
}

bool db_admin_text(struct db_admin *link, const char *sql,
                   const char *const *parameters, char *text, size_t text_size,
                   char *error, size_t error_size)
{
    int count = 0;
    while (parameters != NULL && parameters[count] != NULL &&
           count < PARAMETERS_MAX)
        count++;
    PGresult *result = PQexecParams((PGconn *)link, sql, count, NULL,
                                    parameters, NULL, NULL, 0);
    bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    if (good)
        snprintf(text, text_size, "%s",
                 PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "");
    else
        fail(PQerrorMessage((PGconn *)link), error, error_size);
    PQclear(result);
    return good;
}

int db_admin_version(const struct db_admin *link)
{
    return PQserverVersion((const PGconn *)link);
}
