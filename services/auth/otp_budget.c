/* Locks are taken in one order everywhere: destination, network, total.  The
 * last is held for the few statements up to the commit. */
#include "services/auth/otp_budget.h"

#include "rpc/metrics.h"
#include "services/app.h"
#include "services/auth/auth_row.rpc.h"
#include "services/auth/otp.sql.h"
#include "services/auth/otp_budget.sql.h"
#include "services/auth/peer.h"

#include <pthread.h>

enum { DESTINATION, NETWORK, TOTAL, BUDGETS };

static metric refusals[BUDGETS];
static pthread_once_t refusals_once = PTHREAD_ONCE_INIT;

static void register_refusals(void)
{
    static const char *const labels[BUDGETS] = {
        "budget=\"destination\"", "budget=\"network\"", "budget=\"total\""};
    for (int i = 0; i < BUDGETS; i++)
        refusals[i] = metrics_counter(
            "prbal_otp_refusals_total",
            "One-time codes that were not sent, by the budget that was used "
            "up.",
            labels[i]);
}

static void count_refusal(int budget)
{
    pthread_once(&refusals_once, register_refusals);
    metrics_add(refusals[budget], 1);
}

static rpc_status check_destination(struct db *tx, const char *destination)
{
    const struct app_config *config = app_config();
    OtpBudgetRow *row;
    TRY(db_exec(tx, &otp_lock, NULL, db_text(destination)));
    TRY(db_one(tx, &otp_budget, &row, db_text(destination),
               db_double((double)config->otp_resend_ms / 1000),
               db_int(config->otp_per_hour)));
    if (row->wait_ms <= 0)
        return RPC_SUCCESS;
    count_refusal(DESTINATION);
    return rpc_fail_retry(db_call(tx), RPC_RESOURCE_EXHAUSTED, row->wait_ms,
                          "a code was sent to this address already; wait "
                          "before you ask for another");
}

static rpc_status take(struct db *tx, int budget, const char *bucket,
                       int64_t per_hour, bool is_counted)
{
    OtpBudgetRow *row;
    TRY(db_exec(tx, &otp_budget_lock, NULL, db_text(bucket)));
    TRY(db_one(tx, &otp_budget_take, &row, db_text(bucket), db_int(per_hour),
               db_bool(is_counted)));
    if (row->wait_ms <= 0)
        return RPC_SUCCESS;
    count_refusal(budget);
    rpc_status status =
        rpc_fail_retry(db_call(tx), RPC_RESOURCE_EXHAUSTED, row->wait_ms,
                       "too many codes were asked for; try again later");
    rpc_add_reason(db_call(tx), "OTP_BUDGET");
    return status;
}

rpc_status otp_budget_spend(struct db *tx, const char *destination,
                            bool is_sent)
{
    const struct app_config *config = app_config();
    struct rpc_call *call = db_call(tx);
    char network[PEER_TEXT_BYTES];
    peer_network(call->peer, network);
    TRY(check_destination(tx, destination));
    TRY(take(tx, NETWORK, arena_printf(call->arena, "network %s", network),
             config->otp_network_per_hour, true));
    return take(tx, TOTAL, "total", config->otp_total_per_hour, is_sent);
}
