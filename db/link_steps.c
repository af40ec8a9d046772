/* What travels on a link: sending, and matching answers with statements.
 *
 * Each message pair that libpq will answer is a step in a ring:
 *
 *   begin | prepare | describe | run | command   ... results ..., NULL
 *   position                                     the same, of the link's own
 *   sync                                         PGRES_PIPELINE_SYNC
 *
 * An error makes everything up to the next sync PGRES_PIPELINE_ABORTED.  In
 * the extended protocol a statement outside a transaction is committed by the
 * sync and not before, so that a write is done only when its sync is; a
 * deferred constraint fails there.
 *
 * A position is asked for behind a commit: the statement is handed back when it
 * is told, or when it turns out that it will not be.  It changes nothing about
 * how the statement ended. */
#include "db/link_internal.h"

#include "rpc/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RING_MIN = 64 };

/* ------------------------------------------------------------------- ring */

static void push_step(struct link *link, step_kind kind, struct statement *s)
{
    if (link->ring_count == link->ring_size) {
        size_t size = link->ring_size == 0 ? RING_MIN : 2 * link->ring_size;
        struct step *ring = calloc(size, sizeof *ring);
        if (ring == NULL)
            abort();
        for (size_t i = 0; i < link->ring_count; i++)
            ring[i] = link->ring[(link->ring_start + i) % link->ring_size];
        free(link->ring);
        link->ring = ring;
        link->ring_size = size;
        link->ring_start = 0;
    }
    size_t at = (link->ring_start + link->ring_count++) % link->ring_size;
    link->ring[at] = (struct step){kind, s};
    if (s != NULL && kind != STEP_POSITION)
        s->steps++;
}

/* The statement is over before its position was told. */
static void forget_position(struct link *link, struct statement *s)
{
    for (size_t i = 0; s->awaits_position && i < link->ring_count; i++) {
        struct step *step =
            &link->ring[(link->ring_start + i) % link->ring_size];
        if (step->kind == STEP_POSITION && step->statement == s)
            step->statement = NULL;
    }
    s->awaits_position = false;
}

static struct step pop_step(struct link *link)
{
    struct step step = link->ring[link->ring_start];
    link->ring_start = (link->ring_start + 1) % link->ring_size;
    link->ring_count--;
    return step;
}

/* ----------------------------------------------------------------- losing */

static void finish_statement(struct link *link, struct statement *s,
                             statement_outcome outcome)
{
    forget_position(link, s);
    link->in_flight--;
    if (link->options.finished != NULL)
        link->options.finished(link, s, outcome);
    else
        statement_finish(s, outcome);
}

static bool is_error(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK;
}

/* An error that PostgreSQL itself sent: what libpq makes up when a connection
 * breaks has no SQLSTATE. */
static bool was_refused(const struct statement *s)
{
    return s->result != NULL && is_error(s->result) &&
           statement_sqlstate(s)[0] != '\0';
}

/* A refused one is answered even so: it has not happened. */
static void lose_statement(struct link *link, struct statement *s)
{
    bool refused = was_refused(s);
    if (!refused) {
        PQclear(s->result);
        s->result = NULL;
    }
    finish_statement(link, s, refused ? STATEMENT_ANSWERED : STATEMENT_LOST);
}

void steps_lose(struct link *link)
{
    struct statement *s;
    for (size_t i = 0; i < link->prepared_size; i++)
        link->prepared[i] = 0;
    link->prepared_count = 0;
    while ((s = statement_list_take(&link->settled)) != NULL)
        lose_statement(link, s);
    link->knows_position = link->is_position_denied = false;
    link->cluster = 0;
    while (link->ring_count > 0) {
        struct step step = pop_step(link);
        s = step.statement;
        if (s == NULL)
            continue;
        if (step.kind == STEP_POSITION)
            finish_statement(link, s, STATEMENT_ANSWERED);
        else if (--s->steps == 0)
            lose_statement(link, s);
    }
}

/* ---------------------------------------------------------------- sending */

void steps_flush(struct link *link)
{
    int left = PQflush(link->conn);
    if (left < 0)
        return; /* the poll tells, and reads PostgreSQL's last words first */
    link_watch(link, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static int *prepared_slot(struct link *link, const struct db_query *query)
{
    size_t id = (size_t)query->id;
    if (id >= link->prepared_size) {
        size_t size = id + 64;
        link->prepared = realloc(link->prepared, size * sizeof(int));
        if (link->prepared == NULL)
            abort();
        memset(link->prepared + link->prepared_size, 0,
               (size - link->prepared_size) * sizeof(int));
        link->prepared_size = size;
    }
    return &link->prepared[id];
}

/* Without a name, everything of a statement is between two syncs, so a proxy
 * that pools by transaction sends it to one server. */
static bool is_named(const struct link *link, const struct db_query *query)
{
    return link->options.prepare && !query->replan;
}

static void statement_name(const struct link *link, const struct statement *s,
                           char *name, size_t size)
{
    if (is_named(link, s->query))
        snprintf(name, size, "q%d", s->prepared);
    else
        name[0] = '\0';
}

static bool send_prepare(struct link *link, struct statement *s)
{
    int *slot = prepared_slot(link, s->query);
    if (*slot != 0 && is_named(link, s->query)) {
        s->prepared = *slot;
        return true;
    }
    s->prepared = *slot = ++link->prepared_count;
    char name[16];
    statement_name(link, s, name, sizeof name);
    push_step(link, STEP_PREPARE, s);
    return PQsendPrepare(link->conn, name, s->query->sql, 0, NULL);
}

static bool send_describe(struct link *link, struct statement *s)
{
    char name[16];
    if (!send_prepare(link, s))
        return false;
    statement_name(link, s, name, sizeof name);
    push_step(link, STEP_DESCRIBE, s);
    return PQsendDescribePrepared(link->conn, name);
}

static bool send_run(struct link *link, struct statement *s)
{
    const struct params *p = s->params;
    const char *const *values = (const char *const *)p->values;
    bool named = is_named(link, s->query);
    if (named && !send_prepare(link, s))
        return false;
    push_step(link, STEP_RUN, s);
    if (!named)
        return PQsendQueryParams(link->conn, s->query->sql, p->count, s->oids,
                                 values, p->sizes, p->formats, 1);
    char name[16];
    statement_name(link, s, name, sizeof name);
    return PQsendQueryPrepared(link->conn, name, p->count, values, p->sizes,
                               p->formats, 1);
}

static bool send_command(struct link *link, step_kind kind, struct statement *s,
                         const char *sql)
{
    push_step(link, kind, s);
    return PQsendQueryParams(link->conn, sql, 0, NULL, NULL, NULL, NULL, 1);
}

static bool send_steps(struct link *link, struct statement *s)
{
    if (s->begins && !send_command(link, STEP_BEGIN, s, "begin"))
        return false;
    switch (s->kind) {
    case STATEMENT_COMMAND:
        return send_command(link, STEP_RUN, s, s->command);
    case STATEMENT_DESCRIBE:
        return send_describe(link, s);
    case STATEMENT_RUN:
        return send_run(link, s);
    }
    return false;
}

/* libpq refuses to send only on a connection that is gone, or when memory is
 * out.  The poll then tells that it is gone; to be sure, ask for it. */
void link_send(struct link *link, struct statement *s)
{
    assert(link->state == LINK_UP);
    if (link->in_flight++ == 0)
        link->progress_us = loop_now_us(link->options.loop);
    if (link->options.answer_ms > 0 && link->timer.heap_index < 0)
        loop_timer_start(link->options.loop, &link->timer,
                         link->options.answer_ms);
    if (!send_steps(link, s))
        link_watch(link, UV_READABLE | UV_WRITABLE);
}

static bool send_position(struct link *link, struct statement *s)
{
    bool is_named = link->options.prepare && link->cluster != 0;
    if (is_named && !link->knows_position) {
        link->knows_position = true;
        push_step(link, STEP_PREPARE_POSITION, NULL);
        if (!PQsendPrepare(link->conn, "position", position_sql, 0, NULL))
            return false;
    }
    push_step(link, STEP_POSITION, s);
    if (is_named)
        return PQsendQueryPrepared(link->conn, "position", 0, NULL, NULL, NULL,
                                   1);
    return PQsendQueryParams(link->conn,
                             link->cluster != 0 ? position_sql
                                                : position_sql_with_cluster,
                             0, NULL, NULL, NULL, NULL, 1);
}

bool link_send_position(struct link *link, struct statement *s)
{
    if (link->is_position_denied)
        return false;
    s->awaits_position = true;
    if (!send_position(link, s))
        link_watch(link, UV_READABLE | UV_WRITABLE);
    return true;
}

void link_sync(struct link *link)
{
    push_step(link, STEP_SYNC, NULL);
    if (!PQpipelineSync(link->conn)) {
        link_watch(link, UV_READABLE | UV_WRITABLE);
        return;
    }
    steps_flush(link);
}

/* -------------------------------------------------------------- receiving */

static void keep_result(struct statement *s, PGresult *result)
{
    PQclear(s->result);
    s->result = result;
}

/* A prepared statement that is not there (a proxy went to another server), or
 * whose row type has changed since (a migration). */
static bool is_stale(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state != NULL &&
           (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0);
}

static void forget(struct link *link, const struct statement *s)
{
    if (s->kind == STATEMENT_COMMAND || s->prepared == 0)
        return;
    int *slot = prepared_slot(link, s->query);
    if (*slot == s->prepared)
        *slot = 0;
}

/* FATAL errors close the connection.  A server that takes no writes any more
 * has become a standby: another connection finds the new primary. */
static bool ends_link(const PGresult *result)
{
    const char *severity =
        PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return (severity != NULL && (strcmp(severity, "FATAL") == 0 ||
                                 strcmp(severity, "PANIC") == 0)) ||
           (state != NULL && strcmp(state, "25006") == 0);
}

/* Not every kind of PostgreSQL tells, or tells every role.  Behind an error of
 * the statement's own it is skipped. */
static void take_position(struct link *link, struct statement *s,
                          const PGresult *result)
{
    struct position position = {.cluster = link->cluster};
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED)
        return;
    if (is_error(result) || !position_read(result, &position)) {
        log_text(LOG_WARN, "db", "PostgreSQL does not tell its position: %s",
                 PQresultErrorMessage(result));
        link->is_position_denied = true;
        return;
    }
    link->cluster = position.cluster;
    if (s != NULL)
        s->position = position;
}

static void take_result(struct link *link, struct step step, PGresult *result)
{
    struct statement *s = step.statement;
    link->doomed |= ends_link(result);
    if (step.kind == STEP_POSITION || step.kind == STEP_PREPARE_POSITION) {
        if (step.kind == STEP_POSITION)
            take_position(link, s, result);
        else if (is_error(result))
            link->knows_position = false;
        PQclear(result);
        return;
    }
    if (step.kind == STEP_SYNC) { /* the commit failed */
        for (s = link->settled.first; s != NULL && s->next != NULL;)
            s = s->next;
        if (s != NULL && is_error(result) && !is_error(s->result))
            keep_result(s, result);
        else
            PQclear(result);
        return;
    }
    if (is_error(result) && (step.kind == STEP_PREPARE || is_stale(result)))
        forget(link, s);
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED) {
        s->skipped = true;
        PQclear(result);
        return;
    }
    bool last = step.kind == STEP_RUN || step.kind == STEP_DESCRIBE;
    if (last || is_error(result))
        keep_result(s, result);
    else
        PQclear(result);
}

static void settle(struct link *link, struct statement *s)
{
    if (s->result == NULL)
        finish_statement(link, s, STATEMENT_SKIPPED);
    else if (is_error(s->result))
        lose_statement(link, s);
    else if (!s->awaits_position)
        finish_statement(link, s, STATEMENT_ANSWERED);
}

static bool is_settled(const struct link *link, const struct statement *s)
{
    for (const struct statement *at = link->settled.first; at; at = at->next)
        if (at == s)
            return false;
    return s->steps == 0;
}

/* One that still waits for its sync is handed back by that. */
static void position_told(struct link *link, struct statement *s)
{
    if (s == NULL)
        return;
    s->awaits_position = false;
    if (is_settled(link, s))
        finish_statement(link, s, STATEMENT_ANSWERED);
}

static void step_done(struct link *link, struct step step)
{
    struct statement *s = step.statement;
    if (step.kind == STEP_SYNC) {
        while ((s = statement_list_take(&link->settled)) != NULL)
            settle(link, s);
        return;
    }
    if (step.kind == STEP_POSITION) {
        position_told(link, s);
        return;
    }
    if (s == NULL || --s->steps > 0)
        return;
    if (s->at_sync)
        statement_list_add(&link->settled, s);
    else
        settle(link, s);
}

/* libpq ends the results of each step but a sync with NULL.  More than a few
 * NULLs in a row mean that its count and ours differ. */
void steps_read(struct link *link)
{
    int nulls = 0;
    while (link->ring_count > 0 && nulls < 4 && !PQisBusy(link->conn)) {
        struct step step = link->ring[link->ring_start];
        PGresult *result = PQgetResult(link->conn);
        bool synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        if (result != NULL && !synced) {
            take_result(link, step, result);
            continue;
        }
        PQclear(result);
        nulls = synced ? 0 : nulls + 1;
        if (synced != (step.kind == STEP_SYNC))
            continue;
        nulls = 0;
        step_done(link, pop_step(link));
    }
    link->progress_us = loop_now_us(link->options.loop);
    if (nulls == 4)
        link_lose(link);
}

/* ----------------------------------------------------------------- memory */

void steps_finish(struct link *link)
{
    free(link->ring);
    free(link->prepared);
}
