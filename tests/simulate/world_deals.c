/* What people do to bids and bookings. */
#include "tests/simulate/world.h"

static int free_service(const struct world *w)
{
    for (int i = 0; i < SERVICES; i++)
        if (!w->services[i].used)
            return i;
    return -1;
}

static void post_service(struct world *w, struct dice *dice)
{
    (void)dice;
    int s = free_service(w);
    if (s < 0)
        return;
    w->services[s] = (struct service){.used = true, .open = true};
    note(w, "service %d is posted", s);
}

static void make_bid(struct world *w, struct dice *dice)
{
    int s = PICK(dice, w->services), provider = (int)roll(dice, PROVIDERS);
    if (s < 0 || !w->services[s].open)
        return;
    for (int i = 0; i < BIDS; i++) {
        if (w->bids[i].used)
            continue;
        w->bids[i] = (struct bid){
            .used = true,
            .service = s,
            .provider = provider,
            .amount = 1 + (int64_t)roll(dice, 1000),
            .status =
                roll(dice, 4) == 0 ? BID_STATUS_REQUESTED : BID_STATUS_PENDING,
        };
        note(w, "bid %d: provider %d on service %d", i, provider, s);
        return;
    }
}

/* Anybody tries anything. */
static void move_bid(struct world *w, struct dice *dice)
{
    int i = PICK(dice, w->bids);
    if (i < 0)
        return;
    struct bid *b = &w->bids[i];
    BidStatus to = (BidStatus)(1 + roll(dice, BID_STATUS_COMPLETED));
    bid_actor by = (bid_actor)(1u << roll(dice, 3));
    bool is_acceptance = to == BID_STATUS_ACCEPTED;
    bool is_end =
        to == BID_STATUS_COMPLETED || b->status == BID_STATUS_ACCEPTED;
    if (is_acceptance || is_end || !w->rules.bid_can_move(b->status, to, by))
        return;
    note(w, "bid %d: %d becomes %d by %d", i, b->status, to, by);
    b->status = to;
}

static void reject_rivals(struct world *w, int winner)
{
    for (int i = 0; i < BIDS; i++) {
        struct bid *b = &w->bids[i];
        if (b->used && i != winner && b->service == w->bids[winner].service &&
            w->rules.bid_can_move(b->status, BID_STATUS_REJECTED,
                                  BID_BY_SYSTEM))
            b->status = BID_STATUS_REJECTED;
    }
}

/* The bid, its rivals, the service and the booking in one transaction. */
static void accept_bid(struct world *w, struct dice *dice)
{
    int i = PICK(dice, w->bids), k = 0;
    if (i < 0)
        return;
    struct bid *b = &w->bids[i];
    while (k < BOOKINGS && w->bookings[k].used)
        k++;
    bid_actor by = roll(dice, 2) == 0 ? BID_BY_SEEKER : BID_BY_PROVIDER;
    if (k == BOOKINGS || !w->services[b->service].open ||
        !w->rules.bid_can_move(b->status, BID_STATUS_ACCEPTED, by))
        return;
    int start = (int)roll(dice, SLOTS);
    b->status = BID_STATUS_ACCEPTED;
    w->services[b->service].open = false;
    w->bookings[k] = (struct booking){
        .used = true,
        .bid = i,
        .provider = b->provider,
        .start = start,
        .end = start + 1 + (int)roll(dice, 4),
        .status = BOOKING_STATUS_PENDING,
    };
    reject_rivals(w, i);
    note(w, "bid %d is accepted: booking %d at %d to %d", i, k, start,
         w->bookings[k].end);
}

/* What the exclusion constraint does. */
static bool slot_is_free(const struct world *w, int k)
{
    const struct booking *b = &w->bookings[k];
    for (int i = 0; i < BOOKINGS; i++) {
        const struct booking *o = &w->bookings[i];
        if (i != k && o->used && o->provider == b->provider &&
            w->rules.booking_holds_slot(o->status) && o->start < b->end &&
            b->start < o->end)
            return false;
    }
    return true;
}

static void end_bid(struct world *w, const struct booking *b, BidStatus to)
{
    struct bid *bid = &w->bids[b->bid];
    if (w->rules.bid_can_move(bid->status, to, BID_BY_SYSTEM))
        bid->status = to;
}

static bool is_paid(const struct booking *b)
{
    return b->has_payment && b->payment.captured > 0;
}

/* What has to go with the move. */
static void follow(struct world *w, int k, BookingStatus to)
{
    struct booking *b = &w->bookings[k];
    if (to == BOOKING_STATUS_COMPLETED)
        end_bid(w, b, BID_STATUS_COMPLETED);
    if (to != BOOKING_STATUS_CANCELLED && to != BOOKING_STATUS_DECLINED)
        return;
    end_bid(w, b, BID_STATUS_CANCELLED);
    int64_t held = is_paid(b) ? payment_held(&b->payment) : 0;
    if (held > 0)
        money_refund(w, k, held, PAYMENT_BY_SYSTEM);
}

static void move_booking(struct world *w, struct dice *dice)
{
    int k = PICK(dice, w->bookings);
    if (k < 0)
        return;
    struct booking *b = &w->bookings[k];
    BookingStatus to = (BookingStatus)(1 + roll(dice, BOOKING_STATUS_DECLINED));
    booking_actor by = (booking_actor)(1u << roll(dice, 3));
    bool is_undone =
        to == BOOKING_STATUS_CANCELLED || to == BOOKING_STATUS_DECLINED;
    if (is_undone && roll(dice, 8) != 0)
        return; /* most people keep their word */
    if (!w->rules.booking_can_move(b->status, to, BOOKING_ORIGIN_BID, by))
        return;
    if (w->rules.booking_holds_slot(to) && !slot_is_free(w, k))
        return;
    if (to == BOOKING_STATUS_IN_PROGRESS && !is_paid(b))
        return;
    note(w, "booking %d: %d becomes %d by %d", k, b->status, to, by);
    b->status = to;
    follow(w, k, to);
}

/* What is left of work that was called off goes back; what is over makes room.
 */
static void archive(struct world *w, struct dice *dice)
{
    int k = PICK(dice, w->bookings);
    if (k < 0 || !booking_is_final(w->bookings[k].status))
        return;
    struct booking *b = &w->bookings[k];
    if (money_can_forget(w, k)) {
        note(w, "booking %d is archived", k);
        money_forget(w, k);
        b->used = false;
    } else if (b->status != BOOKING_STATUS_COMPLETED && b->has_payment &&
               payment_held(&b->payment) > 0) {
        money_refund(w, k, payment_held(&b->payment), PAYMENT_BY_SYSTEM);
    }
}

static bool is_over(const struct world *w, int service)
{
    for (int i = 0; i < BIDS; i++)
        if (w->bids[i].used && w->bids[i].service == service &&
            !bid_is_final(w->bids[i].status))
            return false;
    for (int i = 0; i < BOOKINGS; i++)
        if (w->bookings[i].used &&
            w->bids[w->bookings[i].bid].service == service)
            return false;
    return true;
}

static void take_down(struct world *w, struct dice *dice)
{
    int s = PICK(dice, w->services);
    if (s < 0 || !is_over(w, s) || roll(dice, 4) != 0)
        return;
    for (int i = 0; i < BIDS; i++)
        if (w->bids[i].service == s)
            w->bids[i].used = false;
    w->services[s].used = false;
    note(w, "service %d is taken down", s);
}

void step_deals(struct world *w, struct dice *dice)
{
    static void (*const steps[])(struct world *, struct dice *) = {
        post_service, make_bid,     make_bid,     move_bid,     accept_bid,
        accept_bid,   move_booking, move_booking, move_booking, move_booking,
        archive,      archive,      take_down,
    };
    steps[roll(dice, sizeof steps / sizeof steps[0])](w, dice);
}
