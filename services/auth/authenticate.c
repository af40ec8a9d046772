#include "services/auth/authenticate.h"

#include "prbal/options.rpc.h"
#include "rpc/clock.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/auth/failure_gate.h"
#include "services/auth/revocation.h"
#include "services/auth/service_identity.h"
#include "services/auth/token.h"
#include "services/auth/token_cache.h"

#include <pthread.h>
#include <stdlib.h>

/* What one loop keeps. */
struct verifier {
    struct token_cache *cache;
    struct failure_gate *gate;
};

static int slot;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct verifier *verifier_of(const struct loop *loop)
{
    return loop_get(loop, slot);
}

static void forget_tokens(struct loop *loop, const char *user_id,
                          const char *session_id)
{
    struct verifier *verifier = verifier_of(loop);
    if (verifier != NULL)
        token_cache_drop(verifier->cache, user_id, session_id);
}

static void prepare(void)
{
    slot = loop_slot();
    auth_on_session_end(forget_tokens);
}

void authenticate_loop_start(struct rpc_server *server, struct loop *loop)
{
    pthread_once(&once, prepare);
    struct verifier *verifier = calloc(1, sizeof *verifier);
    if (verifier == NULL)
        abort();
    verifier->cache = token_cache_create();
    verifier->gate = failure_gate_create();
    loop_set(loop, slot, verifier);
    revocation_loop_start(server, loop);
}

void authenticate_loop_stop(struct loop *loop)
{
    revocation_loop_stop(loop);
    struct verifier *verifier = verifier_of(loop);
    if (verifier == NULL)
        return;
    loop_set(loop, slot, NULL);
    token_cache_destroy(verifier->cache);
    failure_gate_destroy(verifier->gate);
    free(verifier);
}

static rpc_status check_revocation(struct rpc_call *call,
                                   const struct rpc_caller *caller)
{
    if (revocation_has_account(call->loop, caller->id))
        return rpc_fail_reason(call, RPC_PERMISSION_DENIED, "ACCOUNT_SUSPENDED",
                               "this account is closed");
    if (revocation_has_session(call->loop, caller->session_id))
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_INVALID",
                               "this session has ended; sign in again");
    return RPC_SUCCESS;
}

/* The way of a token that is not in the cache. */
static rpc_status check_token(struct rpc_call *call, struct verifier *verifier,
                              const char *text, struct rpc_caller *caller)
{
    int64_t now_us = loop_now_us(call->loop);
    if (failure_gate_is_shut(verifier->gate, call->peer, now_us))
        return rpc_fail_retry(call, RPC_RESOURCE_EXHAUSTED, 1000,
                              "too many bad tokens from this address");

    token_verdict verdict = token_read(call->arena, text, caller);
    if (verdict == TOKEN_GOOD)
        return check_revocation(call, caller);
    failure_gate_count(verifier->gate, call->peer, now_us);
    if (verdict == TOKEN_EXPIRED)
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_EXPIRED",
                               "the access token has expired; refresh it");
    return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_INVALID",
                           "the access token is not valid");
}

/* What is in the cache needs no look at the revocations: whoever learns of one
 * takes its tokens out. */
rpc_status token_verify(struct rpc_call *call, const char *text)
{
    struct verifier *verifier = verifier_of(call->loop);
    uint8_t key[TOKEN_CACHE_KEY_BYTES];
    token_cache_key(verifier->cache, text, key);
    if (token_cache_find(verifier->cache, key, clock_wall_us(), call->arena,
                         &call->caller))
        return RPC_SUCCESS;

    struct rpc_caller caller = {0};
    TRY(check_token(call, verifier, text, &caller));
    token_cache_put(verifier->cache, key, &caller);
    call->caller = caller;
    return RPC_SUCCESS;
}

/* A service may call in its own name, or with the token of somebody for whom it
 * works; it then is both. */
static void recognise_service(struct rpc_call *call)
{
    if (service_identity_is_listed(app_config()->service_identities,
                                   call->peer_identity))
        call->caller.roles |= 1u << ROLE_SERVICE;
}

/* Whether a caller without a token may go on is the method's access rule,
 * which the runtime enforces. */
rpc_status authenticate(struct rpc_call *call, const char *token)
{
    if (token != NULL)
        TRY(token_verify(call, token));
    recognise_service(call);
    return RPC_SUCCESS;
}

/* A body may take longer than the session had left; and a process that has just
 * started looks at tokens before it knows which sessions are over. */
rpc_status authenticate_confirm(struct rpc_call *call)
{
    if (call->caller.id == NULL)
        return RPC_SUCCESS;
    TRY(revocation_await(call));
    return check_revocation(call, &call->caller);
}
