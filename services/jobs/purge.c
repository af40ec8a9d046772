#include "services/app.h"
#include "services/jobs/handlers.h"
#include "services/jobs/job.sql.h"

enum { ROWS_A_BITE = 2000, PAUSE_MS = 50 };

/* In bites, for everybody else's statements. */
rpc_status job_purge_ended(struct db *tx, struct job_run *run)
{
    int64_t deleted = 0;
    double kept_seconds = (double)app_config()->job_retention_ms / 1000;
    TRY(db_exec(tx, &job_purge, &deleted, db_double(kept_seconds),
                db_int(ROWS_A_BITE)));
    if (deleted == ROWS_A_BITE)
        run->again_after_ms = PAUSE_MS;
    return RPC_SUCCESS;
}
