/* ChangePassword, RequestPasswordReset, ConfirmPasswordReset. */
#include "prbal/v1/auth.rpc.h"
#include "prbal/v1/user.rpc.h"
#include "tests/testkit/mailbox.h"

#include <argon2.h>

#define LOGIN "/prbal.v1.AuthService/Login"
#define CHANGE "/prbal.v1.AuthService/ChangePassword"
#define REQUEST "/prbal.v1.AuthService/RequestPasswordReset"
#define CONFIRM "/prbal.v1.AuthService/ConfirmPasswordReset"
#define GET_ME "/prbal.v1.UserService/GetMe"
#define OLD "trombone-lemon-47"
#define NEW "violin-cherry-58"

static struct person with_password(fixture *t)
{
    struct person who = person(t, USER_TYPE_SEEKER);
    char encoded[128];
    assert_int_equal(argon2id_hash_encoded(1, 64, 1, OLD, strlen(OLD),
                                           "a salt for tests", 16, 32, encoded,
                                           sizeof encoded),
                     ARGON2_OK);
    sql(t, "update account set password_hash = '%s' where user_id = '%s'",
        encoded, who.user_id);
    return who;
}

static struct rpc_reply login(fixture *t, const struct person *who,
                              const char *password)
{
    sql(t, "delete from login_throttle where bucket like 'address%%'");
    LoginRequest req = LOGIN_REQUEST_INIT;
    req.identifier = (char *)who->email;
    req.password = (char *)password;
    return call_as(t, NULL, LOGIN, &req);
}

static struct person signed_in(fixture *t, const struct person *who,
                               const char *password)
{
    struct person again = *who;
    again.token =
        ANSWER(LoginResponse, login(t, who, password))->tokens->access_token;
    return again;
}

static struct rpc_reply get_me(fixture *t, const struct person *who)
{
    GetMeRequest req = GET_ME_REQUEST_INIT;
    return call_as(t, who, GET_ME, &req);
}

static struct rpc_reply change(fixture *t, const struct person *who,
                               const char *old, const char *new,
                               const char *confirm)
{
    ChangePasswordRequest req = CHANGE_PASSWORD_REQUEST_INIT;
    req.old_password = (char *)old;
    req.new_password = (char *)new;
    req.new_password_confirm = (char *)confirm;
    return call_as(t, who, CHANGE, &req);
}

static struct rpc_reply request_reset(fixture *t, const char *email)
{
    RequestPasswordResetRequest req = REQUEST_PASSWORD_RESET_REQUEST_INIT;
    req.email = (char *)email;
    return call_as(t, NULL, REQUEST, &req);
}

static struct rpc_reply confirm(fixture *t, const char *email, const char *code,
                                const char *password)
{
    ConfirmPasswordResetRequest req = CONFIRM_PASSWORD_RESET_REQUEST_INIT;
    req.email = (char *)email;
    req.code = (char *)code;
    req.new_password = (char *)password;
    return call_as(t, NULL, CONFIRM, &req);
}

/* -- ChangePassword ------------------------------------------------------ */

static void a_change_ends_all_other_sessions(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    struct person phone = signed_in(t, &who, OLD);
    struct person laptop = signed_in(t, &who, OLD);
    assert_ok(get_me(t, &phone));
    const ChangePasswordResponse *res =
        ANSWER(ChangePasswordResponse, change(t, &laptop, OLD, NEW, NEW));
    assert_int_equal(res->revoked_session_count, 2);
    assert_code(get_me(t, &phone), RPC_UNAUTHENTICATED);
    assert_code(get_me(t, &who), RPC_UNAUTHENTICATED);
    assert_ok(get_me(t, &laptop));
    assert_code(login(t, &who, OLD), RPC_UNAUTHENTICATED);
    assert_ok(login(t, &who, NEW));
    assert_non_null(strstr(mail_to(t, who.email, 1), "was changed"));
}

static void the_old_password_is_needed(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    assert_field_violation(change(t, &who, "not this one 1", NEW, NEW),
                           "old_password");
    assert_field_violation(change(t, &who, "", NEW, NEW), "old_password");
    assert_ok(login(t, &who, OLD));
}

static void a_new_password_keeps_the_rules(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    sql(t, "update account set first_name = 'Gwendolyn' where user_id = '%s'",
        who.user_id);
    assert_field_violation(change(t, &who, OLD, "short1!", ""), "new_password");
    assert_field_violation(change(t, &who, OLD, "password123", ""),
                           "new_password");
    assert_field_violation(change(t, &who, OLD, "gwendolyn1", ""),
                           "new_password");
    assert_field_violation(change(t, &who, OLD, OLD, OLD), "new_password");
    assert_field_violation(change(t, &who, OLD, NEW, "violin-cherry-59"),
                           "new_password_confirm");
    assert_ok(change(t, &who, OLD, NEW, ""));
}

/* A stolen, unlocked phone is no way to find the password out. */
static void guesses_at_the_old_password_are_counted(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    rpc_code last = RPC_OK;
    for (int i = 0; i < 10; i++)
        last = change(t, &who, "not this one 1", NEW, NEW).status.code;
    assert_int_equal(last, RPC_INVALID_ARGUMENT);
    assert_code(login(t, &who, OLD), RPC_RESOURCE_EXHAUSTED);
}

static void an_account_without_a_password_sets_one_by_mail(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    assert_reason(change(t, &who, "", NEW, NEW), RPC_FAILED_PRECONDITION,
                  "NO_PASSWORD");
    assert_ok(request_reset(t, who.email));
    assert_ok(confirm(t, who.email, mailed_code(t, who.email, 1), NEW));
    assert_ok(login(t, &who, NEW));
}

static void a_pending_account_cannot_change_its_password(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    assert_code(change(t, &who, OLD, NEW, NEW), RPC_PERMISSION_DENIED);
}

/* -- reset --------------------------------------------------------------- */

static void a_mailed_code_sets_a_new_password(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    struct person phone = signed_in(t, &who, OLD);
    assert_ok(request_reset(t, who.email));
    const char *code = mailed_code(t, who.email, 1);
    assert_ok(confirm(t, who.email, code, NEW));
    assert_code(get_me(t, &phone), RPC_UNAUTHENTICATED);
    assert_code(login(t, &who, OLD), RPC_UNAUTHENTICATED);
    assert_ok(login(t, &who, NEW));
    assert_reason(confirm(t, who.email, code, "another-one-69"),
                  RPC_INVALID_ARGUMENT, "OTP_WRONG");
    assert_int_equal(number(t,
                            "select count(*) from session where user_id = '%s'"
                            " and revoke_reason = 'PASSWORD_RESET'",
                            who.user_id),
                     2);
}

static void a_weak_password_leaves_the_code_good(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    assert_ok(request_reset(t, who.email));
    const char *code = mailed_code(t, who.email, 1);
    assert_field_violation(confirm(t, who.email, code, "password123"),
                           "new_password");
    assert_ok(confirm(t, who.email, code, NEW));
}

static void five_wrong_codes_end_the_reset(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    assert_ok(request_reset(t, who.email));
    const char *code = mailed_code(t, who.email, 1);
    for (int i = 0; i < 5; i++)
        assert_reason(confirm(t, who.email, other_code(t, code), NEW),
                      RPC_INVALID_ARGUMENT, "OTP_WRONG");
    assert_reason(confirm(t, who.email, code, NEW), RPC_RESOURCE_EXHAUSTED,
                  "OTP_EXHAUSTED");
    assert_ok(login(t, &who, OLD));
}

/* Nobody is locked out by a stranger's guesses. */
static void a_reset_lifts_the_lock(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    for (int i = 0; i < 11; i++)
        login(t, &who, "not this one 1");
    assert_code(login(t, &who, OLD), RPC_RESOURCE_EXHAUSTED);
    assert_ok(request_reset(t, who.email));
    assert_ok(confirm(t, who.email, mailed_code(t, who.email, 1), NEW));
    assert_ok(login(t, &who, NEW));
}

/* Whoever reads the mail has the mailbox. */
static void a_reset_verifies_the_address(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    assert_ok(request_reset(t, who.email));
    assert_ok(confirm(t, who.email, mailed_code(t, who.email, 1), NEW));
    const LoginResponse *res = ANSWER(LoginResponse, login(t, &who, NEW));
    assert_true(res->account->is_email_verified);
    assert_int_equal(res->tokens->scope, TOKEN_SCOPE_FULL);
}

/* Two confirmations of one code: one password is set. */
static void a_code_is_spent_by_one_of_two(void **state)
{
    fixture *t = *state;
    struct person who = with_password(t);
    assert_ok(request_reset(t, who.email));
    ConfirmPasswordResetRequest req = CONFIRM_PASSWORD_RESET_REQUEST_INIT;
    req.email = (char *)who.email;
    req.code = (char *)mailed_code(t, who.email, 1);
    struct rpc_local *calls[2];
    for (int i = 0; i < 2; i++) {
        req.new_password = i == 0 ? "first-of-two-1" : "second-of-two-2";
        calls[i] = rpc_local_open(t->server, CONFIRM, NULL);
        rpc_local_send(calls[i], &req);
        rpc_local_close_send(calls[i]);
    }
    rpc_code codes[2];
    for (int i = 0; i < 2; i++) {
        codes[i] = rpc_local_reply(calls[i]).status.code;
        rpc_local_free(calls[i]);
    }
    assert_true((codes[0] == RPC_OK) != (codes[1] == RPC_OK));
    assert_code(
        login(t, &who,
              codes[0] == RPC_OK ? "second-of-two-2" : "first-of-two-1"),
        RPC_UNAUTHENTICATED);
    assert_ok(login(t, &who,
                    codes[0] == RPC_OK ? "first-of-two-1" : "second-of-two-2"));
}

TEST_MAIN("password", TEST(a_change_ends_all_other_sessions),
          TEST(the_old_password_is_needed),
          TEST(a_new_password_keeps_the_rules),
          TEST(guesses_at_the_old_password_are_counted),
          TEST(an_account_without_a_password_sets_one_by_mail),
          TEST(a_pending_account_cannot_change_its_password),
          TEST(a_mailed_code_sets_a_new_password),
          TEST(a_weak_password_leaves_the_code_good),
          TEST(five_wrong_codes_end_the_reset), TEST(a_reset_lifts_the_lock),
          TEST(a_reset_verifies_the_address),
          TEST(a_code_is_spent_by_one_of_two))
