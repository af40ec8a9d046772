#include "db/link.h"

#include "db/link_internal.h"
#include "db/lookup.h"
#include "db/observe.h"
#include "rpc/clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_MS = 5000,
    BACK_OFF_MIN_MS = 50,
    BACK_OFF_MAX_MS = 2000,
};

static void on_poll(uv_poll_t *poll, int status, int events);

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

/* Ends a link that has no socket to be told of its end by; not at once, because
 * whoever asks may still be at work on it. */
static void lose_soon(struct link *link)
{
    unwatch(link);
    loop_timer_start(link->options.loop, &link->timer, 0);
}

/* libpq closes the socket of a broken connection by itself, and then anybody's
 * next one has its number: the loop may not go on watching that. */
static void forget_closed_socket(struct link *link)
{
    if (PQsocket(link->conn) < 0)
        unwatch(link);
}

static bool begin_watching(struct link *link)
{
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (poll == NULL)
        abort();
    if (uv_poll_init(loop_uv(link->options.loop), poll, PQsocket(link->conn)) !=
        0) {
        free(poll); /* never became a handle */
        return false;
    }
    poll->data = link;
    link->poll = poll;
    return true;
}

void link_watch(struct link *link, int events)
{
    forget_closed_socket(link);
    if (link->poll == NULL && !begin_watching(link)) {
        lose_soon(link);
        return;
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
        link_watch(link, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        link_watch(link, UV_WRITABLE);
        return;
    case PGRES_POLLING_OK:
        break;
    default:
        link_lose(link);
        return;
    }
    if (PQsetnonblocking(link->conn, 1) != 0 ||
        !PQenterPipelineMode(link->conn)) {
        link_lose(link);
        return;
    }
    loop_timer_stop(&link->timer);
    link->state = LINK_UP;
    observe_link(+1);
    link->attempts = 0;
    link->error[0] = '\0';
    link_watch(link, UV_READABLE);
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
        link_lose(link);
        return;
    }
    PQsetNoticeReceiver(link->conn, no_notice, NULL);
    /* As if it had answered PGRES_POLLING_WRITING: libpq's documentation. */
    link_watch(link, UV_WRITABLE);
}

static void on_address(const char *address, void *owner)
{
    struct link *link = owner;
    link->lookup = NULL;
    if (address == NULL)
        link_lose(link);
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
    steps_lose(link);
}

/* A link that was up is tried again at once: most often PostgreSQL was
 * restarted, or a proxy let go. */
void link_lose_because(struct link *link, const char *reason)
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

void link_lose(struct link *link)
{
    link_lose_because(link, link->conn != NULL
                                ? PQerrorMessage(link->conn)
                                : "the host has no address, or the connection "
                                  "string is too long");
}

static void lose_silent(struct link *link, int64_t ms)
{
    char reason[64];
    snprintf(reason, sizeof reason, "no answer within %lld ms", (long long)ms);
    link_lose_because(link, reason);
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
    if (link->state == LINK_UP && link->poll == NULL)
        link_lose(link);
    else if (link->state == LINK_UP)
        check_answers(link);
    else if (link->conn == NULL && link->lookup == NULL)
        connect_now(link);
    else
        lose_silent(link, CONNECT_MS);
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
        steps_flush(link);
    if (events & UV_READABLE || status < 0)
        sound = PQconsumeInput(link->conn);
    forget_closed_socket(link);
    /* Its last words may hold answers. */
    steps_read(link);
    if (link->state == LINK_UP &&
        (!sound || link->doomed || PQstatus(link->conn) == CONNECTION_BAD))
        link_lose(link);
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
    steps_finish(link);
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
