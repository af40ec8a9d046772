#ifndef PRBAL_SERVICES_BIDS_BID_STATE_H
#define PRBAL_SERVICES_BIDS_BID_STATE_H

#include "prbal/v1/bid.rpc.h"

#include <stdbool.h>

/* The bid's state machine: every legal move, in one table, without input or
 * output.  Handlers, SQL, documentation and tests go by it. */
typedef enum {
    BID_BY_PROVIDER = 1,
    BID_BY_SEEKER = 2,
    BID_BY_SYSTEM = 4,
} bid_actor;

struct bid_move {
    BidStatus from, to;
    unsigned by; /* bid_actor bits */
};
extern const struct bid_move bid_moves[]; /* ends with from == 0 */

/* Whether `by` may move a bid so.  Staying is no move. */
bool bid_can_move(BidStatus from, BidStatus to, bid_actor by);

bool bid_is_final(BidStatus status);

/* Whether the bid still waits for somebody's decision. */
bool bid_is_open(BidStatus status);

#endif
