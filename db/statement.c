#include "db/statement.h"

#include <stdlib.h>

struct statement *statement_create(struct rpc_call *call, statement_kind kind,
                                   const struct db_query *query)
{
    struct statement *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->call = call;
    s->kind = kind;
    s->query = query;
    return s;
}

void statement_destroy(struct statement *s)
{
    if (s == NULL)
        return;
    PQclear(s->result);
    free(s);
}

void statement_finish(struct statement *s, statement_outcome outcome)
{
    if (s->call == NULL) {
        statement_destroy(s);
        return;
    }
    s->outcome = outcome;
    s->done = true;
    rpc_wake(s->call);
}

rpc_status statement_wait(struct statement *s)
{
    rpc_status ended = rpc_wait_for(s->call, "database", &s->done);
    if (ended.code == RPC_OK)
        return ended;
    if (s->done)
        statement_destroy(s);
    else
        s->call = NULL;
    return ended;
}

bool statement_failed(const struct statement *s)
{
    ExecStatusType status = PQresultStatus(s->result);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

const char *statement_sqlstate(const struct statement *s)
{
    const char *state = PQresultErrorField(s->result, PG_DIAG_SQLSTATE);
    return state == NULL ? "" : state;
}

void statement_list_init(struct statement_list *list)
{
    *list = (struct statement_list){.last = &list->first};
}

void statement_list_add(struct statement_list *list, struct statement *s)
{
    s->next = NULL;
    *list->last = s;
    list->last = &s->next;
    list->count++;
}

struct statement *statement_list_take(struct statement_list *list)
{
    struct statement *s = list->first;
    if (s != NULL)
        statement_list_remove(list, s);
    return s;
}

bool statement_list_remove(struct statement_list *list, struct statement *s)
{
    for (struct statement **at = &list->first; *at != NULL; at = &(*at)->next) {
        if (*at != s)
            continue;
        *at = s->next;
        if (list->last == &s->next)
            list->last = at;
        list->count--;
        return true;
    }
    return false;
}
