#ifndef PRBAL_SERVICES_AUTH_REVOCATION_H
#define PRBAL_SERVICES_AUTH_REVOCATION_H

#include "rpc/server.h"

/* Sessions that ended before their access tokens did, and accounts that were
 * closed, as each loop of each process knows them.
 *
 *   update session/account -> trigger -> table `revocation` -> each loop, by
 *   two polls a second;  a handler of this process also tells the loops at once
 *
 * While PostgreSQL cannot be reached nothing new is learnt; tokens then live
 * until they expire.  A loop that has learnt nothing yet lets none pass. */

/* Per loop, on its thread.  Sessions that ended earlier are known once
 * revocation_await() lets calls pass. */
void revocation_loop_start(struct rpc_server *server, struct loop *loop);
void revocation_loop_stop(struct loop *loop);

/* Tells all loops of this process, the caller's own before this returns.  To be
 * called after the commit.  `session_id` NULL: the account was closed. */
void revocation_tell(struct rpc_call *call, const char *user_id,
                     const char *session_id);

/* Waits until the loop knows what ended before it started: a moment after its
 * start, and from then on not at all.  UNAVAILABLE when PostgreSQL cannot be
 * asked.  Suspends. */
rpc_status revocation_await(struct rpc_call *call);

/* Do not suspend. */
bool revocation_has_session(struct loop *loop, const char *session_id);
bool revocation_has_account(struct loop *loop, const char *user_id);

/* `fn` runs on every loop, on its thread, once for each session that ends or
 * account that is closed (`session_id` NULL).  It must not suspend.  Register
 * before the server starts; at most 8. */
typedef void revocation_fn(struct loop *loop, const char *user_id,
                           const char *session_id);
void auth_on_session_end(revocation_fn *fn);

#endif
