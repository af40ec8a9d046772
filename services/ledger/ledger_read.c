/* What the ledger says, without changing it. */
#include "services/ledger/ledger.h"
#include "services/ledger/ledger.sql.h"
#include "services/ledger/ledger_check.sql.h"

rpc_status ledger_balance(struct db *db, const char *account_id,
                          LedgerBalanceRow **balance)
{
    return db_one(db, &ledger_account_balance, balance, db_text(account_id));
}

rpc_status ledger_balance_at(struct db *db, const char *account_id,
                             int64_t wall_us, int64_t *amount_minor)
{
    LedgerAmountRow *row;
    TRY(db_one(db, &ledger_account_balance_at, &row, db_text(account_id),
               db_time_us(wall_us)));
    *amount_minor = row->amount_minor;
    return RPC_SUCCESS;
}

rpc_status ledger_history(struct db *db, const char *account_id,
                          int64_t before_leg_id, int limit, size_t *count,
                          LedgerHistoryRow ***rows)
{
    return db_many(
        db, &ledger_account_history, count, rows, db_text(account_id),
        before_leg_id > 0 ? db_int(before_leg_id) : db_null(), db_int(limit));
}

rpc_status ledger_hold_read(struct db *db, const char *hold_id,
                            LedgerHoldRow **hold)
{
    return db_one(db, &ledger_hold_by_id, hold, db_text(hold_id));
}

/* ------------------------------------------------------------------- checks */

const struct ledger_rule ledger_rules[] = {
    {"sum is zero", &ledger_check_sums},
    {"no account is under its floor", &ledger_check_floors},
    {"held is the sum of holds", &ledger_check_held},
    {"a balance is its replay", &ledger_check_balances},
    {"a hold ends once, within its amount", &ledger_check_holds},
    {"a transfer has the legs of its kind", &ledger_check_shapes},
    {"a reversal is its original backwards", &ledger_check_reversals},
    {"a leg stays in its currency", &ledger_check_currencies},
    {"a transfer is what was asked for", &ledger_check_contents},
    {NULL, NULL},
};

static LedgerProblemRow **join(struct arena *arena, LedgerProblemRow **a,
                               size_t a_count, LedgerProblemRow **b,
                               size_t b_count)
{
    if (b_count == 0)
        return a;
    LedgerProblemRow **both =
        arena_array(arena, a_count + b_count, sizeof(LedgerProblemRow *));
    for (size_t i = 0; i < a_count; i++)
        both[i] = a[i];
    for (size_t i = 0; i < b_count; i++)
        both[a_count + i] = b[i];
    return both;
}

rpc_status ledger_check(struct db *db, size_t *count,
                        LedgerProblemRow ***problems)
{
    *count = 0;
    *problems = NULL;
    for (const struct ledger_rule *r = ledger_rules; r->name != NULL; r++) {
        size_t found;
        LedgerProblemRow **rows;
        TRY(db_many(db, r->query, &found, &rows, DB_NONE));
        *problems = join(db_call(db)->arena, *problems, *count, rows, found);
        *count += found;
    }
    return RPC_SUCCESS;
}
