#ifndef PRBAL_SERVICES_PAYMENTS_PAYMENT_STATE_H
#define PRBAL_SERVICES_PAYMENTS_PAYMENT_STATE_H

#include "services/payments/payment_row.rpc.h"

#include <stdbool.h>
#include <stdint.h>

/* The payment's state machines: every legal move, in tables, and what amounts
 * allow, without input or output.  They say what is allowed; the ledger says
 * where the money is. */
typedef enum {
    PAYMENT_BY_PAYER = 1,
    PAYMENT_BY_PROVIDER = 2,
    PAYMENT_BY_ADMIN = 4,
    PAYMENT_BY_SYSTEM = 8, /* a gateway's word, a deadline */
} payment_actor;

struct payment_move {
    PaymentState from, to;
    unsigned by; /* payment_actor bits */
};
extern const struct payment_move payment_moves[]; /* ends with from == 0 */

struct protection_move {
    ProtectionState from, to;
    unsigned by;
};
extern const struct protection_move protection_moves[];

struct operation_move {
    OperationState from, to;
};
extern const struct operation_move operation_moves[];

bool payment_can_move(PaymentState from, PaymentState to, payment_actor by);
bool protection_can_move(ProtectionState from, ProtectionState to,
                         payment_actor by);

/* What was heard of an operation counts once: a repeated or late word of a
 * gateway is no move.  No answer is UNKNOWN, never FAILED. */
bool operation_can_move(OperationState from, OperationState to);
bool operation_is_final(OperationState state);

/* What the rules need to know of a payment.  Amounts are of its currency's
 * smallest unit. */
struct payment {
    PaymentState state;
    ProtectionState protection;
    bool asking; /* a capture is on its way, or its outcome unknown */
    int64_t amount;
    int64_t captured;  /* nothing, or the amount */
    int64_t refunding; /* asked of the gateway, not known to be done */
    int64_t refunded;
    int64_t released; /* to the provider, fee included */
};

/* What is kept for the provider, and neither released nor on its way back. */
int64_t payment_held(const struct payment *payment);

/* Each answers whether the rules allow it, and changes the payment only then.
 * An amount is 1 or more. */
bool payment_ask(struct payment *payment); /* to capture */
bool payment_capture(struct payment *payment, bool protect);
bool payment_fail(struct payment *payment);
bool payment_cancel(struct payment *payment, payment_actor by);
/* Refunds are at most what was captured, those on their way included; of a
 * protected payment, what is held. */
bool payment_start_refund(struct payment *payment, int64_t amount,
                          payment_actor by);
bool payment_end_refund(struct payment *payment, int64_t amount, bool done);
/* All that is held, to the provider; nothing while a refund is on its way. */
bool payment_release(struct payment *payment, payment_actor by);
bool payment_freeze(struct payment *payment); /* a dispute */
bool payment_thaw(struct payment *payment, payment_actor by);

#endif
