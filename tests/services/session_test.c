/* Refresh tokens, sessions, and how fast an end of one is known. */
#include "prbal/v1/auth.rpc.h"
#include "prbal/v1/user.rpc.h"
#include "rpc/clock.h"
#include "rpc/loop.h"
#include "services/auth/refresh.h"
#include "services/auth/revocation.h"
#include "services/auth/token.h"
#include "tests/testkit/mailbox.h"

#include <stdio.h>

#define REFRESH "/prbal.v1.AuthService/RefreshToken"
#define LOGOUT "/prbal.v1.AuthService/Logout"
#define LIST "/prbal.v1.AuthService/ListSessions"
#define REVOKE "/prbal.v1.AuthService/RevokeSession"
#define GET_ME "/prbal.v1.UserService/GetMe"

/* The refresh token of a person's session, made as the server makes it. */
static const char *refresh_of(fixture *t, const struct person *who)
{
    struct refresh_token token;
    uint8_t hash[REFRESH_HASH_BYTES];
    char hex[2 * REFRESH_HASH_BYTES + 1];
    refresh_create(who->session_id, &token);
    refresh_hash(&token, hash);
    for (int i = 0; i < REFRESH_HASH_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash[i]);
    sql(t, "update session set refresh_hash = '\\x%s' where session_id = '%s'",
        hex, who->session_id);
    return refresh_text(t->arena, &token);
}

static struct rpc_reply refresh(fixture *t, const char *token)
{
    RefreshTokenRequest req = REFRESH_TOKEN_REQUEST_INIT;
    req.refresh_token = (char *)token;
    return call_as(t, NULL, REFRESH, &req);
}

static const Tokens *must_refresh(fixture *t, const char *token)
{
    return ANSWER(RefreshTokenResponse, refresh(t, token))->tokens;
}

static struct rpc_reply get_me(fixture *t, const struct person *who)
{
    GetMeRequest req = GET_ME_REQUEST_INIT;
    return call_as(t, who, GET_ME, &req);
}

static void age_rotation(fixture *t, const struct person *who)
{
    sql(t,
        "update session set rotated_at = rotated_at - interval '11 seconds'"
        " where session_id = '%s'",
        who->session_id);
}

/* -- rotation ------------------------------------------------------------ */

static void a_refresh_token_gives_the_next_pair(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    const char *first = refresh_of(t, &who);
    const Tokens *tokens = must_refresh(t, first);
    assert_string_not_equal(tokens->refresh_token, first);
    assert_int_equal(tokens->scope, TOKEN_SCOPE_FULL);
    struct rpc_caller caller;
    assert_int_equal(token_read(t->arena, tokens->access_token, &caller),
                     TOKEN_GOOD);
    assert_string_equal(caller.id, who.user_id);
    assert_string_equal(caller.session_id, who.session_id);
    int64_t lives_s =
        tokens->refresh_expire_time->seconds - clock_wall_us() / 1000000;
    assert_in_range(lives_s, 7 * 86400 - 5, 7 * 86400);
    must_refresh(t, tokens->refresh_token);
}

/* A lost answer, or two tabs that wake at once. */
static void twins_get_the_same_successor(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const char *first = refresh_of(t, &who);
    const char *second = must_refresh(t, first)->refresh_token;
    assert_string_equal(must_refresh(t, first)->refresh_token, second);
    assert_string_not_equal(must_refresh(t, second)->refresh_token, second);
}

static void twenty_parallel_refreshes_give_one_successor(void **state)
{
    enum { TWINS = 20 };
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    RefreshTokenRequest req = REFRESH_TOKEN_REQUEST_INIT;
    req.refresh_token = (char *)refresh_of(t, &who);
    struct rpc_local *calls[TWINS];
    for (int i = 0; i < TWINS; i++) {
        calls[i] = rpc_local_open(t->server, REFRESH, NULL);
        rpc_local_send(calls[i], &req);
        rpc_local_close_send(calls[i]);
    }
    const char *successor = NULL;
    for (int i = 0; i < TWINS; i++) {
        assert_int_equal(rpc_local_reply(calls[i]).status.code, RPC_OK);
        const RefreshTokenResponse *res =
            (const RefreshTokenResponse *)rpc_local_next(calls[i], t->arena,
                                                         1000);
        assert_non_null(res);
        if (successor == NULL)
            successor = res->tokens->refresh_token;
        assert_string_equal(res->tokens->refresh_token, successor);
        rpc_local_free(calls[i]);
    }
    must_refresh(t, successor);
}

static void reuse_after_the_grace_ends_the_session_for_both(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const char *stolen = refresh_of(t, &who);
    const Tokens *tokens = must_refresh(t, stolen);
    struct person thief = {.token = tokens->access_token};
    assert_ok(get_me(t, &thief));
    age_rotation(t, &who);

    assert_reason(refresh(t, stolen), RPC_UNAUTHENTICATED, "TOKEN_REUSED");
    assert_reason(refresh(t, tokens->refresh_token), RPC_UNAUTHENTICATED,
                  "TOKEN_INVALID");
    assert_reason(get_me(t, &thief), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
    assert_reason(get_me(t, &who), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
    assert_string_equal(
        text(t, "select revoke_reason from session where session_id = '%s'",
             who.session_id),
        "TOKEN_REUSED");
    assert_int_equal(number(t,
                            "select count(*) from notification where"
                            " recipient_id = '%s'",
                            who.user_id),
                     1);
    assert_non_null(strstr(mail_to(t, who.email, 1), "two places"));
}

static void the_owner_is_told_once(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const char *stolen = refresh_of(t, &who);
    must_refresh(t, stolen);
    age_rotation(t, &who);
    for (int i = 0; i < 4; i++)
        assert_code(refresh(t, stolen), RPC_UNAUTHENTICATED);
    assert_int_equal(number(t,
                            "select count(*) from notification where"
                            " recipient_id = '%s'",
                            who.user_id),
                     1);
}

/* Within the grace, but two rotations old. */
static void a_grandparent_is_reuse(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const char *first = refresh_of(t, &who);
    const char *second = must_refresh(t, first)->refresh_token;
    must_refresh(t, second);
    assert_reason(refresh(t, first), RPC_UNAUTHENTICATED, "TOKEN_REUSED");
}

static void other_sessions_live_on(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct person laptop = who;
    laptop.session_id = text(
        t,
        "insert into session (user_id, refresh_hash, expires_at) values ('%s',"
        " sha256('x'), now() + interval '7 days') returning session_id",
        who.user_id);
    const char *kept = refresh_of(t, &laptop);
    const char *stolen = refresh_of(t, &who);
    must_refresh(t, stolen);
    age_rotation(t, &who);
    assert_code(refresh(t, stolen), RPC_UNAUTHENTICATED);
    must_refresh(t, kept);
}

/* -- what is no refresh token -------------------------------------------- */

/* Knowing somebody's session id must not be enough to end the session. */
static void a_made_up_token_harms_nobody(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    char *token = arena_strdup(t->arena, refresh_of(t, &who));
    const char *good = arena_strdup(t->arena, token);
    for (size_t i = 0; i < strlen(token); i += 3) {
        char kept = token[i];
        token[i] = kept == 'A' ? 'B' : 'A';
        assert_reason(refresh(t, token), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
        token[i] = kept;
    }
    must_refresh(t, good);
}

static void other_shapes_are_refused(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const char *good = refresh_of(t, &who);
    const char *shapes[] = {
        who.token,
        "x",
        arena_printf(t->arena, "%s=", good),
        arena_printf(t->arena, "%s%s", good, good),
        arena_strndup(t->arena, good, strlen(good) - 1),
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        assert_reason(refresh(t, shapes[i]), RPC_UNAUTHENTICATED,
                      "TOKEN_INVALID");
    assert_field_violation(refresh(t, ""), "refresh_token");
}

static void a_refresh_token_is_no_access_token(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    who.token = refresh_of(t, &who);
    assert_reason(get_me(t, &who), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
}

static void a_session_expires_when_it_is_not_used(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const char *token = refresh_of(t, &who);
    sql(t,
        "update session set expires_at = now() - interval '1 second' where"
        " session_id = '%s'",
        who.session_id);
    assert_reason(refresh(t, token), RPC_UNAUTHENTICATED, "TOKEN_EXPIRED");
    assert_int_equal(number(t,
                            "select count(*) from session where session_id ="
                            " '%s' and revoked_at is null",
                            who.session_id),
                     1);
}

static void a_closed_account_is_not_refreshed(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const char *token = refresh_of(t, &who);
    sql(t,
        "update account set account_status = 'SUSPENDED' where user_id = '%s'",
        who.user_id);
    assert_reason(refresh(t, token), RPC_PERMISSION_DENIED,
                  "ACCOUNT_SUSPENDED");
}

/* -- Logout, ListSessions, RevokeSession --------------------------------- */

static void logging_out_ends_all_tokens_of_the_session_at_once(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const char *token = refresh_of(t, &who);
    assert_ok(get_me(t, &who));
    LogoutRequest req = LOGOUT_REQUEST_INIT;
    assert_ok(call_as(t, &who, LOGOUT, &req));
    assert_reason(get_me(t, &who), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
    assert_reason(refresh(t, token), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
    assert_reason(call_as(t, &who, LOGOUT, &req), RPC_UNAUTHENTICATED,
                  "TOKEN_INVALID");
}

static void a_pending_account_can_log_out(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    LogoutRequest req = LOGOUT_REQUEST_INIT;
    assert_ok(call_as(t, &who, LOGOUT, &req));
    assert_code(get_me(t, &who), RPC_UNAUTHENTICATED);
}

static void own_live_sessions_are_listed(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    person(t, USER_TYPE_SEEKER);
    sql(t,
        "insert into session (user_id, refresh_hash, expires_at, device_name,"
        " ip_address, last_used_at, revoked_at, revoke_reason) values"
        " ('%s', sha256('a'), now() + interval '1 day', 'old phone',"
        "  '192.0.2.7', now() - interval '1 day', null, null),"
        " ('%s', sha256('b'), now() + interval '1 day', 'gone', null, now(),"
        "  now(), 'LOGOUT'),"
        " ('%s', sha256('c'), now() - interval '1 day', 'expired', null,"
        "  now(), null, null)",
        who.user_id, who.user_id, who.user_id);
    ListSessionsRequest req = LIST_SESSIONS_REQUEST_INIT;
    const ListSessionsResponse *res =
        ANSWER(ListSessionsResponse, call_as(t, &who, LIST, &req));
    assert_int_equal(res->n_sessions, 2);
    assert_string_equal(res->sessions[0]->session_id, who.session_id);
    assert_true(res->sessions[0]->is_current);
    assert_string_equal(res->sessions[1]->device_name, "old phone");
    assert_string_equal(res->sessions[1]->ip_address, "192.0.2.7");
    assert_false(res->sessions[1]->is_current);
}

static void a_session_can_be_ended_from_another(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct person lost = who;
    lost.session_id = text(
        t,
        "insert into session (user_id, refresh_hash, expires_at) values ('%s',"
        " sha256('x'), now() + interval '7 days') returning session_id",
        who.user_id);
    const char *token = refresh_of(t, &lost);
    lost.token = must_refresh(t, token)->access_token;
    assert_ok(get_me(t, &lost));
    RevokeSessionRequest req = REVOKE_SESSION_REQUEST_INIT;
    req.session_id = (char *)lost.session_id;
    assert_ok(call_as(t, &who, REVOKE, &req));
    assert_code(get_me(t, &lost), RPC_UNAUTHENTICATED);
    assert_ok(get_me(t, &who));
    assert_code(call_as(t, &who, REVOKE, &req), RPC_NOT_FOUND);
}

static void a_foreign_session_does_not_exist(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct person other = person(t, USER_TYPE_ADMIN);
    RevokeSessionRequest req = REVOKE_SESSION_REQUEST_INIT;
    req.session_id = (char *)who.session_id;
    assert_code(call_as(t, &other, REVOKE, &req), RPC_NOT_FOUND);
    assert_ok(get_me(t, &who));
}

/* -- what other processes and the operator do ---------------------------- */

/* Waits until a call is refused; fails after some seconds. */
static struct rpc_reply await_refusal(fixture *t, const struct person *who)
{
    for (int i = 0; i < 300; i++) {
        struct rpc_reply reply = get_me(t, who);
        if (reply.status.code != RPC_OK)
            return reply;
        run_for(t, 10);
    }
    fail_msg("the token is still good");
    return get_me(t, who);
}

static void an_end_in_the_database_is_learnt_within_seconds(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    assert_ok(get_me(t, &who));
    sql(t,
        "update session set revoked_at = now(), revoke_reason = 'REVOKED'"
        " where session_id = '%s'",
        who.session_id);
    int64_t start_us = clock_monotonic_us();
    assert_reason(await_refusal(t, &who), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
    assert_true(clock_monotonic_us() - start_us < 2500000);
}

static void a_suspension_closes_every_door_and_opens_again(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    assert_ok(get_me(t, &who));
    sql(t,
        "update account set account_status = 'SUSPENDED' where user_id = '%s'",
        who.user_id);
    assert_reason(await_refusal(t, &who), RPC_PERMISSION_DENIED,
                  "ACCOUNT_SUSPENDED");
    sql(t, "update account set account_status = 'ACTIVE' where user_id = '%s'",
        who.user_id);
    for (int i = 0; get_me(t, &who).status.code != RPC_OK; i++) {
        assert_true(i < 300);
        run_for(t, 10);
    }
}

/* A transaction that began early and commits late is not overtaken. */
static void a_late_commit_is_not_missed(void **state)
{
    fixture *t = *state;
    struct person late = person(t, USER_TYPE_SEEKER);
    struct person early = person(t, USER_TYPE_SEEKER);
    assert_ok(get_me(t, &late));
    assert_ok(get_me(t, &early));
    sql(t, "begin");
    sql(t,
        "update session set revoked_at = now(), revoke_reason = 'REVOKED'"
        " where session_id = '%s'",
        late.session_id);
    LogoutRequest req = LOGOUT_REQUEST_INIT;
    assert_ok(call_as(t, &early, LOGOUT, &req));
    run_for(t, 1500); /* a poll has read the later transaction's row */
    assert_ok(get_me(t, &late));
    sql(t, "commit");
    assert_code(await_refusal(t, &late), RPC_UNAUTHENTICATED);
}

static int told;
static char told_session[40];

static void hear(struct loop *loop, const char *user_id, const char *session_id)
{
    (void)user_id;
    assert_ptr_equal(loop, loop_current());
    told++;
    snprintf(told_session, sizeof told_session, "%s",
             session_id != NULL ? session_id : "");
}

static void listeners_hear_of_an_end_once(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    run_for(t, 1100);
    told = 0;
    LogoutRequest req = LOGOUT_REQUEST_INIT;
    assert_ok(call_as(t, &who, LOGOUT, &req));
    assert_int_equal(told, 1);
    assert_string_equal(told_session, who.session_id);
    run_for(t, 2200); /* the poll reads it too */
    assert_int_equal(told, 1);
}

static int start(void **state)
{
    auth_on_session_end(hear);
    return kit_start(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refresh_token_gives_the_next_pair),
        TEST(twins_get_the_same_successor),
        TEST(twenty_parallel_refreshes_give_one_successor),
        TEST(reuse_after_the_grace_ends_the_session_for_both),
        TEST(the_owner_is_told_once),
        TEST(a_grandparent_is_reuse),
        TEST(other_sessions_live_on),
        TEST(a_made_up_token_harms_nobody),
        TEST(other_shapes_are_refused),
        TEST(a_refresh_token_is_no_access_token),
        TEST(a_session_expires_when_it_is_not_used),
        TEST(a_closed_account_is_not_refreshed),
        TEST(logging_out_ends_all_tokens_of_the_session_at_once),
        TEST(a_pending_account_can_log_out),
        TEST(own_live_sessions_are_listed),
        TEST(a_session_can_be_ended_from_another),
        TEST(a_foreign_session_does_not_exist),
        TEST(an_end_in_the_database_is_learnt_within_seconds),
        TEST(a_suspension_closes_every_door_and_opens_again),
        TEST(a_late_commit_is_not_missed),
        TEST(listeners_hear_of_an_end_once),
    };
    return cmocka_run_group_tests_name("session", tests, start, kit_stop);
}
