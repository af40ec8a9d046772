#include "services/events/wire.h"

#include "db/db.h"
#include "rpc/codec.h"

#include <assert.h>
#include <string.h>

enum {
    TAG_EVENT = 1 << 3 | 2,      /* SubscribeResponse.event, length-delimited */
    TAG_EVENT_ID = 1 << 3 | 0,   /* Event.event_id, varint */
    TAG_MARK = 3 << 3 | 0,       /* Event.mark, varint */
    TAG_READ_AFTER = 2 << 3 | 2, /* SubscribeResponse.read_after */
    VARINT_MAX = 10,
};

static size_t put_varint(uint8_t *bytes, uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    return n;
}

/* Shorter than 128 bytes. */
static size_t put_read_after(uint8_t *bytes, const char *token)
{
    size_t size = strlen(token);
    if (size == 0)
        return 0;
    bytes[0] = TAG_READ_AFTER;
    bytes[1] = (uint8_t)size;
    memcpy(bytes + 2, token, size);
    return 2 + size;
}

const uint8_t *event_wire(struct arena *arena, const EventRow *row,
                          const char *read_after, size_t *size)
{
    uint8_t id[2 + 2 * VARINT_MAX] = {TAG_EVENT_ID};
    size_t id_size = 1 + put_varint(id + 1, (uint64_t)row->seq);
    id[id_size++] = TAG_MARK;
    id_size += put_varint(id + id_size, (uint64_t)row->mark);

    size_t payload_size = row->payload.len;
    uint8_t *bytes =
        arena_alloc(arena, 1 + VARINT_MAX + id_size + payload_size + 2 +
                               DB_READ_AFTER_BYTES);
    size_t n = 0;
    bytes[n++] = TAG_EVENT;
    n += put_varint(bytes + n, id_size + payload_size);
    memcpy(bytes + n, id, id_size);
    n += id_size;
    if (payload_size > 0)
        memcpy(bytes + n, row->payload.data, payload_size);
    n += payload_size;
    *size = n + put_read_after(bytes + n, read_after);
    return bytes;
}

event_note event_note_of(const Event *event)
{
    SubscribeResponse response = SUBSCRIBE_RESPONSE_INIT;
    response.event = (Event *)event;
    event_note note = {.size = codec_size(&response.base)};
    assert(note.size <= sizeof note.bytes);
    codec_write(&response.base, note.bytes, note.size);
    return note;
}

event_note event_heartbeat(event_position position)
{
    Heartbeat heartbeat = HEARTBEAT_INIT;
    heartbeat.position = position.seq;
    heartbeat.mark = position.mark;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_HEARTBEAT_CASE;
    event.heartbeat = &heartbeat;
    return event_note_of(&event);
}

event_note event_resync(event_position position)
{
    ResyncRequired resync = RESYNC_REQUIRED_INIT;
    resync.position = position.seq;
    resync.mark = position.mark;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_RESYNC_REQUIRED_CASE;
    event.resync_required = &resync;
    return event_note_of(&event);
}

event_note event_end_of_session(const char *session_id)
{
    SessionEnded ended = SESSION_ENDED_INIT;
    ended.session_id = session_id;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_SESSION_ENDED_CASE;
    event.session_ended = &ended;
    return event_note_of(&event);
}
