#ifndef PRBAL_SERVICES_EVENTS_POSITION_H
#define PRBAL_SERVICES_EVENTS_POSITION_H

#include "services/events/event_row.rpc.h"

#include <stdbool.h>
#include <stdint.h>

/* How far a reader has come in a user's log: up to the event `seq`, which had
 * this mark.
 *
 * A number alone does not tell whether it is still the same log.  When a backup
 * is restored, or a standby takes over that had not got all, other events get
 * the numbers that a client has seen; the marks, which are random, then differ.
 * 0 is a mark that is not known, and agrees with every other. */
typedef struct {
    int64_t seq;
    int32_t mark;
} event_position;

event_position position_of(const EventRow *row);

/* Behind the last event. */
event_position position_of_end(const EventCursorRow *cursor);

/* Just before the row: where a reader goes on who has missed what was there. */
event_position position_before(const EventRow *row);

/* Whether the row is the one that follows, in the same log. */
bool position_leads_to(event_position position, const EventRow *row);

/* Whether what follows is, or will be, in the log.  True also for a position in
 * its middle whose mark differs: the next row tells. */
bool position_is_in(event_position position, const EventCursorRow *cursor);

#endif
