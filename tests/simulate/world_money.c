/* Payments, the gateway, and what goes wrong between them. */
#include "services/money.h"
#include "tests/simulate/world.h"

enum { PAYOUT_TIMEOUT = 20 };

/* What of an amount is the platform's. */
static int64_t fee_of(int64_t amount)
{
    const int64_t weights[] = {9000, 1000};
    int64_t parts[2];
    money_split(amount, weights, 2, parts);
    return parts[1];
}

/* One that nobody has the last word of. */
static struct operation *open_operation(struct world *w, struct dice *dice)
{
    int start = (int)roll(dice, OPERATIONS);
    for (int i = 0; i < OPERATIONS; i++) {
        struct operation *o = &w->operations[(start + i) % OPERATIONS];
        if (o->used && !operation_is_final(o->state))
            return o;
    }
    return NULL;
}

static struct operation *free_operation(struct world *w)
{
    for (int i = 0; i < OPERATIONS; i++)
        if (!w->operations[i].used)
            return &w->operations[i];
    return NULL;
}

/* The row is committed before the gateway is called. */
static struct operation *create_operation(struct world *w, int booking,
                                          bool is_refund, int64_t amount)
{
    struct operation *o = free_operation(w);
    *o = (struct operation){
        .used = true,
        .is_refund = is_refund,
        .booking = booking,
        .number = w->next_number++,
        .transfer = w->next_transfer++,
        .amount = amount,
        .state = OPERATION_STATE_CREATED,
    };
    return o;
}

static void pay(struct world *w, struct dice *dice)
{
    int k = PICK(dice, w->bookings);
    if (k < 0)
        return;
    struct booking *b = &w->bookings[k];
    if (booking_is_final(b->status))
        return;
    if (!b->has_payment) {
        b->has_payment = true;
        b->protect = roll(dice, 4) != 0;
        b->payment = (struct payment){.state = PAYMENT_STATE_PENDING,
                                      .protection = PROTECTION_STATE_NONE,
                                      .amount = w->bids[b->bid].amount};
    }
    if (free_operation(w) == NULL || !payment_ask(&b->payment))
        return;
    const struct operation *o =
        create_operation(w, k, false, b->payment.amount);
    note(w, "booking %d: operation %u captures %lld", k, o->number,
         (long long)o->amount);
}

static void cancel_payment(struct world *w, struct dice *dice)
{
    int k = PICK(dice, w->bookings);
    if (k < 0 || roll(dice, 4) != 0)
        return;
    struct booking *b = &w->bookings[k];
    if (b->has_payment && w->rules.cancel(&b->payment, PAYMENT_BY_PAYER))
        note(w, "booking %d: payment is cancelled", k);
}

/* Where a refund is taken from. */
static int source_of(const struct booking *b)
{
    return (b->payment.protection == PROTECTION_STATE_HELD ? KEPT : AVAILABLE) +
           b->provider;
}

void money_refund(struct world *w, int booking, int64_t amount,
                  payment_actor by)
{
    struct booking *b = &w->bookings[booking];
    struct payment before = b->payment;
    if (free_operation(w) == NULL ||
        !w->rules.start_refund(&b->payment, amount, by))
        return;
    uint32_t hold = w->next_transfer++;
    const struct model_request request = {
        .id = hold,
        .kind = LEDGER_KIND_HOLD,
        .leg_count = 1,
        .legs = {{source_of(b), CLEARING, amount}},
    };
    if (book(w, &request) != LEDGER_OUTCOME_POSTED) {
        b->payment = before;
        return;
    }
    struct operation *o = create_operation(w, booking, true, amount);
    o->hold = hold;
    note(w, "booking %d: operation %u refunds %lld", booking, o->number,
         (long long)amount);
}

static void refund(struct world *w, struct dice *dice)
{
    int k = PICK(dice, w->bookings);
    if (k < 0 || roll(dice, 4) != 0)
        return;
    struct booking *b = &w->bookings[k];
    if (!b->has_payment)
        return;
    int64_t amount = 1 + (int64_t)roll(dice, (unsigned)b->payment.amount + 10);
    money_refund(w, k, amount, (payment_actor)(1u << roll(dice, 4)));
}

static void release(struct world *w, struct dice *dice)
{
    int k = PICK(dice, w->bookings);
    if (k < 0)
        return;
    struct booking *b = &w->bookings[k];
    if (!b->has_payment || b->status != BOOKING_STATUS_COMPLETED)
        return;
    int64_t before = b->payment.released;
    if (!w->rules.release(&b->payment, (payment_actor)(1u << roll(dice, 4))))
        return;
    int64_t amount = b->payment.released - before;
    int64_t fee = fee_of(amount);
    struct model_request request = {
        .id = w->next_transfer++,
        .kind = LEDGER_KIND_TRANSFER,
        .leg_count = fee > 0 ? 2 : 1,
        .legs = {{KEPT + b->provider, AVAILABLE + b->provider, amount - fee},
                 {KEPT + b->provider, FEE, fee}},
    };
    book(w, &request);
    note(w, "booking %d: %lld are released", k, (long long)amount);
}

static void dispute(struct world *w, struct dice *dice)
{
    int k = PICK(dice, w->bookings);
    if (k < 0)
        return;
    struct booking *b = &w->bookings[k];
    if (!b->has_payment)
        return;
    if (roll(dice, 4) == 0) {
        if (payment_freeze(&b->payment))
            note(w, "booking %d: a dispute", k);
    } else if (payment_thaw(&b->payment, PAYMENT_BY_ADMIN)) {
        note(w, "booking %d: the dispute is solved", k);
    }
}

/* ---------------------------------------------------------------- the gateway
 */

/* It does a thing once for each key; one in eight it refuses. */
static void reach_gateway(struct world *w, struct operation *o,
                          struct dice *dice)
{
    bool again = o->seen && !w->rules.gateway_key_changes;
    if (!again) {
        o->done = roll(dice, 8) != 0 || (o->seen && o->done);
        o->seen = true;
        if (o->done)
            w->gateway_has += o->is_refund ? -o->amount : o->amount;
    }
}

static void write_mail(struct world *w, const struct operation *o,
                       bool in_memory)
{
    for (int i = 0; i < MAILS; i++)
        if (!w->mails[i].used) {
            w->mails[i] = (struct mail){true, in_memory, o->done, o->number};
            return;
        }
}

/* A first call or a retry; the answer may get lost, the webhook may come never,
 * twice, or first. */
static void call_gateway(struct world *w, struct dice *dice)
{
    struct operation *o = open_operation(w, dice);
    if (o == NULL)
        return;
    reach_gateway(w, o, dice);
    note(w, "operation %u reaches the gateway: %s", o->number,
         o->done ? "done" : "refused");
    if (roll(dice, 4) != 0)
        write_mail(w, o, true);
    for (unsigned i = roll(dice, 3); i > 0; i--)
        write_mail(w, o, false);
}

/* ------------------------------------------------------ what is heard of it */

static void captured(struct world *w, const struct operation *o)
{
    struct booking *b = &w->bookings[o->booking];
    if (!payment_capture(&b->payment, b->protect))
        return;
    int64_t fee = b->protect ? 0 : fee_of(o->amount);
    struct model_request request = {
        .id = o->transfer,
        .kind = LEDGER_KIND_TRANSFER,
        .leg_count = fee > 0 ? 2 : 1,
        .legs = {{CLEARING, (b->protect ? KEPT : AVAILABLE) + b->provider,
                  o->amount - fee},
                 {CLEARING, FEE, fee}},
    };
    book(w, &request);
    /* The work was called off while the money was on its way. */
    if (b->status == BOOKING_STATUS_CANCELLED ||
        b->status == BOOKING_STATUS_DECLINED)
        money_refund(w, o->booking, o->amount, PAYMENT_BY_SYSTEM);
}

static void refunded(struct world *w, const struct operation *o, bool done)
{
    if (!payment_end_refund(&w->bookings[o->booking].payment, o->amount, done))
        return;
    book(w, &(struct model_request){.id = o->transfer,
                                    .kind = done ? LEDGER_KIND_POST
                                                 : LEDGER_KIND_VOID,
                                    .target = o->hold});
}

static void learn(struct world *w, struct operation *o, bool success)
{
    OperationState to =
        success ? OPERATION_STATE_SUCCEEDED : OPERATION_STATE_FAILED;
    if (!w->rules.operation_can_move(o->state, to))
        return;
    note(w, "operation %u is heard to have %s", o->number,
         success ? "succeeded" : "failed");
    o->state = to;
    if (success)
        w->gateway_known += o->is_refund ? -o->amount : o->amount;
    struct operation copy = *o;
    if (copy.is_refund)
        refunded(w, &copy, success);
    else if (success)
        captured(w, &copy);
    else
        payment_fail(&w->bookings[copy.booking].payment);
}

static void deliver(struct world *w, struct dice *dice)
{
    int at = PICK(dice, w->mails);
    if (at < 0)
        return;
    struct mail *mail = &w->mails[at];
    if (roll(dice, 4) != 0) /* else it comes once more */
        mail->used = false;
    for (int i = 0; i < OPERATIONS; i++)
        if (w->operations[i].used && w->operations[i].number == mail->number)
            learn(w, &w->operations[i], mail->success);
}

/* No answer in time says nothing of what happened. */
static void time_out(struct world *w, struct dice *dice)
{
    struct operation *o = open_operation(w, dice);
    if (o == NULL || o->state != OPERATION_STATE_CREATED)
        return;
    if (w->rules.silence_is_failure) {
        learn(w, o, false);
        return;
    }
    o->state = OPERATION_STATE_UNKNOWN;
    note(w, "operation %u times out", o->number);
}

static void reconcile(struct world *w, struct dice *dice)
{
    struct operation *o = open_operation(w, dice);
    if (o == NULL || o->state != OPERATION_STATE_UNKNOWN)
        return;
    if (!o->seen)
        reach_gateway(w, o, dice);
    learn(w, o, o->done);
}

static void crash(struct world *w, struct dice *dice)
{
    if (roll(dice, 8) != 0)
        return;
    for (int i = 0; i < MAILS; i++)
        if (w->mails[i].in_memory)
            w->mails[i].used = false;
    for (int i = 0; i < OPERATIONS; i++)
        if (w->operations[i].used &&
            w->operations[i].state == OPERATION_STATE_CREATED)
            w->operations[i].state = OPERATION_STATE_UNKNOWN;
    note(w, "the server dies and comes back");
}

/* -------------------------------------------------------------------- payouts
 */

static void pay_out(struct world *w, struct dice *dice)
{
    struct payout *out = &w->payouts[roll(dice, PAYOUTS)];
    int provider = (int)roll(dice, PROVIDERS);
    if (out->used)
        return;
    struct model_request request = {
        .id = w->next_transfer++,
        .kind = LEDGER_KIND_HOLD,
        .leg_count = 1,
        .legs = {{AVAILABLE + provider, PAYOUT, 1 + (int64_t)roll(dice, 500)}},
        .timeout = PAYOUT_TIMEOUT,
    };
    if (book(w, &request) != LEDGER_OUTCOME_POSTED)
        return;
    *out = (struct payout){true, request.id};
    note(w, "provider %d asks for %lld", provider,
         (long long)request.legs[0].amount);
}

static void end_payout(struct world *w, struct dice *dice)
{
    int at = PICK(dice, w->payouts);
    if (at < 0)
        return;
    struct payout *out = &w->payouts[at];
    static const LedgerKind ends[] = {LEDGER_KIND_POST, LEDGER_KIND_VOID,
                                      LEDGER_KIND_EXPIRE};
    const struct model_transfer *hold = model_find(&w->ledger, out->hold);
    struct model_request request = {
        .id = w->next_transfer++,
        .kind = ends[roll(dice, 3)],
        .target = out->hold,
        .in_part = roll(dice, 2) == 0,
    };
    request.amounts[0] =
        (int64_t)roll(dice, (unsigned)hold->legs[0].amount + 3);
    if (book(w, &request) == LEDGER_OUTCOME_POSTED)
        note(w, "payout %u ends by %d", out->hold, request.kind);
    /* the row stays for a while, and somebody may try once more */
    hold = model_find(&w->ledger, out->hold);
    if (hold->hold != LEDGER_HOLD_STATUS_PENDING && roll(dice, 4) == 0)
        out->used = false;
}

static void ask_again(struct world *w, struct dice *dice)
{
    (void)dice;
    if (w->last.id != 0)
        model_apply(&w->ledger, &w->last, w->now);
}

static void tick(struct world *w, struct dice *dice)
{
    w->now += 1 + (int64_t)roll(dice, 5);
}

/* ------------------------------------------------------------------ forgetting
 */

bool money_can_forget(const struct world *w, int booking)
{
    const struct payment *p = &w->bookings[booking].payment;
    if (w->bookings[booking].has_payment && payment_held(p) > 0)
        return false;
    for (int i = 0; i < OPERATIONS; i++)
        if (w->operations[i].used && w->operations[i].booking == booking &&
            !operation_is_final(w->operations[i].state))
            return false;
    return true;
}

void money_forget(struct world *w, int booking)
{
    for (int i = 0; i < OPERATIONS; i++)
        if (w->operations[i].booking == booking)
            w->operations[i].used = false;
    w->bookings[booking].has_payment = false;
}

void step_money(struct world *w, struct dice *dice)
{
    static void (*const steps[])(struct world *, struct dice *) = {
        pay,     pay,     cancel_payment, refund,       refund,       release,
        release, dispute, call_gateway,   call_gateway, call_gateway, deliver,
        deliver, deliver, deliver,        time_out,     reconcile,    reconcile,
        crash,   pay_out, end_payout,     ask_again,    tick,
    };
    steps[roll(dice, sizeof steps / sizeof steps[0])](w, dice);
}
