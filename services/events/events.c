#include "services/events/events.h"

#include "prbal/v1/event.rpc.h"
#include "rpc/clock.h"
#include "rpc/codec.h"
#include "services/events/event.sql.h"
#include "services/events/event_row.rpc.h"
#include "services/events/wake.h"

#include <assert.h>

/* The events of one transaction, in the order in which they were appended.
 * Lives in the call's arena, as the argument of the transaction's hooks. */
struct buffer {
    size_t count, capacity;
    bool is_full; /* more were appended than it takes */
    const char **user_ids;
    const char **topics;
    ProtobufCBinaryData *payloads;

    size_t written_count; /* users */
    EventCursorRow **written;
};

static rpc_status write_events(struct db *tx, void *argument)
{
    struct buffer *buffer = argument;
    if (buffer->is_full)
        return rpc_fail(db_call(tx), RPC_RESOURCE_EXHAUSTED,
                        "this changes more than can be told at once");
    return db_many(tx, &event_write, &buffer->written_count, &buffer->written,
                   db_texts(buffer->user_ids, buffer->count),
                   db_texts(buffer->topics, buffer->count),
                   db_blobs(buffer->payloads, buffer->count));
}

static void wake_readers(struct rpc_call *call, void *argument)
{
    struct buffer *buffer = argument;
    const char **user_ids =
        arena_array(call->arena, buffer->written_count, sizeof *user_ids);
    for (size_t i = 0; i < buffer->written_count; i++)
        user_ids[i] = buffer->written[i]->user_id;
    wake_users(call, user_ids, buffer->written_count);
}

static struct buffer *buffer_of(struct db *tx)
{
    struct buffer *buffer = db_before_commit_argument(tx, write_events);
    if (buffer != NULL)
        return buffer;
    buffer = ARENA_NEW(db_call(tx)->arena, struct buffer);
    db_before_commit(tx, write_events, buffer);
    db_after_commit(tx, wake_readers, buffer);
    return buffer;
}

static void make_room(struct arena *arena, struct buffer *buffer)
{
    if (buffer->count < buffer->capacity)
        return;
    size_t n = buffer->count, capacity = n == 0 ? 8 : 2 * n;
    buffer->user_ids = arena_grown(arena, buffer->user_ids, n, capacity,
                                   sizeof *buffer->user_ids);
    buffer->topics =
        arena_grown(arena, buffer->topics, n, capacity, sizeof *buffer->topics);
    buffer->payloads = arena_grown(arena, buffer->payloads, n, capacity,
                                   sizeof *buffer->payloads);
    buffer->capacity = capacity;
}

static const char *topic_of(const Event *event)
{
    switch (event->payload_case) {
    case EVENT_CHAT_MESSAGE_CASE:
    case EVENT_ROOM_LIST_UPDATE_CASE:
    case EVENT_READ_RECEIPT_CASE:
        return "CHAT";
    case EVENT_NEW_NOTIFICATION_CASE:
        return "NOTIFICATION";
    case EVENT_BID_UPDATED_CASE:
        return "BID";
    case EVENT_BOOKING_UPDATED_CASE:
        return "BOOKING";
    default: /* what a stream says of itself is in no log */
        assert(!"an event that is not of a log");
        return NULL;
    }
}

static ProtobufCBinaryData encoded(struct arena *arena, const Event *event)
{
    int64_t wall_us = clock_wall_us();
    Google__Protobuf__Timestamp now = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    now.seconds = wall_us / 1000000;
    now.nanos = (int32_t)(wall_us % 1000000 * 1000);

    Event stored = *event;
    stored.event_id = 0;
    if (stored.create_time == NULL)
        stored.create_time = &now;
    ProtobufCBinaryData payload;
    payload.data = codec_pack(arena, &stored.base, &payload.len);
    return payload;
}

void event_append(struct db *tx, const char *user_id, const Event *event)
{
    assert(db_is_transaction(tx));
    struct arena *arena = db_call(tx)->arena;
    struct buffer *buffer = buffer_of(tx);
    buffer->is_full |= buffer->count == EVENTS_PER_TRANSACTION_MAX;
    if (buffer->is_full)
        return;
    make_room(arena, buffer);

    size_t i = buffer->count++;
    buffer->user_ids[i] = arena_strdup(arena, user_id);
    buffer->topics[i] = topic_of(event);
    buffer->payloads[i] = encoded(arena, event);
}

void event_bid_updated(struct db *tx, const char *user_id, const char *bid_id,
                       const char *service_id, BidStatus status)
{
    BidUpdated updated = BID_UPDATED_INIT;
    updated.bid_id = bid_id;
    updated.service_id = service_id;
    updated.status = status;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_BID_UPDATED_CASE;
    event.bid_updated = &updated;
    event_append(tx, user_id, &event);
}

void event_booking_updated(struct db *tx, const char *user_id,
                           const char *booking_id, const char *service_id,
                           BookingStatus status)
{
    BookingUpdated updated = BOOKING_UPDATED_INIT;
    updated.booking_id = booking_id;
    updated.service_id = service_id;
    updated.status = status;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_BOOKING_UPDATED_CASE;
    event.booking_updated = &updated;
    event_append(tx, user_id, &event);
}
