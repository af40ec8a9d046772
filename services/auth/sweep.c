#include "services/auth/sweep.h"

#include "services/auth/account.sql.h"
#include "services/auth/otp.sql.h"
#include "services/auth/otp_budget.sql.h"
#include "services/auth/revocation.sql.h"
#include "services/auth/session.sql.h"
#include "services/auth/throttle.sql.h"

void auth_sweep(struct rpc_call *call)
{
    const struct db_query *const sweeps[] = {
        &account_end_suspensions, &otp_sweep,   &otp_budget_sweep,
        &session_sweep,           &login_sweep, &revocation_sweep,
    };
    for (size_t i = 0; i < sizeof sweeps / sizeof sweeps[0]; i++)
        if (db_exec(call->db, sweeps[i], NULL, DB_NONE).code != RPC_OK)
            return;
}
