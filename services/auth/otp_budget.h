#ifndef PRBAL_SERVICES_AUTH_OTP_BUDGET_H
#define PRBAL_SERVICES_AUTH_OTP_BUDGET_H

#include "db/db.h"

/* How many one-time codes strangers can make the installation send: to one
 * destination, from one network, and altogether (settings otp_resend,
 * otp_per_hour, otp_network_per_hour, otp_total_per_hour).  All hold in any
 * hour and over all processes: what is counted is locked until the send is
 * committed. */

/* Counts a send in `tx`.  RESOURCE_EXHAUSTED with the time to wait; reason
 * OTP_BUDGET when it is not the destination that had enough.  `is_sent` false:
 * nobody will get it, so the total is looked at, not counted; the answer is the
 * same.  Suspends. */
rpc_status otp_budget_spend(struct db *tx, const char *destination,
                            bool is_sent);

#endif
