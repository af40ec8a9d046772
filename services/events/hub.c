#include "services/events/hub.h"

#include "rpc/clock.h"
#include "services/app.h"
#include "services/auth/revocation.h"
#include "services/events/hub_internal.h"
#include "services/events/presence.h"
#include "services/events/trim.h"
#include "services/events/wire.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000 };

static pthread_once_t slot_once = PTHREAD_ONCE_INIT;
static int slot;

static void take_slot(void)
{
    slot = loop_slot();
}

struct hub *hub_of(struct loop *loop)
{
    pthread_once(&slot_once, take_slot);
    return loop_get(loop, slot);
}

/* ---- The list of all streams, in the order of their heartbeats: they are all
 * equally far apart, so the one that beats goes to the end. */

static void append_stream(struct hub *hub, struct hub_stream *stream)
{
    stream->heartbeat_due_us =
        loop_now_us(hub->loop) + app_config()->heartbeat_ms * 1000;
    stream->before = hub->last;
    stream->after = NULL;
    if (hub->last != NULL)
        hub->last->after = stream;
    else
        hub->first = stream;
    hub->last = stream;
}

static void unlink_stream(struct hub *hub, struct hub_stream *stream)
{
    if (stream->before != NULL)
        stream->before->after = stream->after;
    else
        hub->first = stream->after;
    if (stream->after != NULL)
        stream->after->before = stream->before;
    else
        hub->last = stream->before;
}

/* ---- Users. */

void hub_mark_dirty(struct hub *hub, struct hub_user *user)
{
    if (user->is_dirty)
        return;
    user->is_dirty = true;
    user->next_dirty = NULL;
    *hub->dirty_end = user;
    hub->dirty_end = &user->next_dirty;
}

struct hub_user *hub_take_dirty(struct hub *hub)
{
    struct hub_user *user = hub->dirty;
    if (user == NULL)
        return NULL;
    hub->dirty = user->next_dirty;
    if (hub->dirty == NULL)
        hub->dirty_end = &hub->dirty;
    user->is_dirty = false;
    return user;
}

static struct hub_user *user_of(struct hub *hub, const char *user_id)
{
    struct hub_user *user = (struct hub_user *)user_find(&hub->users, user_id);
    if (user != NULL)
        return user;
    user = calloc(1, sizeof *user);
    assert(user != NULL);
    user->read_after = INT64_MAX;
    user_insert(&hub->users, &user->entry, user_id);
    return user;
}

void hub_drop_if_unused(struct hub *hub, struct hub_user *user)
{
    if (user->streams != NULL || user->is_dirty)
        return;
    user_remove(&hub->users, &user->entry);
    free(user);
}

/* ---- Streams. */

void hub_forget(struct hub_stream *stream)
{
    struct hub *hub = stream->hub;
    struct hub_user *user = stream->user;
    loop_timer_stop(&stream->expiry);
    unlink_stream(hub, stream);
    struct hub_stream **at = &user->streams;
    while (*at != stream)
        at = &(*at)->next_of_user;
    *at = stream->next_of_user;
    seat_leave(hub->server, user->entry.user_id);
    hub->stats.streams--;
    if (stream->full_since_us != 0)
        hub->stats.full--;
    hub_drop_if_unused(hub, user);
    free(stream);
}

void hub_end_stream(struct hub_stream *stream, rpc_code code,
                    const char *reason, const char *message)
{
    if (stream->call != NULL) { /* its coroutine lets go of the stream */
        rpc_end_reason(stream->call, code, reason, message);
        return;
    }
    rpc_tail_end_reason(stream->tail, code, reason, message);
    hub_forget(stream);
}

static void on_expiry(struct loop_timer *timer)
{
    struct hub_stream *stream =
        (struct hub_stream *)((char *)timer -
                              offsetof(struct hub_stream, expiry));
    hub_end_stream(stream, RPC_UNAUTHENTICATED, "TOKEN_EXPIRED",
                   "the access token has expired");
}

static void start_expiry(struct hub_stream *stream, int64_t expires_us)
{
    loop_timer_init(&stream->expiry, on_expiry);
    if (expires_us == 0)
        return;
    int64_t left_ms = (expires_us - clock_wall_us()) / 1000;
    loop_timer_start(stream->hub->loop, &stream->expiry,
                     left_ms > 0 ? left_ms : 0);
}

static void let_go(void *argument)
{
    hub_forget(argument);
}

rpc_status hub_add(struct rpc_call *call, uint32_t topics,
                   struct hub_stream **added)
{
    struct hub *hub = hub_of(call->loop);
    if (hub == NULL)
        return rpc_fail(call, RPC_UNAVAILABLE, "the server is going down");
    const char *user_id = call->caller.id;
    TRY(seat_take(call, user_id, app_config()->streams_per_user));

    struct hub_stream *stream = calloc(1, sizeof *stream);
    assert(stream != NULL);
    stream->hub = hub;
    stream->call = call;
    stream->topics = topics;
    if (call->caller.session_id != NULL)
        snprintf(stream->session_id, sizeof stream->session_id, "%s",
                 call->caller.session_id);
    stream->user = user_of(hub, user_id);
    stream->next_of_user = stream->user->streams;
    stream->user->streams = stream;
    append_stream(hub, stream);
    start_expiry(stream, call->caller.expires_us);
    hub->stats.streams++;
    rpc_defer(call, let_go, stream);
    *added = stream;
    return RPC_SUCCESS;
}

bool hub_wants(const struct hub_stream *stream, int topic)
{
    return (stream->topics & 1u << topic) != 0;
}

static void on_closed(struct rpc_tail *tail, void *owner)
{
    (void)tail;
    hub_forget(owner);
}

/* The last position that the client gets to know saves it from reading again
 * what it did not ask for. */
static void on_drain(struct rpc_tail *tail, void *owner)
{
    struct hub_stream *stream = owner;
    event_note note = event_heartbeat(stream->position);
    rpc_tail_send(tail, note.bytes, note.size);
    hub_end_stream(stream, RPC_UNAVAILABLE, "SERVER_DRAINING",
                   "this connection is to end; resume the stream on another");
}

void hub_go_live(struct hub_stream *stream, struct rpc_out *out,
                 event_position position)
{
    static const struct rpc_tail_hooks hooks = {on_closed, on_drain};
    rpc_undefer(stream->call, stream);
    stream->call = NULL;
    stream->position = position;
    stream->tail = rpc_detach(out, &hooks, stream);
    hub_admit_stale(stream);
    /* What was committed since the backlog was read woke nobody. */
    hub_mark_dirty(stream->hub, stream->user);
    hub_start_reading(stream->hub);
}

/* ---- Waking. */

void hub_wake(struct hub *hub, const char *user_id)
{
    if (strcmp(user_id, WAKE_PRESENCE) == 0) {
        hub->is_presence_due = hub->users.count > 0;
        hub_start_reading(hub);
        return;
    }
    struct hub_user *user = (struct hub_user *)user_find(&hub->users, user_id);
    if (user == NULL)
        return;
    hub_mark_dirty(hub, user);
    hub_start_reading(hub);
}

void hub_wake_all(struct hub *hub)
{
    hub->is_poll_due = true;
    hub->is_presence_due = true;
    hub_start_reading(hub);
}

static bool concerns(const struct hub_stream *stream, const char *user_id,
                     const char *session_id)
{
    return session_id != NULL
               ? strcmp(stream->session_id, session_id) == 0
               : strcmp(stream->user->entry.user_id, user_id) == 0;
}

void hub_end_sessions(struct hub *hub, const char *user_id,
                      const char *session_id)
{
    struct hub_stream *stream = hub->first, *next;
    for (; stream != NULL; stream = next) {
        next = stream->after;
        if (!concerns(stream, user_id, session_id))
            continue;
        event_note note = event_end_of_session(stream->session_id);
        if (stream->tail != NULL)
            rpc_tail_send(stream->tail, note.bytes, note.size);
        hub_end_stream(stream, RPC_UNAUTHENTICATED, "SESSION_ENDED",
                       "the session was ended");
    }
}

/* ---- Time. */

static void send_heartbeats(struct hub *hub)
{
    int64_t now_us = loop_now_us(hub->loop);
    while (hub->first != NULL && hub->first->heartbeat_due_us <= now_us) {
        struct hub_stream *stream = hub->first;
        unlink_stream(hub, stream);
        append_stream(hub, stream);
        event_note note = event_heartbeat(stream->position);
        if (stream->tail != NULL)
            rpc_tail_send(stream->tail, note.bytes, note.size);
    }
}

/* A stream that was full gets its turn again when half of it is out, and is
 * ended when that takes too long. */
static void look_at_full_streams(struct hub *hub)
{
    int64_t limit_us = app_config()->slow_reader_ms * 1000;
    struct hub_stream *stream = hub->stats.full > 0 ? hub->first : NULL, *next;
    for (; stream != NULL; stream = next) {
        next = stream->after;
        if (stream->full_since_us == 0)
            continue;
        if (rpc_tail_queued(stream->tail) <= RPC_TAIL_BYTES_MAX / 2) {
            stream->full_since_us = 0;
            hub->stats.full--;
            hub_admit_stale(stream);
            hub_mark_dirty(hub, stream->user);
        } else if (loop_now_us(hub->loop) - stream->full_since_us > limit_us) {
            hub->stats.slow_readers++;
            hub_end_stream(stream, RPC_ABORTED, "SLOW_READER",
                           "the client reads too slowly; resume the stream");
        }
    }
}

static void on_tick(struct loop_timer *timer)
{
    struct hub *hub =
        (struct hub *)((char *)timer - offsetof(struct hub, tick));
    send_heartbeats(hub);
    look_at_full_streams(hub);
    hub->is_poll_due = hub->is_presence_due = hub->users.count > 0;
    if (hub->users.count == 0)
        hub->presence_version = -1;
    hub_start_reading(hub);
    loop_timer_start(hub->loop, timer, TICK_MS);
}

/* ---- Life. */

static void on_session_end(struct loop *loop, const char *user_id,
                           const char *session_id)
{
    struct hub *hub = hub_of(loop);
    if (hub != NULL)
        hub_end_sessions(hub, user_id, session_id);
}

static void register_once(void)
{
    auth_on_session_end(on_session_end);
}

void hub_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_once);
}

void hub_start(struct rpc_server *server, struct loop *loop,
               const char *database_url)
{
    pthread_once(&slot_once, take_slot);
    struct hub *hub = calloc(1, sizeof *hub);
    assert(hub != NULL);
    hub->server = server;
    hub->loop = loop;
    hub->dirty_end = &hub->dirty;
    hub->presence_version = -1;
    hub->presence = presence_create(server, loop);
    loop_timer_init(&hub->tick, on_tick);
    loop_timer_start(loop, &hub->tick, TICK_MS);
    loop_set(loop, slot, hub);
    if (loop != rpc_server_loop(server, 0))
        return;
    hub->trimmer = trimmer_create(server, loop);
    if (database_url != NULL)
        hub->hints = hints_create(server, loop, database_url);
}

void hub_stop(struct loop *loop)
{
    struct hub *hub = hub_of(loop);
    if (hub == NULL)
        return;
    loop_set(loop, slot, NULL);
    hints_destroy(hub->hints);
    trimmer_destroy(hub->trimmer);
    loop_timer_stop(&hub->tick);
    assert(hub->first == NULL); /* the server ends all calls first */
    struct hub_user *user;
    while ((user = hub_take_dirty(hub)) != NULL)
        hub_drop_if_unused(hub, user);
    user_table_finish(&hub->users);
    presence_destroy(hub->presence);
    seats_finish(&hub->seats);
    free(hub);
}

struct hints *hub_hints(struct hub *hub)
{
    return hub->hints;
}

struct seats *hub_seats(struct hub *hub)
{
    return &hub->seats;
}

struct presence *hub_presence(struct hub *hub)
{
    return hub->presence;
}

struct hub_stats hub_stats(const struct hub *hub)
{
    struct hub_stats stats = hub->stats;
    stats.users = (int)hub->users.count;
    return stats;
}
