#ifndef PRBAL_SERVICES_LEDGER_LEDGER_STATE_H
#define PRBAL_SERVICES_LEDGER_LEDGER_STATE_H

#include "services/ledger/ledger_row.rpc.h"

#include <stdbool.h>
#include <stdint.h>

/* The ledger's rules that need no input or output: what kinds of account there
 * are, and how a hold may end.  The statements, the documentation, the
 * simulator and the tests go by these tables. */

/* What an account of a kind is. */
struct ledger_account_rule {
    LedgerAccountKind kind;
    bool is_hot;    /* touched by everybody's transfers: no row is written */
    bool has_floor; /* of zero: what is not there cannot be spent */
};
extern const struct ledger_account_rule ledger_account_rules[]; /* to kind 0 */

/* The rule of a kind that is in the table. */
const struct ledger_account_rule *ledger_account_rule(LedgerAccountKind kind);

/* A pending hold ends once, by one of these. */
struct ledger_hold_end {
    LedgerKind by;
    LedgerHoldStatus to;
    bool moves_money; /* all of it, or a part; the rest is free again */
    bool after_expiry;
};
extern const struct ledger_hold_end ledger_hold_ends[]; /* to by == 0 */

/* Whether a hold in `from` may end by a transfer of this kind.  `is_due` says
 * that its time is over. */
bool ledger_hold_can_end(LedgerHoldStatus from, LedgerKind by, bool is_due);

/* Where that leads; UNSPECIFIED for a kind that ends no hold. */
LedgerHoldStatus ledger_hold_end_of(LedgerKind by);

/* Whether a transfer of this kind can be reversed, once. */
bool ledger_is_reversible(LedgerKind kind);

#endif
