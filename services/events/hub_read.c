/* Reading the logs that have grown, and sending what is new to the streams. */
#include "rpc/call.h"
#include "rpc/clock.h"
#include "services/events/event.sql.h"
#include "services/events/event_row.rpc.h"
#include "services/events/hub_internal.h"
#include "services/events/wire.h"

#include <string.h>

enum {
    LOGS_AT_ONCE = 100,   /* logs that one statement reads */
    EVENTS_AT_ONCE = 100, /* from each of them */
    POLLED_AT_ONCE = 1000,
    READS_A_TASK = 32, /* then a new task, with an empty arena */
};

/* ---- Which logs. */

/* The position of the stream that is furthest behind and takes more;
 * INT64_MAX when none does. */
static int64_t read_from(const struct hub_user *user)
{
    int64_t seq = INT64_MAX;
    for (const struct hub_stream *s = user->streams; s; s = s->next_of_user)
        if (s->tail != NULL && s->full_since_us == 0 && s->position.seq < seq)
            seq = s->position.seq;
    return seq;
}

struct batch {
    size_t count;
    const char *user_ids[LOGS_AT_ONCE];
    int64_t positions[LOGS_AT_ONCE];
};

static void take_batch(struct hub *hub, struct arena *arena,
                       struct batch *batch)
{
    struct hub_user *user;
    batch->count = 0;
    while (batch->count < LOGS_AT_ONCE && (user = hub_take_dirty(hub))) {
        user->read_after = read_from(user);
        if (user->read_after == INT64_MAX) {
            hub_drop_if_unused(hub, user);
            continue;
        }
        batch->user_ids[batch->count] =
            arena_strdup(arena, user->entry.user_id);
        batch->positions[batch->count] = user->read_after;
        batch->count++;
    }
}

static struct hub_user *find(struct hub *hub, const char *user_id)
{
    return (struct hub_user *)user_find(&hub->users, user_id);
}

/* The reading did not happen: the next tick tries again. */
static void give_back(struct hub *hub, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct hub_user *user = find(hub, batch->user_ids[i]);
        if (user == NULL)
            continue;
        user->read_after = INT64_MAX;
        hub_mark_dirty(hub, user);
    }
}

/* ---- To the streams. */

bool hub_offer(struct hub_stream *stream, const void *bytes, size_t size)
{
    if (rpc_tail_send(stream->tail, bytes, size))
        return true;
    stream->full_since_us = loop_now_us(stream->hub->loop);
    stream->hub->stats.full++;
    return false;
}

/* What lies between the stream's position and this one is gone. */
static bool skip_to(struct hub_stream *stream, event_position position)
{
    event_note note = event_resync(position);
    if (!hub_offer(stream, note.bytes, note.size))
        return false;
    stream->hub->stats.resyncs++;
    stream->position = position;
    return true;
}

struct wire_event {
    const EventRow *row;
    const uint8_t *bytes;
    size_t size;
};

static void send_to(struct hub_stream *stream, const struct wire_event *events,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct wire_event *event = &events[i];
        if (event->row->seq <= stream->position.seq)
            continue;
        if (!position_leads_to(stream->position, event->row) &&
            !skip_to(stream, position_before(event->row)))
            return;
        if (hub_wants(stream, event->row->topic)) {
            if (!hub_offer(stream, event->bytes, event->size))
                return;
            stream->hub->stats.events_sent++;
        }
        stream->position = position_of(event->row);
    }
}

/* Streams that went live during the reading may be behind its start: their
 * user is dirty, and the next reading serves them. */
static void send_to_user(struct hub_user *user, const struct wire_event *events,
                         size_t count)
{
    for (struct hub_stream *s = user->streams; s; s = s->next_of_user)
        if (s->tail != NULL && s->full_since_us == 0 &&
            s->position.seq >= user->read_after)
            send_to(s, events, count);
}

/* `rows` are of one log, in order. */
static void send_log(struct hub *hub, struct arena *arena, EventRow **rows,
                     size_t count)
{
    struct hub_user *user = find(hub, rows[0]->user_id);
    if (user == NULL)
        return;
    struct wire_event *events = arena_array(arena, count, sizeof *events);
    for (size_t i = 0; i < count; i++) {
        events[i].row = rows[i];
        events[i].bytes =
            event_wire(arena, rows[i], hub->read_after, &events[i].size);
    }
    send_to_user(user, events, count);
    if (count == EVENTS_AT_ONCE)
        hub_mark_dirty(hub, user);
}

static void send_all(struct hub *hub, struct arena *arena, EventRow **rows,
                     size_t count)
{
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count; to++)
            if (strcmp(rows[to]->user_id, rows[from]->user_id) != 0)
                break;
        send_log(hub, arena, rows + from, to - from);
    }
}

static void end_reading(struct hub *hub, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct hub_user *user = find(hub, batch->user_ids[i]);
        if (user == NULL)
            continue;
        user->read_after = INT64_MAX;
    }
}

static rpc_status read_batch(struct hub *hub, struct rpc_call *call,
                             const struct batch *batch)
{
    size_t count = 0;
    EventRow **rows = NULL;
    TRY(db_many(call->db, &event_read_many, &count, &rows,
                db_texts(batch->user_ids, batch->count),
                db_ints(batch->positions, batch->count),
                db_int(EVENTS_AT_ONCE)));
    hub->stats.reads++;
    db_read_after(call, hub->read_after);
    send_all(hub, call->arena, rows, count);
    end_reading(hub, batch);
    return RPC_SUCCESS;
}

/* ---- The safety poll. */

/* A position that the log does not lead to: everything behind it was trimmed,
 * or it belongs to another log, because the database was put back to an older
 * state.  Where there are rows behind it, reading them tells.  A stream that
 * went live since the poll began knows better than what the poll saw. */
static void look_at_cursor(struct hub *hub, const EventCursorRow *cursor)
{
    struct hub_user *user = find(hub, cursor->user_id);
    if (user == NULL)
        return;
    for (struct hub_stream *s = user->streams; s; s = s->next_of_user) {
        if (!s->is_polled || s->full_since_us != 0)
            continue;
        if (s->position.seq < cursor->last_seq &&
            cursor->trimmed_seq < cursor->last_seq)
            hub_mark_dirty(hub, user);
        else if (!position_is_in(s->position, cursor))
            skip_to(s, position_of_end(cursor));
    }
}

static rpc_status poll_some(struct hub *hub, struct rpc_call *call,
                            const char *const *user_ids, size_t count)
{
    size_t n = 0;
    EventCursorRow **cursors = NULL;
    TRY(db_many(call->db, &event_cursors, &n, &cursors,
                db_texts(user_ids, count)));
    for (size_t i = 0; i < n; i++)
        look_at_cursor(hub, cursors[i]);
    return RPC_SUCCESS;
}

static const char *begin_poll(struct arena *arena, struct hub_user *user)
{
    for (struct hub_stream *s = user->streams; s; s = s->next_of_user)
        s->is_polled = s->tail != NULL;
    return arena_strdup(arena, user->entry.user_id);
}

static rpc_status poll_all(struct hub *hub, struct rpc_call *call)
{
    size_t count = 0;
    const char **user_ids =
        arena_array(call->arena, hub->users.count, sizeof *user_ids);
    for (size_t i = 0; i < hub->users.bucket_count; i++)
        for (struct user_entry *e = hub->users.buckets[i]; e; e = e->next)
            user_ids[count++] = begin_poll(call->arena, (struct hub_user *)e);

    for (size_t i = 0; i < count; i += POLLED_AT_ONCE)
        TRY(poll_some(hub, call, user_ids + i,
                      count - i < POLLED_AT_ONCE ? count - i : POLLED_AT_ONCE));
    return RPC_SUCCESS;
}

/* ---- The task. */

static rpc_status read_logs(struct hub *hub, struct rpc_call *call)
{
    if (hub->is_poll_due) {
        hub->is_poll_due = false;
        hub->stats.polls++;
        TRY(poll_all(hub, call));
    }
    struct batch *batch = ARENA_NEW(call->arena, struct batch);
    for (int i = 0; i < READS_A_TASK; i++) {
        take_batch(hub, call->arena, batch);
        if (batch->count == 0)
            break;
        rpc_status status = read_batch(hub, call, batch);
        if (status.code != RPC_OK) {
            give_back(hub, batch);
            return status;
        }
    }
    /* Last, so that the logs do not depend on it. */
    if (!hub->is_presence_due)
        return RPC_SUCCESS;
    hub->is_presence_due = false;
    return hub_read_presence(hub, call);
}

static void reading_task(struct rpc_call *call, void *argument)
{
    struct hub *hub = argument;
    db_tell_reads(call);
    rpc_status status = read_logs(hub, call);
    hub->is_reading = false;
    if (status.code == RPC_OK) /* else the next tick tries again */
        hub_start_reading(hub);
}

void hub_start_reading(struct hub *hub)
{
    if (hub->is_reading ||
        (hub->dirty == NULL && !hub->is_poll_due && !hub->is_presence_due))
        return;
    hub->is_reading =
        rpc_task(hub->server, hub->loop, reading_task, hub) != NULL;
}
