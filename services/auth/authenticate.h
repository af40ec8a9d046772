#ifndef PRBAL_SERVICES_AUTH_AUTHENTICATE_H
#define PRBAL_SERVICES_AUTH_AUTHENTICATE_H

#include "rpc/server.h"

/* Who is calling: the authenticate hook of the server.
 *
 *   token -> cache of verified tokens -> signature and claims -> sessions that
 *   have ended -> accounts that are closed -> call->caller
 *
 * A client whose certificate names one of PRBAL_SERVICE_IDENTITIES has the role
 * SERVICE besides, and is nobody's account.
 *
 * No token is fine here: the runtime applies the method's access rule
 * afterwards.  Answers UNAUTHENTICATED with reason TOKEN_INVALID or
 * TOKEN_EXPIRED, PERMISSION_DENIED with ACCOUNT_SUSPENDED, RESOURCE_EXHAUSTED
 * when the address sent too many bad tokens.  Does not suspend. */
rpc_status authenticate(struct rpc_call *call, const char *token);

/* Once the request is there, before it is looked at: the session may have ended
 * since.  In a process that has just started it waits until the ends of others
 * are known.  Answers like authenticate(), and UNAVAILABLE.  Suspends. */
rpc_status authenticate_confirm(struct rpc_call *call);

/* The part without the method's access rule: fills call->caller.  Does not
 * suspend. */
rpc_status token_verify(struct rpc_call *call, const char *text);

/* Per loop, on its thread; calls revocation_loop_start() and _stop(). */
void authenticate_loop_start(struct rpc_server *server, struct loop *loop);
void authenticate_loop_stop(struct loop *loop);

#endif
