#include "db/migrate.h"

#include <libpq-fe.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Two servers that start together take turns.  A change of the schema that
 * cannot have its locks soon gives up: queued behind a long query it would make
 * every other one wait. */
static const char lock_all[] =
    "select pg_advisory_lock(hashtext('prbal.migrate'))";
static const char session_settings[] = "set lock_timeout = '10s';"
                                       "set client_min_messages = warning;"
                                       "set timezone = 'UTC'";
static const char create_history[] =
    "create table if not exists schema_migration ("
    "  number integer primary key,"
    "  name text not null,"
    "  checksum text not null,"
    "  applied_at timestamptz not null default now())";
static const char read_history[] =
    "select number, name, checksum from schema_migration order by number";
static const char add_history[] =
    "insert into schema_migration (number, name, checksum)"
    " values ($1, $2, $3)";

enum { CHECKSUM_TEXT = 65 };

struct run {
    PGconn *pg;
    PGresult *history;
    char *error;
    size_t error_size;
};

static bool fail(struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(run->error, run->error_size, format, args);
    va_end(args);
    return false;
}

static const char *one_line(char *message)
{
    message[strcspn(message, "\n")] = '\0';
    return message;
}

/* Takes the result. */
static bool succeeded(struct run *run, PGresult *result, const char *what)
{
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    char message[512];
    snprintf(message, sizeof message, "%s", PQresultErrorMessage(result));
    PQclear(result);
    return ok || fail(run, "%s: %s", what, one_line(message));
}

static bool command(struct run *run, const char *sql, const char *what)
{
    return succeeded(run, PQexec(run->pg, sql), what);
}

static void checksum(const char *sql, char *text)
{
    unsigned char digest[32];
    EVP_Digest(sql, strlen(sql), digest, NULL, EVP_sha256(), NULL);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* ----------------------------------------------------------------- checking */

static const struct migration *find(int number)
{
    for (const struct migration *m = db_migrations; m->number != 0; m++)
        if (m->number == number)
            return m;
    return NULL;
}

static int newest(void)
{
    int number = 0;
    for (const struct migration *m = db_migrations; m->number != 0; m++)
        number = m->number > number ? m->number : number;
    return number;
}

static bool check_applied(struct run *run, int row, bool newer_is_fine)
{
    int number = atoi(PQgetvalue(run->history, row, 0));
    const char *name = PQgetvalue(run->history, row, 1);
    const struct migration *m = find(number);
    if (m == NULL && number > newest())
        return newer_is_fine ||
               fail(run,
                    "the database is newer than this program: it has "
                    "%04d_%s",
                    number, name);
    if (m == NULL)
        return fail(run, "the database has %04d_%s, which this program lacks",
                    number, name);
    char sum[CHECKSUM_TEXT];
    checksum(m->sql, sum);
    if (strcmp(sum, PQgetvalue(run->history, row, 2)) == 0)
        return true;
    return fail(run,
                "%04d_%s.sql is not what the database was migrated with; add "
                "a new migration instead of changing it",
                number, m->name);
}

static bool was_applied(const struct run *run, int number)
{
    for (int i = 0; i < PQntuples(run->history); i++)
        if (atoi(PQgetvalue(run->history, i, 0)) == number)
            return true;
    return false;
}

/* What is missing comes after everything that was applied: a file that was
 * slipped in between was not tried in this order anywhere. */
static bool check_gaps(struct run *run)
{
    int rows = PQntuples(run->history);
    int last = rows == 0 ? 0 : atoi(PQgetvalue(run->history, rows - 1, 0));
    for (const struct migration *m = db_migrations; m->number != 0; m++)
        if (m->number < last && !was_applied(run, m->number))
            return fail(run, "%04d_%s was not applied before %04d", m->number,
                        m->name, last);
    return true;
}

static bool check_history(struct run *run, bool newer_is_fine)
{
    run->history = PQexec(run->pg, read_history);
    if (PQresultStatus(run->history) != PGRES_TUPLES_OK)
        return fail(run, "cannot read schema_migration");
    for (int i = 0; i < PQntuples(run->history); i++)
        if (!check_applied(run, i, newer_is_fine))
            return false;
    return check_gaps(run);
}

/* ----------------------------------------------------------------- applying */

static int line_of(const char *sql, const char *position)
{
    int line = 1;
    long at = position == NULL ? 0 : strtol(position, NULL, 10);
    for (long i = 0; i + 1 < at && sql[i] != '\0'; i++)
        line += sql[i] == '\n';
    return line;
}

static bool run_file(struct run *run, const struct migration *m)
{
    PGresult *result = PQexec(run->pg, m->sql);
    char what[256];
    snprintf(what, sizeof what, "%04d_%s.sql:%d", m->number, m->name,
             line_of(m->sql,
                     PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION)));
    return succeeded(run, result, what);
}

static bool note(struct run *run, const struct migration *m)
{
    char number[16], sum[CHECKSUM_TEXT];
    snprintf(number, sizeof number, "%d", m->number);
    checksum(m->sql, sum);
    const char *values[] = {number, m->name, sum};
    return succeeded(
        run, PQexecParams(run->pg, add_history, 3, NULL, values, NULL, NULL, 0),
        m->name);
}

static bool apply(struct run *run, const struct migration *m)
{
    if (!command(run, "begin", "begin"))
        return false;
    if (run_file(run, m) && note(run, m))
        return command(run, "commit", m->name);
    PQclear(PQexec(run->pg, "rollback"));
    return false;
}

static int apply_missing(struct run *run)
{
    int applied = 0;
    for (const struct migration *m = db_migrations; m->number != 0; m++) {
        if (was_applied(run, m->number))
            continue;
        if (!apply(run, m))
            return -1;
        applied++;
    }
    return applied;
}

int db_migrate(const char *url, bool newer_is_fine, char *error,
               size_t error_size)
{
    struct run run = {.error = error, .error_size = error_size};
    int applied = -1;
    run.pg = PQconnectdb(url);
    if (PQstatus(run.pg) != CONNECTION_OK) {
        char message[512];
        snprintf(message, sizeof message, "%s", PQerrorMessage(run.pg));
        fail(&run, "%s", one_line(message));
    } else if (command(&run, lock_all, "lock") &&
               command(&run, session_settings, "settings") &&
               command(&run, create_history, "schema_migration") &&
               check_history(&run, newer_is_fine)) {
        applied = apply_missing(&run);
    }
    PQclear(run.history);
    PQfinish(run.pg); /* which unlocks */
    return applied;
}
