/* Login: which names and passwords open an account, and how often one may
 * try. */
#include "prbal/v1/auth.rpc.h"
#include "prbal/v1/user.rpc.h"
#include "rpc/clock.h"
#include "tests/testkit/testkit.h"

#include <argon2.h>
#include <openssl/evp.h>

#define LOGIN "/prbal.v1.AuthService/Login"
#define GET_ME "/prbal.v1.UserService/GetMe"
#define PASSWORD "trombone-lemon-47"

/* Cheaper than the server's own, so that it is seen to be outdated. */
static const char *cheap_hash(fixture *t, const char *password)
{
    char encoded[128];
    assert_int_equal(argon2id_hash_encoded(1, 64, 1, password, strlen(password),
                                           "a salt for tests", 16, 32, encoded,
                                           sizeof encoded),
                     ARGON2_OK);
    return arena_strdup(t->arena, encoded);
}

static const char *django_hash(fixture *t, const char *password)
{
    uint8_t digest[32];
    char encoded[48];
    assert_int_equal(PKCS5_PBKDF2_HMAC(password, (int)strlen(password),
                                       (const uint8_t *)"NaCl", 4, 1000,
                                       EVP_sha256(), 32, digest),
                     1);
    EVP_EncodeBlock((uint8_t *)encoded, digest, 32);
    return arena_printf(t->arena, "pbkdf2_sha256$1000$NaCl$%s", encoded);
}

static struct person with_hash(fixture *t, const char *hash)
{
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t,
        "update account set password_hash = '%s', username = 'user%d'"
        " where user_id = '%s'",
        hash, t->people, who.user_id);
    return who;
}

static struct person with_password(fixture *t)
{
    return with_hash(t, cheap_hash(t, PASSWORD));
}

static struct rpc_reply login(fixture *t, const char *identifier,
                              const char *password)
{
    LoginRequest req = LOGIN_REQUEST_INIT;
    req.identifier = (char *)identifier;
    req.password = (char *)password;
    return call_as(t, NULL, LOGIN, &req);
}

/* The tests share one address. */
static void forget_address(fixture *t)
{
    sql(t, "delete from login_throttle where bucket like 'address%%'");
}

static int before(void **state)
{
    forget_address(*state);
    return 0;
}

/* -- names and passwords ------------------------------------------------- */

static void an_address_and_a_user_name_open_in_any_case(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    const LoginResponse *res =
        ANSWER(LoginResponse, login(t, who.email, PASSWORD));
    assert_string_equal(res->account->user_id, who.user_id);
    assert_int_equal(res->tokens->scope, TOKEN_SCOPE_FULL);
    char *upper = arena_strdup(t->arena, who.email);
    upper[0] = 'P';
    assert_ok(login(t, upper, PASSWORD));
    assert_ok(login(t, arena_printf(t->arena, "USER%d", t->people), PASSWORD));
}

static void a_phone_number_opens_once_it_is_verified(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    sql(t, "update account set phone = '+15550001111' where user_id = '%s'",
        who.user_id);
    assert_reason(login(t, "+15550001111", PASSWORD), RPC_UNAUTHENTICATED,
                  "BAD_CREDENTIALS");
    sql(t, "update account set is_phone_verified = true where user_id = '%s'",
        who.user_id);
    assert_ok(login(t, "+15550001111", PASSWORD));
}

static void the_tokens_open_the_account(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    const LoginResponse *res =
        ANSWER(LoginResponse, login(t, who.email, PASSWORD));
    struct person again = {.token = res->tokens->access_token};
    GetMeRequest req = GET_ME_REQUEST_INIT;
    const GetMeResponse *me =
        ANSWER(GetMeResponse, call_as(t, &again, GET_ME, &req));
    assert_string_equal(me->account->user_id, who.user_id);
    assert_non_null(me->account->last_login_time);
}

/* The answer must not tell which of them is wrong. */
static void a_wrong_password_and_an_unknown_name_are_told_alike(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    struct rpc_reply wrong = login(t, who.email, "trombone-lemon-48");
    struct rpc_reply unknown = login(t, "nobody@example.org", PASSWORD);
    assert_reason(wrong, RPC_UNAUTHENTICATED, "BAD_CREDENTIALS");
    assert_reason(unknown, RPC_UNAUTHENTICATED, "BAD_CREDENTIALS");
    assert_string_equal(wrong.status.message, unknown.status.message);
    assert_int_equal(wrong.details_size, unknown.details_size);
    assert_memory_equal(wrong.details, unknown.details, wrong.details_size);
}

static int64_t time_login(fixture *t, const char *identifier)
{
    sql(t, "delete from login_throttle");
    int64_t start_us = clock_monotonic_us();
    assert_code(login(t, identifier, "not this one 1"), RPC_UNAUTHENTICATED);
    return clock_monotonic_us() - start_us;
}

/* Both spend a whole Argon2id: a hash that could not be read would be refused
 * a hundred times faster.  The quickest of some tries is compared, side by
 * side. */
static void an_unknown_name_takes_as_long_as_a_wrong_password(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    assert_ok(login(t, who.email, PASSWORD)); /* stores a full-price hash */
    int64_t wrong_us = INT64_MAX, unknown_us = INT64_MAX;
    for (int i = 0; i < 4; i++) {
        int64_t us = time_login(t, who.email);
        wrong_us = us < wrong_us ? us : wrong_us;
        us = time_login(t, "nobody@example.org");
        unknown_us = us < unknown_us ? us : unknown_us;
    }
    assert_true(unknown_us > wrong_us / 3);
    assert_true(wrong_us > unknown_us / 3);
}

static void an_account_without_a_password_cannot_be_opened_by_one(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    assert_reason(login(t, who.email, PASSWORD), RPC_UNAUTHENTICATED,
                  "BAD_CREDENTIALS");
}

static void an_unverified_account_gets_pending_tokens(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    sql(t,
        "update account set account_status = 'INACTIVE' where user_id = '%s'",
        who.user_id);
    const LoginResponse *res =
        ANSWER(LoginResponse, login(t, who.email, PASSWORD));
    assert_int_equal(res->tokens->scope, TOKEN_SCOPE_PENDING);
}

static void a_closed_account_says_so_only_to_its_owner(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    sql(t,
        "update account set account_status = 'SUSPENDED' where user_id = '%s'",
        who.user_id);
    assert_reason(login(t, who.email, PASSWORD), RPC_PERMISSION_DENIED,
                  "ACCOUNT_SUSPENDED");
    assert_reason(login(t, who.email, "wrong-password-1"), RPC_UNAUTHENTICATED,
                  "BAD_CREDENTIALS");
    sql(t, "update account set account_status = 'DELETED' where user_id = '%s'",
        who.user_id);
    assert_reason(login(t, who.email, PASSWORD), RPC_UNAUTHENTICATED,
                  "BAD_CREDENTIALS");
}

static void a_session_remembers_its_device(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    Device device = DEVICE_INIT;
    device.device_name = "Pixel 9";
    device.platform = "android";
    device.app_version = "3.1";
    LoginRequest req = LOGIN_REQUEST_INIT;
    req.identifier = (char *)who.email;
    req.password = PASSWORD;
    req.device = &device;
    assert_ok(call_as(t, NULL, LOGIN, &req));
    assert_int_equal(
        number(t,
               "select count(*) from session where user_id = '%s' and"
               " device_name = 'Pixel 9' and platform = 'android' and"
               " app_version = '3.1'",
               who.user_id),
        1);
    assert_int_equal(number(t,
                            "select count(*) from audit_log where actor_id ="
                            " '%s' and action = 'auth.login'",
                            who.user_id),
                     1);
}

static void sessions_are_bounded_and_the_oldest_ends(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    sql(t,
        "insert into session (user_id, refresh_hash, expires_at, last_used_at)"
        " select '%s', sha256(i::text::bytea), now() + interval '1 day',"
        " now() - i * interval '1 minute' from generate_series(1, 60) i",
        who.user_id);
    assert_ok(login(t, who.email, PASSWORD));
    assert_int_equal(number(t,
                            "select count(*) from session where user_id = '%s'"
                            " and revoked_at is null",
                            who.user_id),
                     50);
    assert_int_equal(number(t,
                            "select count(*) from session where user_id = '%s'"
                            " and revoke_reason = 'TOO_MANY' and last_used_at >"
                            " now() - interval '48 minutes'",
                            who.user_id),
                     0);
}

/* -- how passwords are kept ---------------------------------------------- */

static void assert_hash_is_ours(fixture *t, const struct person *who)
{
    const char *hash =
        text(t, "select password_hash from account where user_id = '%s'",
             who->user_id);
    assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
}

static void a_hash_of_django_opens_and_is_replaced(void **state)
{
    fixture *t = *state;
    struct person who = with_hash(t, django_hash(t, PASSWORD));
    assert_code(login(t, who.email, "not this one 1"), RPC_UNAUTHENTICATED);
    assert_ok(login(t, who.email, PASSWORD));
    assert_hash_is_ours(t, &who);
    assert_ok(login(t, who.email, PASSWORD));
    assert_code(login(t, who.email, "not this one 1"), RPC_UNAUTHENTICATED);
}

static void a_hash_with_other_costs_is_replaced(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    assert_ok(login(t, who.email, PASSWORD));
    assert_hash_is_ours(t, &who);
    assert_ok(login(t, who.email, PASSWORD));
}

static void broken_hashes_open_nothing(void **state)
{
    fixture *t = *state;
    static const char *const hashes[] = {
        "x",
        "$argon2id$v=19$m=19456,t=2,p=1$$",
        "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA",
        "pbkdf2_sha256$",
        "pbkdf2_sha256$0$salt$AAAA",
        "pbkdf2_sha256$-5$salt$AAAA",
        "pbkdf2_sha256$99999999999$salt$AAAA",
        "pbkdf2_sha256$1000$salt",
        "pbkdf2_sha256$1000$salt$",
    };
    for (size_t i = 0; i < sizeof hashes / sizeof hashes[0]; i++) {
        struct person who = with_hash(t, hashes[i]);
        forget_address(t);
        assert_reason(login(t, who.email, PASSWORD), RPC_UNAUTHENTICATED,
                      "BAD_CREDENTIALS");
    }
}

/* -- how often ----------------------------------------------------------- */

static void ten_failures_lock_the_password_but_nothing_else(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    for (int i = 0; i < 10; i++) {
        forget_address(t);
        assert_code(login(t, who.email, "not this one 1"), RPC_UNAUTHENTICATED);
    }
    /* Not the minute's limit: that is over. */
    sql(t, "update login_throttle set window_started_at = now() - interval"
           " '2 minutes'");
    forget_address(t);
    assert_code(login(t, who.email, PASSWORD), RPC_RESOURCE_EXHAUSTED);
    sql(t, "update login_throttle set window_started_at = now() - interval"
           " '2 minutes'");
    assert_in_range(number(t, "select extract(epoch from locked_until - now())"
                              "::int from login_throttle"
                              " where locked_until is not null"),
                    14 * 60, 15 * 60);

    GetMeRequest req = GET_ME_REQUEST_INIT;
    assert_ok(call_as(t, &who, GET_ME, &req));
    struct person other = with_password(t);
    forget_address(t);
    assert_ok(login(t, other.email, PASSWORD));

    sql(t, "update login_throttle set locked_until = now() - interval"
           " '1 second' where locked_until is not null");
    forget_address(t);
    assert_ok(login(t, who.email, PASSWORD));
}

static void a_right_password_makes_failures_forgotten(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 6; i++) {
            sql(t, "update login_throttle set window_started_at = now() -"
                   " interval '2 minutes'");
            assert_code(login(t, who.email, "not this one 1"),
                        RPC_UNAUTHENTICATED);
        }
        sql(t, "update login_throttle set window_started_at = now() -"
               " interval '2 minutes'");
        assert_ok(login(t, who.email, PASSWORD));
    }
}

static void unknown_names_lock_like_known_ones(void **state)
{
    fixture *t = *state;
    for (int i = 0; i < 10; i++) {
        forget_address(t);
        assert_code(login(t, "ghost@example.org", PASSWORD),
                    RPC_UNAUTHENTICATED);
    }
    forget_address(t);
    assert_code(login(t, "GHOST@example.org", PASSWORD),
                RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(number(t, "select count(*) from login_throttle where"
                               " bucket ilike '%%ghost%%'"),
                     0);
}

static void one_address_tries_ten_times_a_minute(void **state)
{
    fixture *t = *state;
    for (int i = 0; i < 10; i++)
        assert_code(login(t, arena_printf(t->arena, "victim%d", i), PASSWORD),
                    RPC_UNAUTHENTICATED);
    struct person who = with_password(t);
    assert_code(login(t, who.email, PASSWORD), RPC_RESOURCE_EXHAUSTED);
    sql(t, "update login_throttle set window_started_at = now() - interval"
           " '61 seconds'");
    assert_ok(login(t, who.email, PASSWORD));
}

/* Guesses made side by side are no more than guesses one after the other. */
static void parallel_guesses_are_counted_before_they_are_looked_at(void **state)
{
    enum { GUESSES = 30 };
    fixture *t = *state;
    struct person who = with_password(t);
    LoginRequest req = LOGIN_REQUEST_INIT;
    req.identifier = (char *)who.email;
    req.password = "not this one 1";
    struct rpc_local *calls[GUESSES];
    for (int i = 0; i < GUESSES; i++) {
        calls[i] = rpc_local_open(t->server, LOGIN, NULL);
        rpc_local_send(calls[i], &req);
        rpc_local_close_send(calls[i]);
    }
    int looked_at = 0, refused = 0;
    for (int i = 0; i < GUESSES; i++) {
        rpc_code code = rpc_local_reply(calls[i]).status.code;
        looked_at += code == RPC_UNAUTHENTICATED;
        refused += code == RPC_RESOURCE_EXHAUSTED;
        rpc_local_free(calls[i]);
    }
    assert_int_equal(looked_at, 10);
    assert_int_equal(refused, GUESSES - 10);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, before, kit_after)

TEST_MAIN("login", CASE(an_address_and_a_user_name_open_in_any_case),
          CASE(a_phone_number_opens_once_it_is_verified),
          CASE(the_tokens_open_the_account),
          CASE(a_wrong_password_and_an_unknown_name_are_told_alike),
          CASE(an_unknown_name_takes_as_long_as_a_wrong_password),
          CASE(an_account_without_a_password_cannot_be_opened_by_one),
          CASE(an_unverified_account_gets_pending_tokens),
          CASE(a_closed_account_says_so_only_to_its_owner),
          CASE(a_session_remembers_its_device),
          CASE(sessions_are_bounded_and_the_oldest_ends),
          CASE(a_hash_of_django_opens_and_is_replaced),
          CASE(a_hash_with_other_costs_is_replaced),
          CASE(broken_hashes_open_nothing),
          CASE(ten_failures_lock_the_password_but_nothing_else),
          CASE(a_right_password_makes_failures_forgotten),
          CASE(unknown_names_lock_like_known_ones),
          CASE(one_address_tries_ten_times_a_minute),
          CASE(parallel_guesses_are_counted_before_they_are_looked_at))
