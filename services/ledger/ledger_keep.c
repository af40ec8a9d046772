/* Housekeeping: holds whose time is over end, hot accounts are added up. */
#include "services/jobs/handlers.h"
#include "services/ledger/ledger.h"
#include "services/ledger/ledger.sql.h"
#include "services/uuid.h"

enum { HOLDS_A_BITE = 200, DELTAS_A_BITE = 5000, PAUSE_MS = 1000 };

/* Each in a transaction of its own: one that somebody else ended meanwhile is
 * no failure. */
static rpc_status expire(struct rpc_call *call, const LedgerHoldRow *hold)
{
    struct db *tx;
    TRY(db_begin(call->db, &tx));
    rpc_status status = ledger_expire(
        tx, &(struct ledger_end){.transfer_id = uuid_create(call->arena),
                                 .target_id = hold->transfer_id,
                                 .reason = hold->reason});
    if (status.code == RPC_FAILED_PRECONDITION) {
        db_rollback(tx);
        return RPC_SUCCESS;
    }
    TRY(status);
    return db_commit(tx);
}

rpc_status ledger_expire_due(struct rpc_call *call, int limit, int64_t *count)
{
    size_t due;
    LedgerHoldRow **holds;
    *count = 0;
    TRY(db_many(call->db, &ledger_holds_due, &due, &holds, db_int(limit)));
    for (size_t i = 0; i < due; i++)
        TRY(expire(call, holds[i]));
    *count = (int64_t)due;
    return RPC_SUCCESS;
}

rpc_status ledger_roll_up(struct db *db, int limit, int64_t *count)
{
    return db_exec(db, &ledger_roll_up_deltas, count, db_int(limit));
}

/* While money moves it comes again each second: the sum of few deltas is quick
 * to read. */
rpc_status ledger_keep(struct rpc_call *call, struct job_run *run)
{
    int64_t ended, accounts;
    TRY(ledger_expire_due(call, HOLDS_A_BITE, &ended));
    TRY(ledger_roll_up(call->db, DELTAS_A_BITE, &accounts));
    if (ended > 0 || accounts > 0)
        run->again_after_ms = PAUSE_MS;
    return RPC_SUCCESS;
}
