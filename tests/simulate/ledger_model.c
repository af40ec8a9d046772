#include "tests/simulate/ledger_model.h"

#include <stdlib.h>
#include <string.h>

void model_open(struct model *m, int account, bool has_floor)
{
    m->exists[account] = true;
    m->has_floor[account] = has_floor;
}

void model_finish(struct model *m)
{
    free(m->transfers);
    m->transfers = NULL;
    m->transfer_room = 0;
}

const struct model_transfer *model_find(const struct model *m, uint32_t id)
{
    if (id >= m->transfer_room || m->transfers[id].kind == 0)
        return NULL;
    return &m->transfers[id];
}

static struct model_transfer *make_room(struct model *m, uint32_t id)
{
    if (id >= m->transfer_room) {
        size_t room = 2 * (size_t)id + 64;
        m->transfers = realloc(m->transfers, room * sizeof m->transfers[0]);
        if (m->transfers == NULL)
            abort();
        memset(m->transfers + m->transfer_room, 0,
               (room - m->transfer_room) * sizeof m->transfers[0]);
        m->transfer_room = room;
    }
    return &m->transfers[id];
}

/* ------------------------------------------------------- what would be posted
 */

static void add(struct model_transfer *t, struct model_leg leg, int number)
{
    t->numbers[t->leg_count] = number;
    t->legs[t->leg_count++] = leg;
}

/* The request as the transfer that it would become. */
static struct model_transfer become(const struct model *m,
                                    const struct model_request *r)
{
    struct model_transfer t = {
        .kind = r->kind, .target = r->target, .timeout = r->timeout};
    const struct model_transfer *target = model_find(m, r->target);
    for (int i = 0; i < r->leg_count; i++)
        add(&t, r->legs[i], i);
    if (target == NULL)
        return t;
    bool posts =
        r->kind == LEDGER_KIND_POST && target->kind == LEDGER_KIND_HOLD;
    bool reverses =
        r->kind == LEDGER_KIND_REVERSAL && target->kind != LEDGER_KIND_HOLD;
    for (int i = 0; i < target->leg_count; i++) {
        struct model_leg leg = target->legs[i];
        if (posts && r->in_part)
            leg.amount = r->amounts[i];
        if (posts && leg.amount != 0)
            add(&t, leg, i);
        if (reverses)
            add(&t, (struct model_leg){leg.credit, leg.debit, leg.amount},
                target->numbers[i]);
    }
    return t;
}

static bool is_same(const struct model_transfer *a,
                    const struct model_transfer *b)
{
    if (a->kind != b->kind || a->target != b->target ||
        a->timeout != b->timeout || a->leg_count != b->leg_count)
        return false;
    for (int i = 0; i < a->leg_count; i++)
        if (a->legs[i].debit != b->legs[i].debit ||
            a->legs[i].credit != b->legs[i].credit ||
            a->legs[i].amount != b->legs[i].amount)
            return false;
    return true;
}

/* ------------------------------------------------------------- what is refused
 */

static LedgerOutcome refuse_end(const struct model *m,
                                const struct model_request *r,
                                const struct model_transfer *t, int64_t now)
{
    const struct model_transfer *hold = model_find(m, r->target);
    if (hold == NULL || hold->kind != LEDGER_KIND_HOLD)
        return LEDGER_OUTCOME_HOLD_UNKNOWN;
    bool is_due = hold->expires_at != 0 && hold->expires_at <= now;
    LedgerHoldStatus status =
        m->ends_holds_twice ? LEDGER_HOLD_STATUS_PENDING : hold->hold;
    if (status != LEDGER_HOLD_STATUS_PENDING)
        return LEDGER_OUTCOME_HOLD_ENDED;
    if (!ledger_hold_can_end(status, r->kind, is_due))
        return is_due ? LEDGER_OUTCOME_HOLD_EXPIRED
                      : LEDGER_OUTCOME_HOLD_NOT_DUE;
    for (int i = 0; i < t->leg_count; i++)
        if (t->legs[i].amount < 0 ||
            t->legs[i].amount > hold->legs[t->numbers[i]].amount)
            return LEDGER_OUTCOME_EXCEEDS_HOLD;
    return r->kind == LEDGER_KIND_POST && t->leg_count == 0
               ? LEDGER_OUTCOME_EXCEEDS_HOLD
               : LEDGER_OUTCOME_POSTED;
}

static LedgerOutcome refuse_reversal(const struct model *m, uint32_t id)
{
    const struct model_transfer *original = model_find(m, id);
    if (original == NULL || !ledger_is_reversible(original->kind))
        return LEDGER_OUTCOME_NOT_REVERSIBLE;
    return original->reversed ? LEDGER_OUTCOME_TAKEN : LEDGER_OUTCOME_POSTED;
}

static LedgerOutcome refuse(const struct model *m,
                            const struct model_request *r,
                            const struct model_transfer *t, int64_t now)
{
    switch (r->kind) {
    case LEDGER_KIND_POST:
    case LEDGER_KIND_VOID:
    case LEDGER_KIND_EXPIRE:
        return refuse_end(m, r, t, now);
    case LEDGER_KIND_REVERSAL:
        return refuse_reversal(m, r->target);
    default:
        break;
    }
    for (int i = 0; i < t->leg_count; i++)
        if (!m->exists[t->legs[i].debit] || !m->exists[t->legs[i].credit])
            return LEDGER_OUTCOME_ACCOUNT_UNFIT;
    return LEDGER_OUTCOME_POSTED;
}

/* ------------------------------------------------------------------- applying
 */

static void move(struct model *m, const struct model_transfer *t, int sign)
{
    for (int i = 0; i < t->leg_count; i++) {
        const struct model_leg *leg = &t->legs[i];
        if (t->kind == LEDGER_KIND_HOLD) {
            m->held[leg->debit] += sign * leg->amount;
            continue;
        }
        m->balance[leg->debit] -= sign * leg->amount;
        m->balance[leg->credit] += sign * leg->amount;
    }
}

static bool any_below(const struct model *m, const struct model_transfer *t)
{
    for (int i = 0; i < t->leg_count; i++)
        for (int side = 0; side < 2; side++) {
            int a = side == 0 ? t->legs[i].debit : t->legs[i].credit;
            if (m->has_floor[a] && m->balance[a] - m->held[a] < 0)
                return true;
        }
    return false;
}

LedgerOutcome model_apply(struct model *m, const struct model_request *r,
                          int64_t now)
{
    struct model_transfer t = become(m, r);
    const struct model_transfer *twin = model_find(m, r->id);
    if (twin != NULL && !m->forgets_ids)
        return is_same(twin, &t) ? LEDGER_OUTCOME_REPEATED
                                 : LEDGER_OUTCOME_TAKEN;
    LedgerOutcome outcome = refuse(m, r, &t, now);
    if (outcome != LEDGER_OUTCOME_POSTED)
        return outcome;

    make_room(m, r->id);
    struct model_transfer *target =
        r->target == 0 ? NULL : &m->transfers[r->target];
    bool ends = ledger_hold_end_of(r->kind) != 0;
    if (ends)
        move(m, target, -1);
    move(m, &t, 1);
    if (any_below(m, &t) && !m->forgets_floors) {
        move(m, &t, -1);
        if (ends)
            move(m, target, 1);
        return LEDGER_OUTCOME_BELOW_FLOOR;
    }
    if (ends)
        target->hold = ledger_hold_end_of(r->kind);
    if (r->kind == LEDGER_KIND_REVERSAL)
        target->reversed = true;
    if (r->kind == LEDGER_KIND_HOLD) {
        t.hold = LEDGER_HOLD_STATUS_PENDING;
        t.expires_at = r->timeout > 0 ? now + r->timeout : 0;
    }
    m->transfers[r->id] = t;
    return LEDGER_OUTCOME_POSTED;
}

/* ------------------------------------------------------------------ the rules
 */

const char *model_broken_rule(const struct model *m)
{
    int64_t sum = 0;
    for (int a = 0; a < MODEL_ACCOUNTS; a++) {
        sum += m->balance[a];
        if (m->has_floor[a] && m->balance[a] - m->held[a] < 0)
            return "no account is under its floor";
        if (m->held[a] < 0)
            return "nothing is held below zero";
    }
    return sum == 0 ? NULL : "the sum of all balances is zero";
}
