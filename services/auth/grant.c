#include "services/auth/grant.h"

#include "rpc/enum_name.h"
#include "services/app.h"
#include "services/auth/auth_row.rpc.h"
#include "services/auth/peer.h"
#include "services/auth/revocation.h"
#include "services/auth/session.sql.h"
#include "services/auth/token.h"
#include "services/uuid.h"

enum { USER_AGENT_BYTES_MAX = 200 };

static Google__Protobuf__Timestamp *timestamp(struct arena *arena,
                                              int64_t wall_us)
{
    Google__Protobuf__Timestamp *time =
        ARENA_NEW(arena, Google__Protobuf__Timestamp);
    google__protobuf__timestamp__init(time);
    time->seconds = wall_us / 1000000;
    time->nanos = (int32_t)(wall_us % 1000000 * 1000);
    return time;
}

static bool is_pending(const Account *account)
{
    return account->account_status != ACCOUNT_STATUS_ACTIVE &&
           app_config()->require_verified_contact;
}

Tokens *grant_access(struct rpc_call *call, const Account *account,
                     const char *session_id,
                     const struct refresh_token *refresh,
                     Google__Protobuf__Timestamp *refresh_expires)
{
    const char *type = enum_name(USER_TYPE_DESCRIPTOR, account->user_type);
    const char *level = enum_name(ADMIN_LEVEL_DESCRIPTOR, account->admin_level);
    bool pending = is_pending(account);
    const struct token_subject subject = {
        .user_id = account->user_id,
        .session_id = session_id,
        .user_type = type,
        .roles = token_roles(type, level, pending),
    };
    Tokens *tokens = ARENA_NEW(call->arena, Tokens);
    *tokens = (Tokens)TOKENS_INIT;
    int64_t expires_us;
    tokens->access_token = token_issue(
        call->arena, &subject, app_config()->access_ttl_ms, &expires_us);
    tokens->access_expire_time = timestamp(call->arena, expires_us);
    tokens->scope = pending ? TOKEN_SCOPE_PENDING : TOKEN_SCOPE_FULL;
    if (refresh != NULL)
        tokens->refresh_token = refresh_text(call->arena, refresh);
    tokens->refresh_expire_time = refresh_expires;
    return tokens;
}

/* How a call of this sign-in looks to whoever comes after it. */
static void become(struct rpc_call *call, const Account *account,
                   const char *session_id)
{
    call->caller.id = account->user_id;
    call->caller.session_id = session_id;
}

static void forget_session(struct rpc_call *call, void *session_id)
{
    revocation_tell(call, call->caller.id, session_id);
}

static rpc_status make_room(struct db *tx, const char *user_id)
{
    size_t count;
    SessionIdRow **ended;
    TRY(db_many(tx, &session_end_oldest, &count, &ended, db_text(user_id),
                db_int(SESSIONS_PER_USER_MAX - 1)));
    for (size_t i = 0; i < count; i++)
        db_after_commit(tx, forget_session, (char *)ended[i]->session_id);
    return RPC_SUCCESS;
}

static const char *user_agent(struct rpc_call *call)
{
    const char *text = rpc_metadata(call, "user-agent", NULL);
    return text != NULL ? arena_strndup(call->arena, text, USER_AGENT_BYTES_MAX)
                        : "";
}

static rpc_status insert_session(struct db *tx, const char *session_id,
                                 const char *user_id,
                                 const struct refresh_token *refresh,
                                 const Device *device, SessionRow **row)
{
    struct rpc_call *call = db_call(tx);
    uint8_t hash[REFRESH_HASH_BYTES];
    char address[PEER_TEXT_BYTES];
    refresh_hash(refresh, hash);
    peer_address(call->peer, address);
    return db_one(tx, &session_insert, row, db_text(session_id),
                  db_text(user_id), db_bytes(hash, sizeof hash),
                  db_int(app_config()->refresh_ttl_ms),
                  db_text(device != NULL ? device->device_name : ""),
                  db_text(device != NULL ? device->platform : ""),
                  db_text(device != NULL ? device->app_version : ""),
                  db_text(user_agent(call)), db_text_or_null(address));
}

rpc_status grant_session(struct db *tx, const Account *account,
                         const Device *device, Tokens **tokens)
{
    struct rpc_call *call = db_call(tx);
    const char *session_id = uuid_create(call->arena);
    struct refresh_token refresh;
    SessionRow *row;
    refresh_create(session_id, &refresh);

    become(call, account, session_id);
    TRY(make_room(tx, account->user_id));
    TRY(insert_session(tx, session_id, account->user_id, &refresh, device,
                       &row));
    *tokens =
        grant_access(call, account, session_id, &refresh, row->expire_time);
    return RPC_SUCCESS;
}
