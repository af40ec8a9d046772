/* The libpq side: connecting, sending, and matching answers with statements.
 *
 * Each message pair that libpq will answer is a step in a ring:
 *
 *   begin | prepare | describe | run | command   ... results ..., NULL
 *   sync                                         PGRES_PIPELINE_SYNC
 *
 * An error makes everything up to the next sync PGRES_PIPELINE_ABORTED.  In
 * the extended protocol a statement outside a transaction is committed by the
 * sync and not before, so that a write is done only when its sync is; a
 * deferred constraint fails there. */
#include "db/link.h"

#include "db/lookup.h"
#include "db/observe.h"
#include "rpc/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
    CONNECT_MS = 5000,
    BACK_OFF_MIN_MS = 50,
    BACK_OFF_MAX_MS = 2000,
    RING_MIN = 64,
};

typedef enum {
    STEP_BEGIN,
    STEP_PREPARE,
    STEP_DESCRIBE,
    STEP_RUN,
    STEP_SYNC,
} step_kind;

struct step {
    step_kind kind;
    struct statement *statement; /* NULL for a sync */
};

struct link {
    struct link_options options;
    link_state state;
    PGconn *conn;
    struct lookup *lookup; /* of the host's address, on its way */
    uv_poll_t *poll; /* freed when closed, which takes a pass of the loop */
    int events;      /* what `poll` waits for */
    /* Connect timeout, back-off, or the wait for an answer. */
    struct loop_timer timer;
    int attempts; /* failed ones in a row */
    char error[256];
    bool doomed; /* PostgreSQL has said that it will close it */

    struct step *ring;
    size_t ring_size, ring_start, ring_count;
    struct statement_list settled; /* wait for their sync only */
    size_t in_flight;
    int64_t progress_us; /* when something was last answered, or sent to idle */

    int *prepared; /* by query id: the number of its prepared statement, or 0 */
    size_t prepared_size;
    int prepared_count;
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_timer(struct loop_timer *timer);
static void lose(struct link *link);

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
    if (s != NULL)
        s->steps++;
}

static struct step pop_step(struct link *link)
{
    struct step step = link->ring[link->ring_start];
    link->ring_start = (link->ring_start + 1) % link->ring_size;
    link->ring_count--;
    return step;
}

/* ------------------------------------------------------------------- poll */

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

static void unwatch(struct link *link)
{
    if (link->poll == NULL)
        return;
    link->poll->data = NULL;
    uv_poll_stop(link->poll);
    uv_close((uv_handle_t *)link->poll, on_poll_closed);
    link->poll = NULL;
    link->events = 0;
}

static void watch(struct link *link, int events)
{
    if (link->poll == NULL) {
        link->poll = calloc(1, sizeof *link->poll);
        if (link->poll == NULL ||
            uv_poll_init(loop_uv(link->options.loop), link->poll,
                         PQsocket(link->conn)) != 0)
            abort();
        link->poll->data = link;
    }
    if (events == link->events)
        return;
    link->events = events;
    uv_poll_start(link->poll, events, on_poll);
}

/* ------------------------------------------------------------- connecting */

static int64_t back_off_ms(int attempts)
{
    int64_t ms = BACK_OFF_MIN_MS;
    for (int i = 1; i < attempts && ms < BACK_OFF_MAX_MS; i++)
        ms *= 2;
    uint64_t noise = (uint64_t)clock_monotonic_us() * 2654435761u >> 16;
    return ms / 2 + (int64_t)(noise % (uint64_t)(ms / 2 + 1));
}

static void poll_connect(struct link *link)
{
    /* libpq may go on with another socket, under the same number. */
    unwatch(link);
    switch (PQconnectPoll(link->conn)) {
    case PGRES_POLLING_READING:
        watch(link, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        watch(link, UV_WRITABLE);
        return;
    case PGRES_POLLING_OK:
        break;
    default:
        lose(link);
        return;
    }
    if (PQsetnonblocking(link->conn, 1) != 0 ||
        !PQenterPipelineMode(link->conn)) {
        lose(link);
        return;
    }
    loop_timer_stop(&link->timer);
    link->state = LINK_UP;
    observe_link(+1);
    link->attempts = 0;
    link->error[0] = '\0';
    watch(link, UV_READABLE);
    link->options.changed(link);
}

static void no_notice(void *argument, const PGresult *result)
{
    (void)argument;
    (void)result;
}

static void begin_connect(struct link *link, const char *address)
{
    const struct link_options *o = &link->options;
    link->conn = lookup_connect(o->url, address, o->name, o->settings);
    if (link->conn == NULL || PQstatus(link->conn) == CONNECTION_BAD) {
        lose(link);
        return;
    }
    PQsetNoticeReceiver(link->conn, no_notice, NULL);
    /* As if it had answered PGRES_POLLING_WRITING: libpq's documentation. */
    watch(link, UV_WRITABLE);
}

static void on_address(const char *address, void *owner)
{
    struct link *link = owner;
    link->lookup = NULL;
    if (address == NULL)
        lose(link);
    else
        begin_connect(link, address);
}

static void connect_now(struct link *link)
{
    link->state = LINK_CONNECTING;
    loop_timer_start(link->options.loop, &link->timer, CONNECT_MS);
    link->lookup =
        lookup_start(link->options.loop, link->options.url, on_address, link);
    if (link->lookup == NULL)
        begin_connect(link, NULL);
}

static void finish_statement(struct link *link, struct statement *s,
                             statement_outcome outcome)
{
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

static void lose_statements(struct link *link)
{
    struct statement *s;
    while ((s = statement_list_take(&link->settled)) != NULL)
        lose_statement(link, s);
    while (link->ring_count > 0) {
        s = pop_step(link).statement;
        if (s != NULL && --s->steps == 0)
            lose_statement(link, s);
    }
}

/* Ends the connection; what was on its way is lost. */
static void disconnect(struct link *link)
{
    unwatch(link);
    loop_timer_stop(&link->timer);
    lookup_cancel(link->lookup);
    link->lookup = NULL;
    if (link->conn != NULL)
        PQfinish(link->conn);
    link->conn = NULL;
    if (link->state == LINK_UP)
        observe_link(-1);
    link->state = LINK_CLOSED;
    link->doomed = false;
    for (size_t i = 0; i < link->prepared_size; i++)
        link->prepared[i] = 0;
    link->prepared_count = 0;
    lose_statements(link);
}

/* A link that was up is tried again at once: most often PostgreSQL was
 * restarted, or a proxy let go. */
static void lose_because(struct link *link, const char *reason)
{
    bool was_up = link->state == LINK_UP;
    snprintf(link->error, sizeof link->error, "%s", reason);
    link->error[strcspn(link->error, "\n")] = '\0';
    observe_link_failure(link->error);
    disconnect(link);
    if (link->options.keeps) {
        link->state = was_up ? LINK_CONNECTING : LINK_WAITING;
        link->attempts++;
        loop_timer_start(link->options.loop, &link->timer,
                         was_up ? 0 : back_off_ms(link->attempts));
    }
    link->options.changed(link);
}

static void lose(struct link *link)
{
    lose_because(link, link->conn != NULL
                           ? PQerrorMessage(link->conn)
                           : "the host has no address, or the connection "
                             "string is too long");
}

static void lose_silent(struct link *link, int64_t ms)
{
    char reason[64];
    snprintf(reason, sizeof reason, "no answer within %lld ms", (long long)ms);
    lose_because(link, reason);
}

/* Started with the first statement and left running, so that it costs nothing
 * per statement. */
static void check_answers(struct link *link)
{
    int64_t left_ms = link->options.answer_ms - link_age_us(link) / 1000;
    if (link->in_flight == 0)
        return;
    if (left_ms > 0)
        loop_timer_start(link->options.loop, &link->timer, left_ms);
    else
        lose_silent(link, link->options.answer_ms);
}

static void on_timer(struct loop_timer *timer)
{
    struct link *link =
        (struct link *)((char *)timer - offsetof(struct link, timer));
    if (link->state == LINK_UP)
        check_answers(link);
    else if (link->conn == NULL && link->lookup == NULL)
        connect_now(link);
    else
        lose_silent(link, CONNECT_MS);
}

/* ---------------------------------------------------------------- sending */

static void flush(struct link *link)
{
    int left = PQflush(link->conn);
    if (left < 0)
        return; /* the poll tells, and reads PostgreSQL's last words first */
    watch(link, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
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
        watch(link, UV_READABLE | UV_WRITABLE);
}

void link_sync(struct link *link)
{
    push_step(link, STEP_SYNC, NULL);
    if (!PQpipelineSync(link->conn)) {
        watch(link, UV_READABLE | UV_WRITABLE);
        return;
    }
    flush(link);
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

static bool is_fatal(const PGresult *result)
{
    const char *severity =
        PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL &&
           (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void take_result(struct link *link, struct step step, PGresult *result)
{
    struct statement *s = step.statement;
    link->doomed |= is_fatal(result);
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
    else
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
    if (--s->steps > 0)
        return;
    if (s->at_sync)
        statement_list_add(&link->settled, s);
    else
        settle(link, s);
}

/* libpq ends the results of each step but a sync with NULL.  More than a few
 * NULLs in a row mean that its count and ours differ. */
static void read_answers(struct link *link)
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
        lose(link);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link *link = poll->data;
    (void)status; /* libpq meets the same error */
    if (link == NULL)
        return;
    if (link->state == LINK_CONNECTING) {
        poll_connect(link);
        return;
    }
    bool sound = true;
    if (events & UV_WRITABLE)
        flush(link);
    if (events & UV_READABLE || status < 0)
        sound = PQconsumeInput(link->conn);
    /* Its last words may hold answers. */
    read_answers(link);
    if (link->state == LINK_UP &&
        (!sound || link->doomed || PQstatus(link->conn) == CONNECTION_BAD))
        lose(link);
}

/* --------------------------------------------------------------- the rest */

struct link *link_create(const struct link_options *options)
{
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL)
        abort();
    link->options = *options;
    loop_timer_init(&link->timer, on_timer);
    statement_list_init(&link->settled);
    return link;
}

void link_destroy(struct link *link)
{
    if (link == NULL)
        return;
    disconnect(link);
    free(link->ring);
    free(link->prepared);
    free(link);
}

void link_open(struct link *link)
{
    if (link->state == LINK_CLOSED)
        connect_now(link);
}

void link_close(struct link *link)
{
    disconnect(link);
}

void link_hurry(struct link *link)
{
    if (link->state == LINK_WAITING)
        loop_timer_start(link->options.loop, &link->timer, 0);
}

link_state link_state_of(const struct link *link)
{
    return link->state;
}

void *link_owner(const struct link *link)
{
    return link->options.owner;
}

const char *link_error(const struct link *link)
{
    return link->error;
}

size_t link_in_flight(const struct link *link)
{
    return link->in_flight;
}

int64_t link_age_us(const struct link *link)
{
    if (link->in_flight == 0)
        return 0;
    return loop_now_us(link->options.loop) - link->progress_us;
}

bool link_in_transaction(const struct link *link)
{
    return link->conn != NULL &&
           PQtransactionStatus(link->conn) != PQTRANS_IDLE;
}

PGcancel *link_cancel_key(const struct link *link)
{
    return link->conn == NULL ? NULL : PQgetCancel(link->conn);
}
