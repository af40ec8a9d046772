/* A libpq connection driven by the loop, never waited for.
 *
 *   AWAY --timer--> CONNECTING --> LISTENING --> IDLE <--> SENDING
 *     ^                 |              |           |          |
 *     +-----------------+--------------+-----------+----------+  on any failure
 */
#include "db/listener.h"

#include "db/lookup.h"
#include "rpc/loop.h"

#include <assert.h>
#include <libpq-fe.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum {
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 5000,
    CONNECT_MS = 5000,
    ANSWER_MS = 10000,
    CHANNEL_MAX = 48,
};

enum state { AWAY, CONNECTING, LISTENING, IDLE, SENDING };

struct db_listener {
    struct loop *loop;
    const char *url;
    char channel[CHANNEL_MAX];
    void (*heard)(const char *payload, void *owner);
    void *owner;

    enum state state;
    struct lookup *lookup; /* of the host's address, on its way */
    PGconn *link;
    uv_poll_t *poll; /* on the link's socket; closes later than the link */
    int fd;
    struct loop_timer timer; /* when AWAY the next attempt, else the limit */
    int64_t retry_ms;
};

static void free_poll(uv_handle_t *handle)
{
    free(handle);
}

static void drop_poll(struct db_listener *listener)
{
    if (listener->poll != NULL)
        uv_close((uv_handle_t *)listener->poll, free_poll);
    listener->poll = NULL;
    listener->fd = -1;
}

/* The poll goes first: it must not outlive its descriptor. */
static void drop_link(struct db_listener *listener)
{
    lookup_cancel(listener->lookup);
    listener->lookup = NULL;
    drop_poll(listener);
    PQfinish(listener->link);
    listener->link = NULL;
}

static void fall_back(struct db_listener *listener)
{
    drop_link(listener);
    listener->state = AWAY;
    loop_timer_start(listener->loop, &listener->timer, listener->retry_ms);
    listener->retry_ms *= 2;
    if (listener->retry_ms > RETRY_MAX_MS)
        listener->retry_ms = RETRY_MAX_MS;
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* libpq may take another socket for each address that it tries. */
static bool watch(struct db_listener *listener, int events)
{
    int fd = PQsocket(listener->link);
    if (fd < 0)
        return false;
    if (fd != listener->fd) {
        drop_poll(listener);
        listener->poll = calloc(1, sizeof *listener->poll);
        assert(listener->poll != NULL);
        listener->poll->data = listener;
        if (uv_poll_init(loop_uv(listener->loop), listener->poll, fd) != 0) {
            free(listener->poll); /* never became a handle */
            listener->poll = NULL;
            return false;
        }
        listener->fd = fd;
    }
    return uv_poll_start(listener->poll, events, on_ready) == 0;
}

static bool flush(struct db_listener *listener)
{
    int left = PQflush(listener->link);
    return left >= 0 &&
           watch(listener, left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static bool start_listening(struct db_listener *listener)
{
    char sql[CHANNEL_MAX + 16];
    snprintf(sql, sizeof sql, "listen %s", listener->channel);
    listener->state = LISTENING;
    return PQsetnonblocking(listener->link, 1) == 0 &&
           PQsendQuery(listener->link, sql) == 1 && flush(listener);
}

static bool go_on_connecting(struct db_listener *listener)
{
    switch (PQconnectPoll(listener->link)) {
    case PGRES_POLLING_READING:
        return watch(listener, UV_READABLE);
    case PGRES_POLLING_WRITING:
        return watch(listener, UV_WRITABLE);
    case PGRES_POLLING_OK:
        return start_listening(listener);
    default:
        return false;
    }
}

static void become_idle(struct db_listener *listener)
{
    bool is_new = listener->state == LISTENING;
    listener->state = IDLE;
    listener->retry_ms = RETRY_FIRST_MS;
    loop_timer_stop(&listener->timer);
    if (is_new)
        listener->heard(NULL, listener->owner);
}

/* Reads what came: the ends of our own statements, and notifications. */
static bool take_results(struct db_listener *listener)
{
    while (listener->state != IDLE && !PQisBusy(listener->link)) {
        PGresult *result = PQgetResult(listener->link);
        ExecStatusType status = PQresultStatus(result);
        bool is_end = result == NULL;
        PQclear(result);
        if (is_end)
            become_idle(listener);
        else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            return false;
    }
    return true;
}

static bool read_link(struct db_listener *listener)
{
    if (!PQconsumeInput(listener->link) || !take_results(listener))
        return false;
    PGnotify *notice;
    while ((notice = PQnotifies(listener->link)) != NULL) {
        listener->heard(notice->extra, listener->owner);
        PQfreemem(notice);
    }
    return flush(listener);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    (void)events; /* libpq finds out by itself */
    struct db_listener *listener = poll->data;
    bool works = status == 0 &&
                 (listener->state == CONNECTING ? go_on_connecting(listener)
                                                : read_link(listener));
    if (!works)
        fall_back(listener);
}

/* What the server says when it ends a connection is no news to anyone. */
static void no_notice(void *argument, const PGresult *result)
{
    (void)argument;
    (void)result;
}

static void begin_connect(struct db_listener *listener, const char *address)
{
    listener->link =
        lookup_connect(listener->url, address, "prbal listener", "");
    if (listener->link == NULL || PQstatus(listener->link) == CONNECTION_BAD) {
        fall_back(listener);
        return;
    }
    PQsetNoticeReceiver(listener->link, no_notice, NULL);
    if (!watch(listener, UV_WRITABLE))
        fall_back(listener);
}

static void on_address(const char *address, void *owner)
{
    struct db_listener *listener = owner;
    listener->lookup = NULL;
    if (address == NULL)
        fall_back(listener);
    else
        begin_connect(listener, address);
}

static void connect_link(struct db_listener *listener)
{
    listener->state = CONNECTING;
    loop_timer_start(listener->loop, &listener->timer, CONNECT_MS);
    listener->lookup =
        lookup_start(listener->loop, listener->url, on_address, listener);
    if (listener->lookup == NULL)
        begin_connect(listener, NULL);
}

static void on_timer(struct loop_timer *timer)
{
    struct db_listener *listener =
        (struct db_listener *)((char *)timer -
                               offsetof(struct db_listener, timer));
    if (listener->state == AWAY)
        connect_link(listener);
    else
        fall_back(listener);
}

struct db_listener *db_listener_create(
    struct loop *loop, const char *url, const char *channel,
    void (*heard)(const char *payload, void *owner), void *owner)
{
    assert(strlen(channel) < CHANNEL_MAX);
    assert(strspn(channel, "abcdefghijklmnopqrstuvwxyz_") == strlen(channel));

    struct db_listener *listener = calloc(1, sizeof *listener);
    assert(listener != NULL);
    listener->loop = loop;
    listener->url = url;
    strcpy(listener->channel, channel);
    listener->heard = heard;
    listener->owner = owner;
    listener->fd = -1;
    listener->retry_ms = RETRY_FIRST_MS;
    loop_timer_init(&listener->timer, on_timer);
    connect_link(listener);
    return listener;
}

void db_listener_destroy(struct db_listener *listener)
{
    if (listener == NULL)
        return;
    loop_timer_stop(&listener->timer);
    drop_link(listener);
    free(listener);
}

bool db_listener_notify(struct db_listener *listener, const char *payload)
{
    if (listener->state != IDLE)
        return false;
    const char *values[] = {listener->channel, payload};
    if (PQsendQueryParams(listener->link, "select pg_notify($1, $2)", 2, NULL,
                          values, NULL, NULL, 0) != 1)
        return false; /* the socket will tell that the link is gone */
    listener->state = SENDING;
    loop_timer_start(listener->loop, &listener->timer, ANSWER_MS);
    if (flush(listener))
        return true;
    fall_back(listener);
    return false;
}
