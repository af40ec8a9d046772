/*            accept              start               complete
 *  PENDING ---------> CONFIRMED -------> IN_PROGRESS ---------> COMPLETED
 *     | decline            |    \________________________________^ (courses)
 *     v                    v cancel            | cancel
 *  DECLINED            CANCELLED <-------------+
 *     (PENDING, too, can be cancelled)
 */
#include "services/bookings/booking_state.h"

#include <stddef.h>

#define S(name) BOOKING_STATUS_##name

const struct booking_move booking_moves[] = {
    {S(PENDING), S(CONFIRMED), BOOKING_BY_PROVIDER, 0},
    {S(PENDING), S(CONFIRMED), BOOKING_BY_SYSTEM, 0}, /* paid, or instant */
    {S(PENDING), S(DECLINED), BOOKING_BY_PROVIDER, 0},
    {S(PENDING), S(CANCELLED), BOOKING_BY_EITHER, 0},
    {S(PENDING), S(CANCELLED), BOOKING_BY_SYSTEM, 0}, /* never paid */
    {S(CONFIRMED), S(IN_PROGRESS), BOOKING_BY_PROVIDER, 0},
    {S(CONFIRMED), S(COMPLETED), BOOKING_BY_PROVIDER, BOOKING_ORIGIN_COURSE},
    {S(CONFIRMED), S(CANCELLED), BOOKING_BY_EITHER, 0},
    {S(IN_PROGRESS), S(COMPLETED), BOOKING_BY_PROVIDER, 0},
    {S(IN_PROGRESS), S(CANCELLED), BOOKING_BY_EITHER, 0},
    {0},
};

bool booking_can_move(BookingStatus from, BookingStatus to,
                      BookingOrigin origin, booking_actor by)
{
    for (const struct booking_move *m = booking_moves; m->from != 0; m++)
        if (m->from == from && m->to == to && (m->by & (unsigned)by) != 0 &&
            (m->only_origin == 0 || m->only_origin == origin))
            return true;
    return false;
}

bool booking_is_final(BookingStatus status)
{
    for (const struct booking_move *m = booking_moves; m->from != 0; m++)
        if (m->from == status)
            return false;
    return true;
}

bool booking_holds_slot(BookingStatus status)
{
    return status == S(CONFIRMED) || status == S(IN_PROGRESS);
}
