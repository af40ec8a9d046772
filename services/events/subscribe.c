/* EventService.Subscribe: catches up from the log on the call's coroutine, then
 * hands the stream to the hub.
 *
 * Nothing can fall between the two: the stream goes live at the position up to
 * which the log was read, and the hub begins by reading on from there. */
#include "db/db.h"
#include "prbal/v1/event.rpc.h"
#include "rpc/clock.h"
#include "rpc/stream.h"
#include "services/app.h"
#include "services/events/event.sql.h"
#include "services/events/event_row.rpc.h"
#include "services/events/hub.h"
#include "services/events/wire.h"

#include <openssl/rand.h>

enum {
    BACKLOG_PAGE = 200,
    /* Further back than this, reading the lists again is cheaper for both
     * sides.  It also bounds what the call's arena takes. */
    BACKLOG_MAX = 10000,
};

static uint32_t topics_of(const SubscribeRequest *req)
{
    if (req->n_topics == 0)
        return UINT32_MAX;
    uint32_t topics = 0;
    for (size_t i = 0; i < req->n_topics; i++)
        topics |= 1u << req->topics[i];
    return topics;
}

/* A user whom nothing has happened to has no cursor yet. */
static rpc_status read_cursor(struct rpc_call *call, EventCursorRow *cursor)
{
    EventCursorRow *row;
    TRY(db_find(call->db, &event_cursor, &row, db_text(call->caller.id)));
    *cursor = row != NULL ? *row : (EventCursorRow)EVENT_CURSOR_ROW_INIT;
    return RPC_SUCCESS;
}

static rpc_status send_event(struct rpc_out *out, Event *event)
{
    SubscribeResponse response = SUBSCRIBE_RESPONSE_INIT;
    response.event = event;
    return rpc_send(out, &response);
}

/* Random, so that nobody guesses the stream of somebody else. */
static char *new_stream_id(struct arena *arena)
{
    uint8_t r[16];
    if (RAND_bytes(r, sizeof r) != 1)
        return arena_strdup(arena, "");
    r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
    r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
    return arena_printf(arena,
                        "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
                        "%02x%02x%02x%02x%02x%02x",
                        r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8],
                        r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
}

static rpc_status send_connected(struct rpc_call *call, struct rpc_out *out,
                                 event_position position)
{
    int64_t wall_us = clock_wall_us();
    Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    now.seconds = wall_us / 1000000;
    now.nanos = (int32_t)(wall_us % 1000000 * 1000);

    Connected connected = CONNECTED_INIT;
    connected.stream_id = new_stream_id(call->arena);
    connected.server_time = &now;
    connected.position = position.seq;
    connected.mark = position.mark;
    connected.heartbeat_seconds = (int32_t)(app_config()->heartbeat_ms / 1000);
    Event event = EVENT_INIT;
    event.payload_case = EVENT_CONNECTED_CASE;
    event.connected = &connected;
    return send_event(out, &event);
}

static rpc_status send_caught_up(struct rpc_out *out, event_position position)
{
    CaughtUp caught_up = CAUGHT_UP_INIT;
    caught_up.position = position.seq;
    caught_up.mark = position.mark;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_CAUGHT_UP_CASE;
    event.caught_up = &caught_up;
    return send_event(out, &event);
}

/* Tells the client that it has missed something, and where it is now. */
static rpc_status skip_to_end(struct rpc_call *call, struct rpc_out *out,
                              event_position *position)
{
    EventCursorRow cursor;
    TRY(read_cursor(call, &cursor));
    *position = position_of_end(&cursor);
    event_note note = event_resync(*position);
    return rpc_send_bytes(out, note.bytes, note.size);
}

/* Sends a page; *is_gap when it does not follow: the log was trimmed meanwhile,
 * or is not the one that the client has read. */
static rpc_status send_page(struct rpc_call *call, struct rpc_out *out,
                            const struct hub_stream *stream, size_t count,
                            EventRow **rows, event_position *position,
                            bool *is_gap)
{
    char read_after[DB_READ_AFTER_BYTES + 1] = "";
    db_read_after(call, read_after);
    for (size_t i = 0; i < count; i++) {
        const EventRow *row = rows[i];
        *is_gap = !position_leads_to(*position, row);
        if (*is_gap)
            return RPC_SUCCESS;
        *position = position_of(row);
        if (!hub_wants(stream, row->topic))
            continue;
        size_t size;
        const uint8_t *bytes = event_wire(call->arena, row, read_after, &size);
        TRY(rpc_send_bytes(out, bytes, size));
    }
    return RPC_SUCCESS;
}

static rpc_status send_backlog(struct rpc_call *call, struct rpc_out *out,
                               const struct hub_stream *stream,
                               event_position *position)
{
    size_t count = BACKLOG_PAGE;
    while (count == BACKLOG_PAGE) {
        EventRow **rows;
        bool is_gap = false;
        TRY(db_many(call->db, &event_read, &count, &rows,
                    db_text(call->caller.id), db_int(position->seq),
                    db_int(BACKLOG_PAGE)));
        TRY(send_page(call, out, stream, count, rows, position, &is_gap));
        if (is_gap)
            return skip_to_end(call, out, position);
    }
    return RPC_SUCCESS;
}

static rpc_status catch_up(struct rpc_call *call, struct rpc_out *out,
                           const struct hub_stream *stream,
                           const EventCursorRow *cursor,
                           event_position *position)
{
    bool is_served = position_is_in(*position, cursor) &&
                     cursor->last_seq - position->seq <= BACKLOG_MAX;
    return is_served ? send_backlog(call, out, stream, position)
                     : skip_to_end(call, out, position);
}

/* Everything before the stream is live. */
static rpc_status begin(struct rpc_call *call, const SubscribeRequest *req,
                        struct rpc_out *out, const struct hub_stream *stream,
                        event_position *position)
{
    EventCursorRow cursor;
    TRY(hub_follow_presence(call));
    TRY(read_cursor(call, &cursor));
    *position = position_of_end(&cursor);
    TRY(send_connected(call, out, *position));
    if (req->_resume_after_case == SUBSCRIBE_REQUEST_RESUME_AFTER_CASE) {
        *position = (event_position){req->resume_after, req->resume_mark};
        TRY(catch_up(call, out, stream, &cursor, position));
    }
    return send_caught_up(out, *position);
}

rpc_status event_subscribe(struct rpc_call *call, const SubscribeRequest *req,
                           struct rpc_out *out)
{
    struct hub_stream *stream;
    db_tell_reads(call);
    TRY(hub_add(call, topics_of(req), &stream));
    event_position position;
    TRY(begin(call, req, out, stream, &position));
    hub_go_live(stream, out, position);
    return RPC_SUCCESS;
}
