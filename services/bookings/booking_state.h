#ifndef PRBAL_SERVICES_BOOKINGS_BOOKING_STATE_H
#define PRBAL_SERVICES_BOOKINGS_BOOKING_STATE_H

#include "prbal/v1/booking.rpc.h"

#include <stdbool.h>

/* The booking's state machine: every legal move, in one table, without input
 * or output.  Handlers, SQL, documentation and tests go by it. */
typedef enum {
    BOOKING_BY_PROVIDER = 1,
    BOOKING_BY_SEEKER = 2,
    BOOKING_BY_EITHER = 3,
    BOOKING_BY_SYSTEM = 4,
} booking_actor;

struct booking_move {
    BookingStatus from, to;
    unsigned by; /* booking_actor bits */
    /* Only a booking of this origin; UNSPECIFIED means any. */
    BookingOrigin only_origin;
};
extern const struct booking_move booking_moves[]; /* ends with from == 0 */

/* Whether `by` may move a booking of `origin` so.  Staying is no move. */
bool booking_can_move(BookingStatus from, BookingStatus to,
                      BookingOrigin origin, booking_actor by);

bool booking_is_final(BookingStatus status);

/* Whether a booking in this state takes time in the provider's calendar. */
bool booking_holds_slot(BookingStatus status);

#endif
