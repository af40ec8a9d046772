#ifndef PRBAL_SERVICES_EVENTS_WIRE_H
#define PRBAL_SERVICES_EVENTS_WIRE_H

#include "prbal/v1/event.rpc.h"
#include "rpc/arena.h"
#include "services/events/position.h"

#include <stddef.h>
#include <stdint.h>

/* Events as they travel: encoded SubscribeResponse messages. */

/* From a stored payload (an Event without event_id and mark) and these, without
 * decoding it: protobuf merges fields that stand beside each other.
 * `read_after` is the token of a database that has what the event tells of, ""
 * when there is none.  In the arena. */
const uint8_t *event_wire(struct arena *arena, const EventRow *row,
                          const char *read_after, size_t *size);

/* Small events that the stream itself makes, on the caller's stack. */
typedef struct {
    size_t size;
    uint8_t bytes[128];
} event_note;

event_note event_note_of(const Event *event);
event_note event_heartbeat(event_position position);
event_note event_resync(event_position position);
event_note event_end_of_session(const char *session_id);

#endif
