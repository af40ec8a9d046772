/* What is removed when its time has passed. */
#include "services/auth/account.sql.h"
#include "services/auth/otp.sql.h"
#include "services/auth/otp_budget.sql.h"
#include "services/auth/revocation.sql.h"
#include "services/auth/session.sql.h"
#include "services/auth/throttle.sql.h"
#include "services/jobs/handlers.h"

rpc_status auth_sweep(struct db *tx, struct job_run *run)
{
    const struct db_query *const sweeps[] = {
        &account_end_suspensions, &otp_sweep,   &otp_budget_sweep,
        &session_sweep,           &login_sweep, &revocation_sweep,
    };
    (void)run;
    for (size_t i = 0; i < sizeof sweeps / sizeof sweeps[0]; i++)
        TRY(db_exec(tx, sweeps[i], NULL, DB_NONE));
    return RPC_SUCCESS;
}
