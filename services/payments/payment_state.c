/*  PENDING --> PROCESSING --> COMPLETED --> PARTIALLY_REFUNDED --> REFUNDED
 *     | \________ | _________^    \_____________________________^
 *     |           |
 *     +--> FAILED <+     FAILED and CANCELLED are final: a new try is a new
 *     +--> CANCELLED     payment
 *
 *  NONE --> HELD --> RELEASED or RETURNED         of a protected payment
 *            ^--> FROZEN, while there is a dispute
 *
 *  CREATED --> SUCCEEDED or FAILED                of a call to a gateway
 *      \--> UNKNOWN --^
 */
#include "services/payments/payment_state.h"

#include <assert.h>
#include <stddef.h>

#define P(name) PAYMENT_STATE_##name
#define G(name) PROTECTION_STATE_##name
#define O(name) OPERATION_STATE_##name

enum {
    REFUNDERS = PAYMENT_BY_PROVIDER | PAYMENT_BY_ADMIN | PAYMENT_BY_SYSTEM,
    RELEASERS = PAYMENT_BY_PAYER | PAYMENT_BY_ADMIN | PAYMENT_BY_SYSTEM,
};

const struct payment_move payment_moves[] = {
    {P(PENDING), P(PROCESSING), PAYMENT_BY_SYSTEM},
    {P(PENDING), P(COMPLETED), PAYMENT_BY_SYSTEM},
    {P(PENDING), P(FAILED), PAYMENT_BY_SYSTEM},
    {P(PENDING), P(CANCELLED), PAYMENT_BY_PAYER | PAYMENT_BY_SYSTEM},
    {P(PROCESSING), P(COMPLETED), PAYMENT_BY_SYSTEM},
    {P(PROCESSING), P(FAILED), PAYMENT_BY_SYSTEM},
    {P(COMPLETED), P(PARTIALLY_REFUNDED), REFUNDERS},
    {P(COMPLETED), P(REFUNDED), REFUNDERS},
    {P(PARTIALLY_REFUNDED), P(REFUNDED), REFUNDERS},
    {0},
};

const struct protection_move protection_moves[] = {
    {G(NONE), G(HELD), PAYMENT_BY_SYSTEM},
    {G(HELD), G(RELEASED), RELEASERS},
    {G(HELD), G(RETURNED), REFUNDERS},
    {G(HELD), G(FROZEN), PAYMENT_BY_SYSTEM},
    {G(FROZEN), G(HELD), PAYMENT_BY_ADMIN | PAYMENT_BY_SYSTEM},
    {0},
};

const struct operation_move operation_moves[] = {
    {O(CREATED), O(SUCCEEDED)}, {O(CREATED), O(FAILED)},
    {O(CREATED), O(UNKNOWN)},   {O(UNKNOWN), O(SUCCEEDED)},
    {O(UNKNOWN), O(FAILED)},    {0},
};

bool payment_can_move(PaymentState from, PaymentState to, payment_actor by)
{
    for (const struct payment_move *m = payment_moves; m->from != 0; m++)
        if (m->from == from && m->to == to && (m->by & (unsigned)by) != 0)
            return true;
    return false;
}

bool protection_can_move(ProtectionState from, ProtectionState to,
                         payment_actor by)
{
    for (const struct protection_move *m = protection_moves; m->from != 0; m++)
        if (m->from == from && m->to == to && (m->by & (unsigned)by) != 0)
            return true;
    return false;
}

bool operation_can_move(OperationState from, OperationState to)
{
    for (const struct operation_move *m = operation_moves; m->from != 0; m++)
        if (m->from == from && m->to == to)
            return true;
    return false;
}

bool operation_is_final(OperationState state)
{
    return state == O(SUCCEEDED) || state == O(FAILED);
}

/* ------------------------------------------------------------------ amounts */

static bool is_protected(const struct payment *p)
{
    return p->protection != G(NONE);
}

static bool move(struct payment *p, PaymentState to, payment_actor by)
{
    if (!payment_can_move(p->state, to, by))
        return false;
    p->state = to;
    return true;
}

int64_t payment_held(const struct payment *p)
{
    if (p->protection != G(HELD) && p->protection != G(FROZEN))
        return 0;
    return p->captured - p->refunded - p->refunding - p->released;
}

/* One at a time: with two on their way both could take the money. */
bool payment_ask(struct payment *p)
{
    if (p->state != P(PENDING) || p->asking)
        return false;
    p->asking = true;
    return true;
}

bool payment_capture(struct payment *p, bool protect)
{
    if (!p->asking || !move(p, P(COMPLETED), PAYMENT_BY_SYSTEM))
        return false;
    p->asking = false;
    p->captured = p->amount;
    if (protect &&
        protection_can_move(p->protection, G(HELD), PAYMENT_BY_SYSTEM))
        p->protection = G(HELD);
    return true;
}

bool payment_fail(struct payment *p)
{
    if (!p->asking || !move(p, P(FAILED), PAYMENT_BY_SYSTEM))
        return false;
    p->asking = false;
    return true;
}

/* Not while the gateway may be taking the money. */
bool payment_cancel(struct payment *p, payment_actor by)
{
    return !p->asking && move(p, P(CANCELLED), by);
}

bool payment_start_refund(struct payment *p, int64_t amount, payment_actor by)
{
    assert(amount > 0);
    int64_t open = p->captured - p->refunded - p->refunding;
    bool allowed = payment_can_move(p->state, P(REFUNDED), by) &&
                   amount <= open && p->protection != G(FROZEN);
    if (!allowed || (p->protection == G(HELD) && amount > payment_held(p)))
        return false;
    p->refunding += amount;
    return true;
}

bool payment_end_refund(struct payment *p, int64_t amount, bool done)
{
    if (amount > p->refunding)
        return false;
    p->refunding -= amount;
    if (!done)
        return true;
    p->refunded += amount;
    if (p->refunded == p->captured) {
        p->state = P(REFUNDED);
        if (is_protected(p) && p->released == 0)
            p->protection = G(RETURNED);
    } else {
        p->state = P(PARTIALLY_REFUNDED);
    }
    return true;
}

bool payment_release(struct payment *p, payment_actor by)
{
    int64_t held = payment_held(p);
    if (!protection_can_move(p->protection, G(RELEASED), by) ||
        p->refunding > 0 || held <= 0)
        return false;
    p->released += held;
    p->protection = G(RELEASED);
    return true;
}

bool payment_freeze(struct payment *p)
{
    if (!protection_can_move(p->protection, G(FROZEN), PAYMENT_BY_SYSTEM))
        return false;
    p->protection = G(FROZEN);
    return true;
}

bool payment_thaw(struct payment *p, payment_actor by)
{
    if (p->protection != G(FROZEN) ||
        !protection_can_move(p->protection, G(HELD), by))
        return false;
    p->protection = G(HELD);
    return true;
}
