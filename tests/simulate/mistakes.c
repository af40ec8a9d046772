/* Mistakes that somebody could make, each of which has cost somebody money. */
#include "tests/simulate/run.h"

static bool revives_bids(BidStatus from, BidStatus to, bid_actor by)
{
    return bid_can_move(from, to, by) ||
           (from == BID_STATUS_REJECTED && to == BID_STATUS_ACCEPTED);
}

static void a_rejected_bid_is_accepted(struct rules *r, struct model *l)
{
    (void)l;
    r->bid_can_move = revives_bids;
}

static bool skips_states(BookingStatus from, BookingStatus to,
                         BookingOrigin origin, booking_actor by)
{
    return booking_can_move(from, to, origin, by) ||
           (from == BOOKING_STATUS_CONFIRMED &&
            to == BOOKING_STATUS_COMPLETED && by == BOOKING_BY_PROVIDER);
}

static void work_is_completed_before_it_began(struct rules *r, struct model *l)
{
    (void)l;
    r->booking_can_move = skips_states;
}

static bool holds_only_running(BookingStatus status)
{
    return status == BOOKING_STATUS_IN_PROGRESS;
}

static void confirmed_work_takes_no_time(struct rules *r, struct model *l)
{
    (void)l;
    r->booking_holds_slot = holds_only_running;
}

static bool hears_twice(OperationState from, OperationState to)
{
    return operation_can_move(from, to) || from == to;
}

static void a_webhook_counts_each_time(struct rules *r, struct model *l)
{
    (void)l;
    r->operation_can_move = hears_twice;
}

static void silence_is_failure(struct rules *r, struct model *l)
{
    (void)l;
    r->silence_is_failure = true;
}

static bool refunds_anything(struct payment *p, int64_t amount,
                             payment_actor by)
{
    if (!payment_can_move(p->state, PAYMENT_STATE_REFUNDED, by))
        return false;
    p->refunding += amount;
    return true;
}

static void refunds_are_not_checked(struct rules *r, struct model *l)
{
    (void)l;
    r->start_refund = refunds_anything;
}

/* The sum is looked at, but not what is on its way. */
static bool forgets_those_on_their_way(struct payment *p, int64_t amount,
                                       payment_actor by)
{
    if (!payment_can_move(p->state, PAYMENT_STATE_REFUNDED, by) ||
        p->protection == PROTECTION_STATE_FROZEN ||
        p->refunded + amount > p->captured)
        return false;
    p->refunding += amount;
    return true;
}

static void refunds_race(struct rules *r, struct model *l)
{
    (void)l;
    r->start_refund = forgets_those_on_their_way;
}

static bool releases_frozen(struct payment *p, payment_actor by)
{
    if (p->protection == PROTECTION_STATE_FROZEN)
        p->protection = PROTECTION_STATE_HELD;
    return payment_release(p, by);
}

static void disputed_money_is_released(struct rules *r, struct model *l)
{
    (void)l;
    r->release = releases_frozen;
}

static bool cancels_while_asking(struct payment *p, payment_actor by)
{
    p->asking = false;
    return payment_cancel(p, by);
}

static void a_payment_is_cancelled_on_its_way(struct rules *r, struct model *l)
{
    (void)l;
    r->cancel = cancels_while_asking;
}

static void a_retry_has_a_new_key(struct rules *r, struct model *l)
{
    (void)l;
    r->gateway_key_changes = true;
}

static void floors_are_forgotten(struct rules *r, struct model *l)
{
    (void)r;
    l->forgets_floors = true;
}

static void transfers_are_applied_again(struct rules *r, struct model *l)
{
    (void)r;
    l->forgets_ids = true;
}

static void a_hold_ends_twice(struct rules *r, struct model *l)
{
    (void)r;
    l->ends_holds_twice = true;
}

#define MISTAKE(name) \
    {                 \
#name, name   \
    }

const struct mistake mistakes[] = {
    MISTAKE(a_rejected_bid_is_accepted),
    MISTAKE(work_is_completed_before_it_began),
    MISTAKE(confirmed_work_takes_no_time),
    MISTAKE(a_webhook_counts_each_time),
    MISTAKE(silence_is_failure),
    MISTAKE(refunds_are_not_checked),
    MISTAKE(refunds_race),
    MISTAKE(disputed_money_is_released),
    MISTAKE(a_payment_is_cancelled_on_its_way),
    MISTAKE(a_retry_has_a_new_key),
    MISTAKE(floors_are_forgotten),
    MISTAKE(transfers_are_applied_again),
    MISTAKE(a_hold_ends_twice),
    {NULL, NULL},
};
