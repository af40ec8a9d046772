/*  REQUESTED --> PENDING <--> COUNTERED       every state up here can end as
 *                   |             |           WITHDRAWN, EXPIRED, CANCELLED,
 *                   v             v           and the last two as REJECTED
 *                ACCEPTED --> COMPLETED or CANCELLED
 */
#include "services/bids/bid_state.h"

#include <stddef.h>

#define S(name) BID_STATUS_##name

const struct bid_move bid_moves[] = {
    {S(REQUESTED), S(PENDING), BID_BY_PROVIDER},
    {S(REQUESTED), S(WITHDRAWN), BID_BY_PROVIDER},
    {S(REQUESTED), S(CANCELLED), BID_BY_SEEKER | BID_BY_SYSTEM},
    {S(REQUESTED), S(EXPIRED), BID_BY_SYSTEM},
    {S(PENDING), S(ACCEPTED), BID_BY_SEEKER},
    {S(PENDING), S(REJECTED), BID_BY_SEEKER | BID_BY_SYSTEM},
    {S(PENDING), S(COUNTERED), BID_BY_SEEKER},
    {S(PENDING), S(WITHDRAWN), BID_BY_PROVIDER},
    {S(PENDING), S(CANCELLED), BID_BY_SEEKER | BID_BY_SYSTEM},
    {S(PENDING), S(EXPIRED), BID_BY_SYSTEM},
    {S(COUNTERED), S(PENDING), BID_BY_PROVIDER},
    {S(COUNTERED), S(ACCEPTED), BID_BY_PROVIDER},
    {S(COUNTERED), S(REJECTED), BID_BY_SEEKER | BID_BY_SYSTEM},
    {S(COUNTERED), S(WITHDRAWN), BID_BY_PROVIDER},
    {S(COUNTERED), S(CANCELLED), BID_BY_SEEKER | BID_BY_SYSTEM},
    {S(COUNTERED), S(EXPIRED), BID_BY_SYSTEM},
    {S(ACCEPTED), S(COMPLETED), BID_BY_SYSTEM},
    {S(ACCEPTED), S(CANCELLED), BID_BY_SYSTEM},
    {0},
};

bool bid_can_move(BidStatus from, BidStatus to, bid_actor by)
{
    for (const struct bid_move *m = bid_moves; m->from != 0; m++)
        if (m->from == from && m->to == to && (m->by & (unsigned)by) != 0)
            return true;
    return false;
}

bool bid_is_final(BidStatus status)
{
    for (const struct bid_move *m = bid_moves; m->from != 0; m++)
        if (m->from == status)
            return false;
    return true;
}

bool bid_is_open(BidStatus status)
{
    return status == S(REQUESTED) || status == S(PENDING) ||
           status == S(COUNTERED);
}
