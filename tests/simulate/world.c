#include "tests/simulate/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { TRIES = 8 }; /* much of what people try is refused */

const struct rules sound_rules = {
    .bid_can_move = bid_can_move,
    .booking_can_move = booking_can_move,
    .booking_holds_slot = booking_holds_slot,
    .operation_can_move = operation_can_move,
    .start_refund = payment_start_refund,
    .release = payment_release,
    .cancel = payment_cancel,
};

void world_init(struct world *w, const struct rules *rules)
{
    memset(w, 0, sizeof *w);
    w->rules = *rules;
    w->next_number = w->next_transfer = 1;
    model_open(&w->ledger, CLEARING, false);
    model_open(&w->ledger, FEE, false);
    model_open(&w->ledger, PAYOUT, false);
    for (int p = 0; p < PROVIDERS; p++) {
        model_open(&w->ledger, KEPT + p, true);
        model_open(&w->ledger, AVAILABLE + p, true);
    }
}

void world_finish(struct world *w)
{
    model_finish(&w->ledger);
}

/* splitmix64 */
unsigned roll(struct dice *dice, unsigned sides)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % sides);
}

int pick(struct dice *dice, const void *rows, int count, size_t size)
{
    int start = (int)roll(dice, (unsigned)count);
    for (int i = 0; i < count; i++) {
        int at = (start + i) % count;
        if (*(const bool *)((const char *)rows + (size_t)at * size))
            return at;
    }
    return -1;
}

void note(struct world *w, const char *format, ...)
{
    w->moves++;
    if (!w->verbose)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(w->note, sizeof w->note, format, args);
    va_end(args);
}

LedgerOutcome book(struct world *w, const struct model_request *request)
{
    w->last = *request;
    return model_apply(&w->ledger, request, w->now);
}

/* ------------------------------------------------------------- the invariants
 * They say what a person would expect, and ask no machine whether it is so. */

static bool bid_is_over(BidStatus s)
{
    return s == BID_STATUS_REJECTED || s == BID_STATUS_WITHDRAWN ||
           s == BID_STATUS_EXPIRED || s == BID_STATUS_CANCELLED ||
           s == BID_STATUS_COMPLETED;
}

static const char *broken_bid(const struct world *w, const struct world *before)
{
    int won[SERVICES] = {0};
    for (int i = 0; i < BIDS; i++) {
        const struct bid *b = &w->bids[i], *was = &before->bids[i];
        if (!b->used)
            continue;
        if (b->status == BID_STATUS_ACCEPTED && ++won[b->service] > 1)
            return "a service has one accepted bid";
        if (was->used && bid_is_over(was->status) && b->status != was->status)
            return "a bid that is over stays so";
        if (was->used && b->status != was->status &&
            b->status == BID_STATUS_COMPLETED &&
            was->status != BID_STATUS_ACCEPTED)
            return "only an accepted bid is completed";
    }
    return NULL;
}

static const BookingStatus came_from[] = {
    [BOOKING_STATUS_CONFIRMED] = BOOKING_STATUS_PENDING,
    [BOOKING_STATUS_IN_PROGRESS] = BOOKING_STATUS_CONFIRMED,
    [BOOKING_STATUS_COMPLETED] = BOOKING_STATUS_IN_PROGRESS,
};

static bool booking_is_over(BookingStatus s)
{
    return s == BOOKING_STATUS_COMPLETED || s == BOOKING_STATUS_CANCELLED ||
           s == BOOKING_STATUS_DECLINED;
}

static bool takes_time(const struct booking *b)
{
    return b->used && (b->status == BOOKING_STATUS_CONFIRMED ||
                       b->status == BOOKING_STATUS_IN_PROGRESS);
}

static bool overlaps(const struct booking *a, const struct booking *b)
{
    return takes_time(a) && takes_time(b) && a->provider == b->provider &&
           a->start < b->end && b->start < a->end;
}

static const char *broken_booking(const struct world *w,
                                  const struct world *before)
{
    for (int i = 0; i < BOOKINGS; i++) {
        const struct booking *b = &w->bookings[i], *was = &before->bookings[i];
        for (int j = 0; j < i; j++)
            if (overlaps(b, &w->bookings[j]))
                return "no provider is booked twice";
        if (!b->used || !was->used || b->status == was->status)
            continue;
        if (booking_is_over(was->status))
            return "a booking that is over stays so";
        if (b->status <= BOOKING_STATUS_COMPLETED &&
            came_from[b->status] != was->status)
            return "a booking leaves no state out";
    }
    return NULL;
}

static const char *broken_payment(const struct world *w,
                                  const struct world *before)
{
    for (int i = 0; i < BOOKINGS; i++) {
        const struct booking *b = &w->bookings[i];
        const struct payment *p = &b->payment,
                             *was = &before->bookings[i].payment;
        if (!b->used || !b->has_payment)
            continue;
        if (p->captured != 0 && p->captured != p->amount)
            return "all of a payment is captured, or nothing";
        if (p->refunded < 0 || p->refunding < 0 ||
            p->refunded + p->refunding > p->captured)
            return "refunds are at most what was captured";
        if (p->released > p->captured || p->released < 0)
            return "no more is released than was held";
        if (p->released > 0 && b->status != BOOKING_STATUS_COMPLETED)
            return "money is released for completed work";
        if (p->state == PAYMENT_STATE_CANCELLED && p->captured > 0)
            return "a cancelled payment took no money";
        /* what was on its way back before the dispute may arrive */
        if (before->bookings[i].has_payment &&
            was->protection == PROTECTION_STATE_FROZEN &&
            (p->released != was->released || p->refunding > was->refunding))
            return "disputed money stays where it is";
    }
    return NULL;
}

/* What the payments say of each provider's protected money is what the ledger
 * has. */
static const char *broken_protection(const struct world *w)
{
    int64_t kept[PROVIDERS] = {0}, leaving[PROVIDERS] = {0};
    for (int i = 0; i < BOOKINGS; i++) {
        const struct booking *b = &w->bookings[i];
        const struct payment *p = &b->payment;
        bool is_kept = b->used && b->has_payment &&
                       (p->protection == PROTECTION_STATE_HELD ||
                        p->protection == PROTECTION_STATE_FROZEN);
        if (!is_kept)
            continue;
        kept[b->provider] += p->captured - p->refunded - p->released;
        leaving[b->provider] += p->refunding;
    }
    for (int p = 0; p < PROVIDERS; p++)
        if (w->ledger.balance[KEPT + p] != kept[p] ||
            w->ledger.held[KEPT + p] != leaving[p])
            return "protected money is in the ledger as the payments say";
    return NULL;
}

static const char *broken_gateway(const struct world *w)
{
    int64_t open = 0, refunds[BOOKINGS] = {0};
    for (int i = 0; i < OPERATIONS; i++) {
        const struct operation *o = &w->operations[i];
        if (!o->used)
            continue;
        int64_t amount = o->is_refund ? -o->amount : o->amount;
        if (o->done && !operation_is_final(o->state))
            open += amount;
        if (o->state == OPERATION_STATE_SUCCEEDED && !o->done)
            return "what our books say was done, the gateway did";
        if (o->state == OPERATION_STATE_FAILED && o->done)
            return "what the gateway did is in our books";
        if (o->is_refund && o->state == OPERATION_STATE_SUCCEEDED)
            refunds[o->booking] += o->amount;
    }
    if (w->gateway_has != w->gateway_known + open)
        return "the gateway did each thing once";
    if (w->ledger.balance[CLEARING] != -w->gateway_known)
        return "the ledger has what the gateway has";
    for (int i = 0; i < BOOKINGS; i++)
        if (w->bookings[i].used && w->bookings[i].has_payment &&
            w->bookings[i].payment.refunded != refunds[i])
            return "a refund is counted once";
    return NULL;
}

/* Holds: what payouts and refunds on their way keep. */
static const char *broken_holds(const struct world *w)
{
    int64_t held[MODEL_ACCOUNTS] = {0};
    for (uint32_t i = 0; i < PAYOUTS + OPERATIONS; i++) {
        uint32_t id =
            i < PAYOUTS ? (w->payouts[i].used ? w->payouts[i].hold : 0)
            : w->operations[i - PAYOUTS].used ? w->operations[i - PAYOUTS].hold
                                              : 0;
        const struct model_transfer *t = model_find(&w->ledger, id);
        if (t == NULL || t->hold != LEDGER_HOLD_STATUS_PENDING)
            continue;
        for (int l = 0; l < t->leg_count; l++)
            held[t->legs[l].debit] += t->legs[l].amount;
    }
    for (int a = 0; a < MODEL_ACCOUNTS; a++)
        if (held[a] != w->ledger.held[a])
            return "held is the sum of holds";
    return NULL;
}

const char *world_broken(const struct world *w, const struct world *before)
{
    const char *const found[] = {
        model_broken_rule(&w->ledger),
        broken_bid(w, before),
        broken_booking(w, before),
        broken_payment(w, before),
        broken_gateway(w),
        broken_protection(w),
        broken_holds(w),
    };
    for (size_t i = 0; i < sizeof found / sizeof found[0]; i++)
        if (found[i] != NULL)
            return found[i];
    return NULL;
}

const char *world_step(struct world *w, struct world *before, uint64_t choice)
{
    *before = *w;
    struct dice dice = {choice};
    w->note[0] = '\0';
    for (int i = 0; i < TRIES && w->moves == before->moves; i++)
        if (roll(&dice, 2) == 0)
            step_deals(w, &dice);
        else
            step_money(w, &dice);
    return world_broken(w, before);
}

static void mix(uint64_t *hash, int64_t value)
{
    for (int i = 0; i < 8; i++) /* FNV-1a */
        *hash = (*hash ^ ((uint64_t)value >> (8 * i) & 0xff)) * 1099511628211u;
}

uint64_t world_hash(const struct world *w)
{
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < BIDS; i++)
        mix(&hash, w->bids[i].used ? (int64_t)w->bids[i].status : -1);
    for (int i = 0; i < BOOKINGS; i++) {
        const struct booking *b = &w->bookings[i];
        mix(&hash, b->used ? (int64_t)b->status : -1);
        mix(&hash, b->payment.captured);
        mix(&hash, b->payment.refunded);
        mix(&hash, b->payment.released);
    }
    for (int i = 0; i < OPERATIONS; i++)
        mix(&hash,
            w->operations[i].used ? (int64_t)w->operations[i].state : -1);
    for (int a = 0; a < MODEL_ACCOUNTS; a++) {
        mix(&hash, w->ledger.balance[a]);
        mix(&hash, w->ledger.held[a]);
    }
    mix(&hash, w->gateway_has);
    mix(&hash, w->next_transfer);
    mix(&hash, w->now);
    return hash;
}
