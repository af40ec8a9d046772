#ifndef PRBAL_SERVICES_AUTH_THROTTLE_H
#define PRBAL_SERVICES_AUTH_THROTTLE_H

#include "db/db.h"

/* How often a password may be tried: ten times a minute for an account and for
 * an address, and not at all for 15 minutes after ten failures in a row.  What
 * is locked is the password as a way into one account: mailed codes and
 * sessions that are open still work, so nobody can be locked out by a stranger.
 */

/* Counts a try before it is made.  `name` is a user id, or what somebody typed
 * when that is nobody's: unknown accounts lock like known ones.
 * RESOURCE_EXHAUSTED with the time to wait.  `db` is no transaction.
 * Suspends. */
rpc_status throttle_account(struct db *db, const char *name);
rpc_status throttle_address(struct db *db);

/* The password was right. */
rpc_status throttle_forgive(struct db *db, const char *name);
/* The account was proved in another way. */
rpc_status throttle_unlock(struct db *db, const char *name);

#endif
