/* Prepares every named statement against a migrated database and compares its
 * columns with the fields of its message, by the code that will read its rows.
 * Prints "file:line: what is wrong"; exits with 1 when something was. */
#include "db/constraint.h"
#include "db/row_plan.h"
#include "db/type.h"
#include "tests/testkit/scratch.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct db_query *const db_queries[];

static int problems;

static void problem(const struct db_query *q, const char *text)
{
    printf("%s:%d: %.*s\n", q->file, q->line, (int)strcspn(text, "\n"), text);
    problems++;
}

/* Types of extensions and own ones are read as text, which only some send. */
static bool sends_text(PGconn *pg, Oid type)
{
    char sql[256];
    snprintf(sql, sizeof sql,
             "select coalesce(e.typcategory, t.typcategory) in ('S', 'E')"
             "  from pg_type t left join pg_type e on e.typarray = t.oid"
             " where t.oid = %u",
             type);
    PGresult *r = PQexec(pg, sql);
    bool yes = PQntuples(r) == 1 && PQgetvalue(r, 0, 0)[0] == 't';
    PQclear(r);
    return yes;
}

static void check_columns(PGconn *pg, const struct db_query *q,
                          const PGresult *description)
{
    char error[512];
    struct row_plan *plan =
        row_plan_create(q, description, error, sizeof error);
    if (plan == NULL)
        problem(q, error);
    free(plan);
    if (PQnfields(description) == 0)
        problem(q, "the statement gives no columns; is it :exec?");
    for (int i = 0; i < PQnfields(description); i++) {
        Oid type = PQftype(description, i);
        if (type < TYPE_FIRST_OWN || sends_text(pg, type))
            continue;
        snprintf(error, sizeof error,
                 "column \"%s\" has a type that is not sent as text; cast it",
                 PQfname(description, i));
        problem(q, error);
    }
}

static void check_query(PGconn *pg, const struct db_query *q)
{
    PGresult *r = PQprepare(pg, "", q->sql, 0, NULL);
    bool sound = PQresultStatus(r) == PGRES_COMMAND_OK;
    if (!sound)
        problem(q, PQresultErrorMessage(r));
    PQclear(r);
    if (!sound)
        return;
    r = PQdescribePrepared(pg, "");
    if (PQresultStatus(r) != PGRES_COMMAND_OK)
        problem(q, PQresultErrorMessage(r));
    else if (q->row != NULL)
        check_columns(pg, q, r);
    PQclear(r);
}

/* A comment on a constraint is what its violation says: one with a slip in it
 * would say nothing. */
static void check_comments(PGconn *pg)
{
    struct arena *arena = arena_create();
    PGresult *r =
        PQexec(pg, "select conname, obj_description(oid, 'pg_constraint')"
                   "  from pg_constraint where conislocal"
                   "   and obj_description(oid, 'pg_constraint') is not null"
                   " union all "
                   "select relname, obj_description(oid, 'pg_class')"
                   "  from pg_class where relkind in ('i', 'I')"
                   "   and obj_description(oid, 'pg_class') is not null");
    for (int i = 0; i < PQntuples(r); i++) {
        struct constraint_text text = {0};
        if (constraint_parse(arena, PQgetvalue(r, i, 1), &text))
            continue;
        printf("db/migrations: the comment on %s is not \"CODE [REASON] "
               "[field]: sentence\"\n",
               PQgetvalue(r, i, 0));
        problems++;
    }
    PQclear(r);
    arena_destroy(arena);
}

int main(void)
{
    struct scratch *scratch = scratch_create();
    if (scratch == NULL)
        return 2;
    PGconn *pg = PQconnectdb(scratch_url(scratch));
    int count = 0;
    for (; db_queries[count] != NULL; count++)
        check_query(pg, db_queries[count]);
    check_comments(pg);
    PQfinish(pg);
    scratch_destroy(scratch);
    printf("%d statements, %d problems\n", count, problems);
    return problems > 0;
}
