#include "db/constraint.h"

#include "db/pool_internal.h"

#include <ctype.h>
#include <string.h>

enum { READ_AGAIN_US = 5000000 };

static const struct db_query read_comments = {
    .name = "constraint_comments",
    .sql = "-- constraint_comments\n"
           "select conname, obj_description(oid, 'pg_constraint')\n"
           "  from pg_constraint\n"
           " where obj_description(oid, 'pg_constraint') is not null\n"
           "union all\n"
           "select relname, obj_description(oid, 'pg_class')\n"
           "  from pg_class\n"
           " where relkind in ('i', 'I')\n"
           "   and obj_description(oid, 'pg_class') is not null",
    .file = __FILE__,
    .line = __LINE__,
    .reads = true,
    .replan = true,
};

/* ---------------------------------------------------------------- parsing */

static bool code_from_name(const char *name, size_t size, rpc_code *code)
{
    for (int i = 1; i < RPC_CODE_COUNT; i++) {
        const char *known = rpc_code_name((rpc_code)i);
        if (strlen(known) == size && strncmp(known, name, size) == 0) {
            *code = (rpc_code)i;
            return true;
        }
    }
    return false;
}

bool constraint_parse(struct arena *arena, const char *comment,
                      struct constraint_text *text)
{
    const char *p = comment;
    size_t size = strcspn(p, " :");
    if (!code_from_name(p, size, &text->code))
        return false;
    for (p += size; *p == ' '; p += size) {
        size = strcspn(++p, " :");
        if (size == 0)
            return false;
        const char **part =
            isupper((unsigned char)*p) ? &text->reason : &text->field;
        *part = arena_strndup(arena, p, size);
    }
    if (*p != ':')
        return false;
    p += 1 + strspn(p + 1, " ");
    text->sentence = arena_strdup(arena, p);
    return *p != '\0';
}

/* ---------------------------------------------------------------- reading */

static void keep(struct constraints *c, const PGresult *result)
{
    arena_destroy(c->arena);
    c->arena = arena_create();
    c->rows = arena_array(c->arena, (size_t)PQntuples(result), sizeof *c->rows);
    c->count = 0;
    for (int i = 0; i < PQntuples(result); i++) {
        struct constraint_text *text = &c->rows[c->count];
        *text = (struct constraint_text){
            .name = arena_strdup(c->arena, PQgetvalue(result, i, 0))};
        c->count += constraint_parse(c->arena, PQgetvalue(result, i, 1), text);
    }
}

static void read_all(struct db_pool *pool, struct rpc_call *call)
{
    PGresult *result;
    if (pool_read(pool, call, &read_comments, &result).code != RPC_OK)
        return;
    keep(&pool->constraints, result);
    pool->constraints.read_us = loop_now_us(pool->loop);
    PQclear(result);
}

static const struct constraint_text *look_up(const struct constraints *c,
                                             const char *name)
{
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->rows[i].name, name) == 0)
            return &c->rows[i];
    return NULL;
}

const struct constraint_text *constraint_find(struct db_pool *pool,
                                              struct rpc_call *call,
                                              const char *name)
{
    struct constraints *c = &pool->constraints;
    const struct constraint_text *found = look_up(c, name);
    bool fresh =
        c->read_us != 0 && loop_now_us(pool->loop) - c->read_us < READ_AGAIN_US;
    if (found != NULL || fresh)
        return found;
    read_all(pool, call);
    return look_up(c, name);
}

void constraints_finish(struct constraints *c)
{
    arena_destroy(c->arena);
    *c = (struct constraints){0};
}
