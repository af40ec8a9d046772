#include "services/auth/throttle.h"

#include "services/auth/auth_row.rpc.h"
#include "services/auth/peer.h"
#include "services/auth/throttle.sql.h"
#include "services/base64url.h"

#include <assert.h>
#include <ctype.h>
#include <openssl/sha.h>
#include <string.h>

enum {
    TRIES_PER_MINUTE = 10,
    FAILURES_MAX = 10,
    LOCK_S = 15 * 60,
    NEVER = 1 << 30,
};

/* Hashed: what people type into the wrong field may be their password. */
static const char *account_bucket(struct db *db, const char *name)
{
    struct arena *arena = db_call(db)->arena;
    char *lower = arena_strdup(arena, name);
    for (char *c = lower; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)lower, strlen(lower), digest);
    return arena_printf(arena, "account %s",
                        base64url_encode(arena, digest, sizeof digest));
}

static rpc_status count_try(struct db *db, const char *bucket, int failures_max)
{
    assert(!db_is_transaction(db));
    LoginTryRow *row;
    TRY(db_one(db, &login_try, &row, db_text(bucket), db_int(TRIES_PER_MINUTE),
               db_int(failures_max), db_double(LOCK_S)));
    if (row->wait_ms > 0)
        return rpc_fail_retry(db_call(db), RPC_RESOURCE_EXHAUSTED, row->wait_ms,
                              "too many tries; wait, or sign in another way");
    return RPC_SUCCESS;
}

rpc_status throttle_account(struct db *db, const char *name)
{
    return count_try(db, account_bucket(db, name), FAILURES_MAX);
}

rpc_status throttle_address(struct db *db)
{
    struct rpc_call *call = db_call(db);
    char network[PEER_TEXT_BYTES];
    peer_network(call->peer, network);
    return count_try(db, arena_printf(call->arena, "address %s", network),
                     NEVER);
}

rpc_status throttle_forgive(struct db *db, const char *name)
{
    return db_exec(db, &login_succeeded, NULL,
                   db_text(account_bucket(db, name)));
}

rpc_status throttle_unlock(struct db *db, const char *name)
{
    return db_exec(db, &login_unlock, NULL, db_text(account_bucket(db, name)));
}
