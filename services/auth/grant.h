#ifndef PRBAL_SERVICES_AUTH_GRANT_H
#define PRBAL_SERVICES_AUTH_GRANT_H

#include "db/db.h"
#include "prbal/v1/auth.rpc.h"
#include "services/auth/refresh.h"

/* Giving tokens to whoever has proved who he is. */

enum { SESSIONS_PER_USER_MAX = 50 };

/* Starts a session in `tx` and answers its tokens, in the call's arena.  The
 * sessions used longest ago end when there are too many.  From here on the call
 * is the account's: what it is audited as.  `device` may be NULL.  Suspends. */
rpc_status grant_session(struct db *tx, const Account *account,
                         const Device *device, Tokens **tokens);

/* A new access token for a session that there is.  `refresh` NULL leaves the
 * client with the refresh token that it has, and refresh_expires NULL then.
 * Does not suspend. */
Tokens *grant_access(struct rpc_call *call, const Account *account,
                     const char *session_id,
                     const struct refresh_token *refresh,
                     Google__Protobuf__Timestamp *refresh_expires);

#endif
