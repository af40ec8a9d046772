#include "services/app.h"
#include "services/idempotency/idempotency.sql.h"
#include "services/jobs/handlers.h"

enum { ROWS_A_BITE = 2000, PAUSE_MS = 50 };

/* In bites, for everybody else's statements. */
rpc_status idempotency_sweep(struct db *tx, struct job_run *run)
{
    int64_t deleted = 0;
    double kept_seconds = (double)app_config()->idempotency_retention_ms / 1000;
    TRY(db_exec(tx, &idempotent_reply_sweep, &deleted, db_double(kept_seconds),
                db_int(ROWS_A_BITE)));
    if (deleted == ROWS_A_BITE)
        run->again_after_ms = PAUSE_MS;
    return RPC_SUCCESS;
}
