/*               POST, whole or in part
 *            +--------------------------> POSTED
 *            |        VOID
 *  PENDING --+--------------------------> VOIDED
 *            |  EXPIRE, when time is over
 *            +--------------------------> EXPIRED
 *
 *  TRANSFER, POST ---- REVERSAL, once, whole
 */
#include "services/ledger/ledger_state.h"

#include <assert.h>
#include <stddef.h>

#define K(name) LEDGER_ACCOUNT_KIND_##name

const struct ledger_account_rule ledger_account_rules[] = {
    {K(USER_AVAILABLE), .is_hot = false, .has_floor = true},
    {K(USER_HELD), .is_hot = false, .has_floor = true},
    {K(USER_DEBT), .is_hot = false, .has_floor = false},
    {K(PLATFORM_FEE), .is_hot = true, .has_floor = false},
    {K(PLATFORM_TAX), .is_hot = true, .has_floor = false},
    {K(PLATFORM_RESERVE), .is_hot = true, .has_floor = false},
    {K(GATEWAY_CLEARING), .is_hot = true, .has_floor = false},
    {K(GATEWAY_PAYOUT), .is_hot = true, .has_floor = false},
    {K(EXCHANGE), .is_hot = true, .has_floor = false},
    {.kind = K(UNSPECIFIED)},
};

const struct ledger_hold_end ledger_hold_ends[] = {
    {LEDGER_KIND_POST, LEDGER_HOLD_STATUS_POSTED, .moves_money = true,
     .after_expiry = false},
    {LEDGER_KIND_VOID, LEDGER_HOLD_STATUS_VOIDED, .moves_money = false,
     .after_expiry = false},
    {LEDGER_KIND_EXPIRE, LEDGER_HOLD_STATUS_EXPIRED, .moves_money = false,
     .after_expiry = true},
    {.by = LEDGER_KIND_UNSPECIFIED},
};

const struct ledger_account_rule *ledger_account_rule(LedgerAccountKind kind)
{
    const struct ledger_account_rule *rule = ledger_account_rules;
    while (rule->kind != kind && rule->kind != K(UNSPECIFIED))
        rule++;
    assert(rule->kind != K(UNSPECIFIED));
    return rule;
}

static const struct ledger_hold_end *find_end(LedgerKind by)
{
    const struct ledger_hold_end *end = ledger_hold_ends;
    while (end->by != by && end->by != LEDGER_KIND_UNSPECIFIED)
        end++;
    return end->by == LEDGER_KIND_UNSPECIFIED ? NULL : end;
}

bool ledger_hold_can_end(LedgerHoldStatus from, LedgerKind by, bool is_due)
{
    const struct ledger_hold_end *end = find_end(by);
    return end != NULL && from == LEDGER_HOLD_STATUS_PENDING &&
           end->after_expiry == is_due;
}

LedgerHoldStatus ledger_hold_end_of(LedgerKind by)
{
    const struct ledger_hold_end *end = find_end(by);
    return end == NULL ? LEDGER_HOLD_STATUS_UNSPECIFIED : end->to;
}

bool ledger_is_reversible(LedgerKind kind)
{
    return kind == LEDGER_KIND_TRANSFER || kind == LEDGER_KIND_POST;
}
