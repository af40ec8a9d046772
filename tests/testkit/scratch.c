#include "tests/testkit/scratch.h"

#include "db/embedded.h"
#include "db/migrate.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
    struct embedded *own_server; /* NULL when it is everybody's */
    char folder[64];
    char server_url[512];
    char url[600];
    char name[64];
};

static PGconn *connect_to(const char *url)
{
    PGconn *pg = PQconnectdb(url);
    if (PQstatus(pg) == CONNECTION_OK)
        return pg;
    fprintf(stderr, "test database: %s", PQerrorMessage(pg));
    PQfinish(pg);
    return NULL;
}

static bool run(PGconn *pg, const char *statement)
{
    PGresult *r = PQexec(pg, statement);
    bool ok = PQresultStatus(r) == PGRES_COMMAND_OK ||
              PQresultStatus(r) == PGRES_TUPLES_OK;
    if (!ok)
        fprintf(stderr, "test database: %s", PQresultErrorMessage(r));
    PQclear(r);
    return ok;
}

/* "... dbname=x" in front of what the server's URL says: libpq takes the last
 * one of a key. */
static void url_of(const struct scratch *s, const char *database, char *url,
                   size_t size)
{
    bool is_uri = strncmp(s->server_url, "postgres", 8) == 0;
    if (is_uri)
        snprintf(url, size, "%s%cdbname=%s", s->server_url,
                 strchr(s->server_url, '?') != NULL ? '&' : '?', database);
    else
        snprintf(url, size, "%s dbname=%s", s->server_url, database);
}

static bool exists(PGconn *pg, const char *database)
{
    const char *values[] = {database};
    PGresult *r =
        PQexecParams(pg, "select 1 from pg_database where datname = $1", 1,
                     NULL, values, NULL, NULL, 0);
    bool found = PQntuples(r) == 1;
    PQclear(r);
    return found;
}

/* The template's name says what the migrations are, so that a changed one
 * makes a new template. */
static void template_name(char *name, size_t size)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (const struct migration *m = db_migrations; m->number != 0; m++)
        for (const char *p = m->sql; *p != '\0'; p++)
            hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    snprintf(name, size, "prbal_template_%016llx", (unsigned long long)hash);
}

static bool make_template(struct scratch *s, PGconn *pg, const char *name)
{
    char statement[256], url[600], error[512];
    if (exists(pg, name))
        return true;
    char fresh[128];
    snprintf(fresh, sizeof fresh, "%s_new", name);
    snprintf(statement, sizeof statement, "drop database if exists %s", fresh);
    if (!run(pg, statement))
        return false;
    snprintf(statement, sizeof statement, "create database %s", fresh);
    if (!run(pg, statement))
        return false;
    url_of(s, fresh, url, sizeof url);
    if (db_migrate(url, false, error, sizeof error) < 0) {
        fprintf(stderr, "test database: %s\n", error);
        return false;
    }
    snprintf(statement, sizeof statement, "alter database %s rename to %s",
             fresh, name);
    return run(pg, statement);
}

/* One program at a time: a template cannot be copied while it is in use. */
static bool make_database(struct scratch *s)
{
    char name[64], statement[256];
    template_name(name, sizeof name);
    snprintf(s->name, sizeof s->name, "prbal_test_%d", (int)getpid());
    PGconn *pg = connect_to(s->server_url);
    if (pg == NULL)
        return false;
    snprintf(statement, sizeof statement, "create database %s template %s",
             s->name, name);
    bool ok = run(pg, "select pg_advisory_lock(7241)") &&
              make_template(s, pg, name) && run(pg, statement);
    PQfinish(pg);
    url_of(s, s->name, s->url, sizeof s->url);
    return ok;
}

static bool start_own_server(struct scratch *s)
{
    char error[512];
    snprintf(s->folder, sizeof s->folder, "/tmp/prbal-test.XXXXXX");
    if (mkdtemp(s->folder) == NULL || chmod(s->folder, 0755) != 0)
        return false;
    s->own_server = embedded_start(
        &(struct embedded_options){.folder = s->folder, .throw_away = true},
        error, sizeof error);
    if (s->own_server == NULL) {
        fprintf(stderr, "test database: %s\n", error);
        return false;
    }
    snprintf(s->server_url, sizeof s->server_url, "%s",
             embedded_url(s->own_server));
    return true;
}

struct scratch *scratch_create(void)
{
    struct scratch *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    const char *url = getenv("PRBAL_TEST_DATABASE_URL");
    if (url != NULL)
        snprintf(s->server_url, sizeof s->server_url, "%s", url);
    if ((url != NULL || start_own_server(s)) && make_database(s))
        return s;
    scratch_destroy(s);
    return NULL;
}

const char *scratch_url(const struct scratch *scratch)
{
    return scratch->url;
}

static void drop_database(struct scratch *s)
{
    char statement[256];
    PGconn *pg = connect_to(s->server_url);
    if (pg == NULL)
        return;
    snprintf(statement, sizeof statement,
             "drop database if exists %s with (force)", s->name);
    run(pg, statement);
    PQfinish(pg);
}

static void remove_folder(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "test database: %s is left over\n", folder);
}

void scratch_destroy(struct scratch *s)
{
    if (s == NULL)
        return;
    if (s->own_server != NULL) {
        embedded_stop(s->own_server);
        remove_folder(s->folder);
    } else if (s->name[0] != '\0') {
        drop_database(s);
    }
    free(s);
}
