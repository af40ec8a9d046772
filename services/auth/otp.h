#ifndef PRBAL_SERVICES_AUTH_OTP_H
#define PRBAL_SERVICES_AUTH_OTP_H

#include "db/db.h"
#include "prbal/v1/auth.rpc.h"
#include "services/auth/auth_row.rpc.h"

/* One-time codes of six digits.
 *
 *   ISSUED -> CONSUMED | SUPERSEDED | EXPIRED | EXHAUSTED (five tries)
 *
 * The newest code for an address and purpose is the only one.  Only its HMAC is
 * stored.  All counts are made in the database by one statement, so they hold
 * however many calls and processes there are. */

/* Makes a code in `tx` and mails it when `tx` is committed.  `account` NULL: no
 * such account, and nothing is mailed, but all else is as if.
 * RESOURCE_EXHAUSTED when a budget is used up (otp_budget.h).  Suspends. */
rpc_status otp_send(struct db *tx, OtpPurpose purpose, const char *email,
                    const Account *account, OtpSentRow **sent);

/* Counts a try and compares.  OK: the code is right, and whose it is is in
 * *user_id; it stays good until otp_spend().  INVALID_ARGUMENT with reason
 * OTP_WRONG, RESOURCE_EXHAUSTED with OTP_EXHAUSTED.  `db` is no transaction: a
 * try that is rolled back would not count.  Suspends. */
rpc_status otp_check(struct db *db, OtpPurpose purpose, const char *email,
                     const char *code, OtpTryRow **found);

/* Of two that checked the same code one spends it; the other gets OTP_WRONG.
 * Suspends. */
rpc_status otp_spend(struct db *tx, const OtpTryRow *found);

#endif
