#include "services/events/wire.h"

#include "rpc/codec.h"

#include <assert.h>
#include <string.h>

enum {
    TAG_EVENT = 1 << 3 | 2,    /* SubscribeResponse.event, length-delimited */
    TAG_EVENT_ID = 1 << 3 | 0, /* Event.event_id, varint */
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

const uint8_t *event_wire(struct arena *arena, int64_t event_id,
                          const void *payload, size_t payload_size,
                          size_t *size)
{
    uint8_t id[1 + VARINT_MAX] = {TAG_EVENT_ID};
    size_t id_size = 1 + put_varint(id + 1, (uint64_t)event_id);

    uint8_t *bytes =
        arena_alloc(arena, 1 + VARINT_MAX + id_size + payload_size);
    size_t n = 0;
    bytes[n++] = TAG_EVENT;
    n += put_varint(bytes + n, id_size + payload_size);
    memcpy(bytes + n, id, id_size);
    n += id_size;
    if (payload_size > 0)
        memcpy(bytes + n, payload, payload_size);
    *size = n + payload_size;
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

event_note event_heartbeat(int64_t position)
{
    Heartbeat heartbeat = HEARTBEAT_INIT;
    heartbeat.position = position;
    Event event = EVENT_INIT;
    event.payload_case = EVENT_HEARTBEAT_CASE;
    event.heartbeat = &heartbeat;
    return event_note_of(&event);
}

event_note event_resync(int64_t position)
{
    ResyncRequired resync = RESYNC_REQUIRED_INIT;
    resync.position = position;
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
