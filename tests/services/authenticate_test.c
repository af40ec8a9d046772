/* The authenticate hook and what each loop keeps for it. */
#include "prbal/options.rpc.h"
#include "prbal/v1/auth.rpc.h"
#include "prbal/v1/user.rpc.h"
#include "rpc/clock.h"
#include "services/app.h"
#include "services/auth/authenticate.h"
#include "services/auth/failure_gate.h"
#include "services/auth/id_set.h"
#include "services/auth/peer.h"
#include "services/auth/token_cache.h"
#include "services/uuid.h"
#include "tests/testkit/testkit.h"

#define GET_ME "/prbal.v1.UserService/GetMe"
#define LOGOUT "/prbal.v1.AuthService/Logout"
#define GET_USER "/prbal.v1.UserService/GetUser"
#define UPDATE_ME "/prbal.v1.UserService/UpdateMe"

static struct rpc_reply get_me(fixture *t, const struct person *who)
{
    GetMeRequest req = GET_ME_REQUEST_INIT;
    return call_as(t, who, GET_ME, &req);
}

/* -- the hook ------------------------------------------------------------ */

static void reasons_tell_a_client_what_to_do(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct person broken = {.token = "x.y.z"};
    struct person pending = pending_person(t, USER_TYPE_SEEKER);
    UpdateMeRequest update = UPDATE_ME_REQUEST_INIT;
    assert_reason(get_me(t, NULL), RPC_UNAUTHENTICATED, "TOKEN_MISSING");
    assert_reason(get_me(t, &broken), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
    assert_reason(call_as(t, &pending, UPDATE_ME, &update),
                  RPC_PERMISSION_DENIED, "ACCOUNT_NOT_VERIFIED");
    clock_shift_wall(3600 * INT64_C(1000000) * 25);
    struct rpc_reply expired = get_me(t, &who);
    clock_shift_wall(0);
    assert_reason(expired, RPC_UNAUTHENTICATED, "TOKEN_EXPIRED");
}

/* Who sends a token wants to be somebody: a public method does not make a
 * stranger of him silently. */
static void a_bad_token_is_refused_where_none_is_needed(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    struct person broken = {.token = "x.y.z"};
    GetUserRequest req = GET_USER_REQUEST_INIT;
    req.user_id = (char *)who.user_id;
    assert_ok(call_as(t, NULL, GET_USER, &req));
    assert_reason(call_as(t, &broken, GET_USER, &req), RPC_UNAUTHENTICATED,
                  "TOKEN_INVALID");
}

/* The cache must not outlive the token. */
static void a_cached_token_expires_as_well(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    assert_ok(get_me(t, &who));
    assert_ok(get_me(t, &who));
    clock_shift_wall(3600 * INT64_C(1000000) * 25);
    struct rpc_reply later = get_me(t, &who);
    clock_shift_wall(0);
    assert_reason(later, RPC_UNAUTHENTICATED, "TOKEN_EXPIRED");
}

/* What was ended stays ended: it is remembered by a clock that cannot be put
 * forward, forget, and be put back. */
static void a_clock_that_jumps_brings_no_session_back(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    LogoutRequest req = LOGOUT_REQUEST_INIT;
    assert_ok(get_me(t, &who));
    assert_ok(call_as(t, &who, "/prbal.v1.AuthService/Logout", &req));
    clock_shift_wall(3600 * INT64_C(1000000) * 26);
    struct rpc_reply ahead = get_me(t, &who);
    clock_shift_wall(0);
    assert_reason(ahead, RPC_UNAUTHENTICATED, "TOKEN_EXPIRED");
    assert_reason(get_me(t, &who), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
}

/* A flood of bad tokens costs its sender further checks, and nobody who is
 * known already. */
static void too_many_bad_tokens_shut_the_gate_but_not_for_known_ones(
    void **state)
{
    fixture *t = *state;
    struct person known = person(t, USER_TYPE_SEEKER);
    struct person unknown = person(t, USER_TYPE_SEEKER);
    struct person broken = {.token = "x.y.z"};
    assert_ok(get_me(t, &known));
    int refused = 0;
    for (int i = 0; refused == 0 && i < 4 * FAILURE_GATE_BURST; i++)
        refused += get_me(t, &broken).status.code == RPC_RESOURCE_EXHAUSTED;
    assert_int_equal(refused, 1);
    assert_ok(get_me(t, &known));
    /* As bad tokens are forgotten, at 50 a second, new ones are looked at. */
    for (int i = 0; get_me(t, &unknown).status.code != RPC_OK; i++) {
        assert_true(i < 100);
        run_for(t, 10);
    }
}

/* -- services, by their certificates -------------------------------------- */

static uint32_t roles_of(fixture *t, const char *peer_identity)
{
    struct rpc_call call = {.arena = t->arena, .peer_identity = peer_identity};
    assert_int_equal(authenticate(&call, NULL).code, RPC_OK);
    assert_null(call.caller.id);
    return call.caller.roles;
}

static void only_a_listed_certificate_is_a_service(void **state)
{
    fixture *t = *state;
    char error[256];
    assert_int_equal(roles_of(t, "billing.internal"), 0);
    assert_true(app_config_set("service_identities",
                               "spiffe://prod/mail, billing.internal", error,
                               sizeof error));
    assert_int_equal(roles_of(t, "spiffe://prod/mail"), 1u << ROLE_SERVICE);
    assert_int_equal(roles_of(t, "billing.internal"), 1u << ROLE_SERVICE);
    static const char *const others[] = {
        NULL,       "",  "billing", "billing.internal.", "spiffe://prod/mail2",
        "internal", ",", "*",       "spiffe://prod/MAIL"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(roles_of(t, others[i]), 0);
    assert_true(app_config_set("service_identities", "", error, sizeof error));
}

/* -- the cache of verified tokens ---------------------------------------- */

static struct rpc_caller caller(const char *user, const char *session,
                                int64_t expires_us)
{
    return (struct rpc_caller){.id = user,
                               .session_id = session,
                               .roles = 8,
                               .expires_us = expires_us};
}

static bool finds(fixture *t, struct token_cache *cache, const char *token,
                  int64_t now_us)
{
    uint8_t key[TOKEN_CACHE_KEY_BYTES];
    struct rpc_caller found;
    token_cache_key(cache, token, key);
    return token_cache_find(cache, key, now_us, t->arena, &found);
}

static void put(struct token_cache *cache, const char *token, const char *user,
                const char *session, int64_t expires_us)
{
    uint8_t key[TOKEN_CACHE_KEY_BYTES];
    struct rpc_caller who = caller(user, session, expires_us);
    token_cache_key(cache, token, key);
    token_cache_put(cache, key, &who);
}

static void a_cache_entry_dies_with_its_token_session_or_user(void **state)
{
    fixture *t = *state;
    struct token_cache *cache = token_cache_create();
    put(cache, "a", "u1", "s1", 100);
    put(cache, "b", "u1", "s2", 100);
    put(cache, "c", "u2", "s3", 100);
    assert_true(finds(t, cache, "a", 99));
    assert_false(finds(t, cache, "a", 100));
    assert_false(finds(t, cache, "A", 99));
    token_cache_drop(cache, "u1", "s1");
    assert_false(finds(t, cache, "a", 99));
    assert_true(finds(t, cache, "b", 99));
    token_cache_drop(cache, "u1", NULL);
    assert_false(finds(t, cache, "b", 99));
    assert_true(finds(t, cache, "c", 99));
    token_cache_destroy(cache);
}

static void a_full_cache_forgets_and_never_confuses(void **state)
{
    enum { TOKENS = 3 * TOKEN_CACHE_ENTRIES };
    fixture *t = *state;
    struct token_cache *cache = token_cache_create();
    int kept = 0;
    for (int i = 0; i < TOKENS; i++) {
        const char *name = arena_printf(t->arena, "token %d", i);
        put(cache, name, name, "s", 1000);
        assert_true(finds(t, cache, name, 1));
    }
    for (int i = 0; i < TOKENS; i++) {
        uint8_t key[TOKEN_CACHE_KEY_BYTES];
        struct rpc_caller found;
        const char *name = arena_printf(t->arena, "token %d", i);
        token_cache_key(cache, name, key);
        if (!token_cache_find(cache, key, 1, t->arena, &found))
            continue;
        assert_string_equal(found.id, name);
        kept++;
    }
    assert_true(kept <= TOKEN_CACHE_ENTRIES);
    assert_true(kept > TOKEN_CACHE_ENTRIES / 2);
    token_cache_destroy(cache);
}

/* -- sets of ids --------------------------------------------------------- */

static void a_set_knows_its_ids_until_their_time(void **state)
{
    enum { IDS = 5000 };
    fixture *t = *state;
    struct id_set *set = id_set_create();
    const char **ids = arena_array(t->arena, IDS, sizeof *ids);
    for (int i = 0; i < IDS; i++) {
        ids[i] = uuid_create(t->arena);
        assert_true(id_set_add(set, ids[i], 100 + i, 1));
        assert_false(id_set_add(set, ids[i], 100 + i, 1));
    }
    for (int i = 0; i < IDS; i++) {
        assert_true(id_set_has(set, ids[i], 99 + i));
        assert_false(id_set_has(set, ids[i], 100 + i));
    }
    assert_false(id_set_has(set, uuid_create(t->arena), 1));
    id_set_remove(set, ids[7]);
    assert_false(id_set_has(set, ids[7], 1));
    assert_true(id_set_has(set, ids[8], 1));
    id_set_destroy(set);
}

static void a_set_does_not_grow_with_what_it_forgot(void **state)
{
    fixture *t = *state;
    struct id_set *set = id_set_create();
    for (int64_t now = 1; now < 50000; now++) {
        id_set_add(set, uuid_create(t->arena), now + 10, now);
        if (now % 1000 == 0)
            arena_reset(t->arena);
    }
    assert_true(id_set_count(set) < 128);
    id_set_destroy(set);
}

static void what_is_no_uuid_is_in_no_set(void **state)
{
    (void)state;
    struct id_set *set = id_set_create();
    assert_false(id_set_add(set, "", 100, 1));
    assert_false(id_set_add(set, "x", 100, 1));
    assert_false(
        id_set_add(set, "01890000-0000-7000-8000-00000000000g", 100, 1));
    assert_false(id_set_has(set, "", 1));
    id_set_destroy(set);
}

static void a_uuid_is_of_version_7_and_sorts_by_time(void **state)
{
    fixture *t = *state;
    const char *first = uuid_create(t->arena);
    clock_shift_monotonic(5000);
    const char *second = uuid_create(t->arena);
    uint8_t bytes[UUID_BYTES];
    assert_true(uuid_parse(first, bytes));
    assert_int_equal(bytes[6] >> 4, 7);
    assert_int_equal(bytes[8] >> 6, 2);
    assert_string_equal(uuid_text(t->arena, bytes), first);
    assert_true(strcmp(first, second) < 0);
}

static void ids_sort_by_age_when_the_clock_is_put_back(void **state)
{
    fixture *t = *state;
    clock_shift_wall(3600 * INT64_C(1000000));
    const char *ahead = uuid_create(t->arena);
    clock_shift_wall(-3600 * INT64_C(1000000));
    clock_shift_monotonic(10000);
    const char *later = uuid_create(t->arena);
    clock_shift_wall(0);
    assert_true(strcmp(ahead, later) < 0);
}

/* A client may send headers at once and the body later. */
static void a_session_that_ends_before_the_body_comes_runs_nothing(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const struct rpc_header headers[] = {
        {"authorization", arena_printf(t->arena, "Bearer %s", who.token)}, {0}};
    GetMeRequest request = GET_ME_REQUEST_INIT;
    LogoutRequest logout = LOGOUT_REQUEST_INIT;
    struct rpc_local *slow = rpc_local_open(t->server, GET_ME, headers);
    run_for(t, 50);
    assert_true(rpc_local_is_open(slow));
    assert_ok(call_as(t, &who, LOGOUT, &logout));
    rpc_local_send(slow, &request);
    rpc_local_close_send(slow);
    assert_reason(rpc_local_reply(slow), RPC_UNAUTHENTICATED, "TOKEN_INVALID");
    rpc_local_free(slow);
}

/* -- addresses ----------------------------------------------------------- */

static void addresses_are_read_out_of_peers(void **state)
{
    (void)state;
    static const struct {
        const char *peer, *address, *network;
    } rows[] = {
        {"127.0.0.1:4711", "127.0.0.1", "127.0.0.1"},
        {"192.0.2.7", "192.0.2.7", "192.0.2.7"},
        {"[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2:3:4:5:6",
         "2001:db8:1:2::"},
        {"[::ffff:192.0.2.7]:1", "::ffff:192.0.2.7", "::ffff:192.0.2.7"},
        {"local", "", "local"},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[PEER_TEXT_BYTES];
        peer_address(rows[i].peer, text);
        assert_string_equal(text, rows[i].address);
        peer_network(rows[i].peer, text);
        assert_string_equal(text, rows[i].network);
    }
}

static void the_gate_counts_networks_and_forgets(void **state)
{
    (void)state;
    struct failure_gate *gate = failure_gate_create();
    for (int i = 0; i <= FAILURE_GATE_BURST; i++) {
        assert_false(failure_gate_is_shut(gate, "[2001:db8::1]:1", 1000));
        failure_gate_count(gate, "[2001:db8::1]:1", 1000);
    }
    assert_true(failure_gate_is_shut(gate, "[2001:db8::1]:1", 1000));
    assert_true(failure_gate_is_shut(gate, "[2001:db8::2]:9", 1000));
    assert_false(failure_gate_is_shut(gate, "[2001:db8::1]:1", 1000 + 1000000));
    failure_gate_destroy(gate);
}

TEST_MAIN("authenticate", TEST(reasons_tell_a_client_what_to_do),
          TEST(a_bad_token_is_refused_where_none_is_needed),
          TEST(a_cached_token_expires_as_well),
          TEST(a_clock_that_jumps_brings_no_session_back),
          TEST(too_many_bad_tokens_shut_the_gate_but_not_for_known_ones),
          TEST(a_cache_entry_dies_with_its_token_session_or_user),
          TEST(only_a_listed_certificate_is_a_service),
          TEST(a_full_cache_forgets_and_never_confuses),
          TEST(a_set_knows_its_ids_until_their_time),
          TEST(a_set_does_not_grow_with_what_it_forgot),
          TEST(what_is_no_uuid_is_in_no_set),
          TEST(a_uuid_is_of_version_7_and_sorts_by_time),
          TEST(ids_sort_by_age_when_the_clock_is_put_back),
          TEST(a_session_that_ends_before_the_body_comes_runs_nothing),
          TEST(addresses_are_read_out_of_peers),
          TEST(the_gate_counts_networks_and_forgets))
