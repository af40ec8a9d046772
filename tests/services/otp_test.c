/* One-time codes by mail: SendEmailOtp and VerifyEmailOtp. */
#include "prbal/v1/auth.rpc.h"
#include "prbal/v1/user.rpc.h"
#include "services/app.h"
#include "tests/testkit/mailbox.h"

#define SEND "/prbal.v1.AuthService/SendEmailOtp"
#define VERIFY "/prbal.v1.AuthService/VerifyEmailOtp"
#define UPDATE_ME "/prbal.v1.UserService/UpdateMe"

static struct rpc_reply send_code(fixture *t, const char *email)
{
    SendEmailOtpRequest req = SEND_EMAIL_OTP_REQUEST_INIT;
    req.email = (char *)email;
    req.purpose = OTP_PURPOSE_VERIFY_EMAIL;
    return call_as(t, NULL, SEND, &req);
}

static struct rpc_reply verify_as(fixture *t, const struct person *who,
                                  const char *email, const char *code)
{
    VerifyEmailOtpRequest req = VERIFY_EMAIL_OTP_REQUEST_INIT;
    req.email = (char *)email;
    req.code = (char *)code;
    return call_as(t, who, VERIFY, &req);
}

static struct rpc_reply verify(fixture *t, const char *email, const char *code)
{
    return verify_as(t, NULL, email, code);
}

/* Lets all that was sent to an address lie so far back. */
static void age(fixture *t, const char *email, const char *interval)
{
    sql(t,
        "update otp_challenge set created_at = created_at - interval '%s',"
        " expires_at = expires_at - interval '%s' where destination = '%s'",
        interval, interval, email);
}

static struct person with_code(fixture *t, const char **code)
{
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    assert_ok(send_code(t, who.email));
    *code = mailed_code(t, who.email, 1);
    return who;
}

/* -- the good way -------------------------------------------------------- */

static void a_code_verifies_the_address_and_opens_the_account(void **state)
{
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    const VerifyEmailOtpResponse *res =
        ANSWER(VerifyEmailOtpResponse, verify_as(t, &who, who.email, code));
    assert_true(res->account->is_email_verified);
    assert_int_equal(res->account->account_status, ACCOUNT_STATUS_ACTIVE);
    assert_int_equal(res->tokens->scope, TOKEN_SCOPE_FULL);
    assert_string_equal(res->tokens->refresh_token, "");

    struct person now = {.token = res->tokens->access_token};
    UpdateMeRequest req = UPDATE_ME_REQUEST_INIT;
    assert_ok(call_as(t, &now, UPDATE_ME, &req));
    assert_int_equal(number(t,
                            "select count(*) from audit_log where action ="
                            " 'user.email_verified' and object_id = '%s'",
                            who.user_id),
                     1);
    assert_int_equal(number(t,
                            "select count(*) from notification where"
                            " recipient_id = '%s'",
                            who.user_id),
                     1);
    assert_non_null(strstr(mail_to(t, who.email, 2), "Welcome"));
}

static void without_a_token_nobody_gets_tokens(void **state)
{
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    struct person other = person(t, USER_TYPE_SEEKER);
    const VerifyEmailOtpResponse *res =
        ANSWER(VerifyEmailOtpResponse, verify_as(t, &other, who.email, code));
    assert_string_equal(res->account->user_id, who.user_id);
    assert_null(res->tokens);
}

static void a_code_is_good_for_ten_minutes(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    const SendEmailOtpResponse *res =
        ANSWER(SendEmailOtpResponse, send_code(t, who.email));
    assert_int_equal(res->expire_time->seconds - res->resend_time->seconds,
                     540);
    const char *code = mailed_code(t, who.email, 1);
    age(t, who.email, "601 seconds");
    assert_reason(verify(t, who.email, code), RPC_INVALID_ARGUMENT,
                  "OTP_WRONG");
    age(t, who.email, "-2 seconds");
    assert_ok(verify(t, who.email, code));
}

static void the_database_does_not_know_the_code(void **state)
{
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    assert_int_equal(
        number(t,
               "select count(*) from otp_challenge where destination = '%s'"
               " and octet_length(code_hash) = 32 and code_hash <>"
               " sha256('%s'::bytea) and code_hash <>"
               " sha256((challenge_id || ' %s')::bytea)",
               who.email, code, code),
        1);
}

/* -- the bad ways -------------------------------------------------------- */

static void a_code_works_once(void **state)
{
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    assert_ok(verify(t, who.email, code));
    assert_reason(verify(t, who.email, code), RPC_INVALID_ARGUMENT,
                  "OTP_WRONG");
}

static void five_wrong_codes_are_the_last(void **state)
{
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    const char *wrong = other_code(t, code);
    for (int i = 0; i < 5; i++) {
        struct rpc_reply reply = verify(t, who.email, wrong);
        assert_reason(reply, RPC_INVALID_ARGUMENT, "OTP_WRONG");
        assert_field_violation(reply, "code");
    }
    assert_reason(verify(t, who.email, code), RPC_RESOURCE_EXHAUSTED,
                  "OTP_EXHAUSTED");
    assert_int_equal(number(t,
                            "select attempts from otp_challenge where"
                            " destination = '%s'",
                            who.email),
                     5);
}

/* However they are sent: the count is made before the code is looked at. */
static void parallel_guesses_are_five_as_well(void **state)
{
    enum { GUESSES = 25 };
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    VerifyEmailOtpRequest req = VERIFY_EMAIL_OTP_REQUEST_INIT;
    req.email = (char *)who.email;
    req.code = (char *)other_code(t, code);
    struct rpc_local *calls[GUESSES];
    for (int i = 0; i < GUESSES; i++) {
        calls[i] = rpc_local_open(t->server, VERIFY, NULL);
        rpc_local_send(calls[i], &req);
        rpc_local_close_send(calls[i]);
    }
    int wrong = 0, exhausted = 0;
    for (int i = 0; i < GUESSES; i++) {
        rpc_code answer = rpc_local_reply(calls[i]).status.code;
        wrong += answer == RPC_INVALID_ARGUMENT;
        exhausted += answer == RPC_RESOURCE_EXHAUSTED;
        rpc_local_free(calls[i]);
    }
    assert_int_equal(wrong, 5);
    assert_int_equal(exhausted, GUESSES - 5);
    assert_code(verify(t, who.email, code), RPC_RESOURCE_EXHAUSTED);
}

static void a_new_code_takes_the_place_of_the_old_one(void **state)
{
    fixture *t = *state;
    const char *first;
    struct person who = with_code(t, &first);
    age(t, who.email, "61 seconds");
    assert_ok(send_code(t, who.email));
    const char *second = mailed_code(t, who.email, 2);
    if (strcmp(first, second) != 0)
        assert_reason(verify(t, who.email, first), RPC_INVALID_ARGUMENT,
                      "OTP_WRONG");
    assert_ok(verify(t, who.email, second));
}

static void a_new_code_has_five_tries_of_its_own(void **state)
{
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    for (int i = 0; i < 5; i++)
        verify(t, who.email, other_code(t, code));
    age(t, who.email, "61 seconds");
    assert_ok(send_code(t, who.email));
    assert_ok(verify(t, who.email, mailed_code(t, who.email, 2)));
}

static void a_code_for_another_purpose_does_not_verify(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    SendEmailOtpRequest req = SEND_EMAIL_OTP_REQUEST_INIT;
    req.email = (char *)who.email;
    req.purpose = OTP_PURPOSE_PASSWORD_RESET;
    assert_ok(call_as(t, NULL, SEND, &req));
    assert_reason(verify(t, who.email, mailed_code(t, who.email, 1)),
                  RPC_INVALID_ARGUMENT, "OTP_WRONG");
}

static void a_code_for_another_address_does_not_verify(void **state)
{
    fixture *t = *state;
    const char *code;
    with_code(t, &code);
    struct person other = pending_person(t, USER_TYPE_SEEKER);
    assert_reason(verify(t, other.email, code), RPC_INVALID_ARGUMENT,
                  "OTP_WRONG");
}

static void what_is_no_code_is_not_looked_up(void **state)
{
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    static const char *const shapes[] = {"", "12345", "1234567", "12 456",
                                         "abcdef"};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        assert_field_violation(verify(t, who.email, shapes[i]), "code");
    assert_int_equal(number(t,
                            "select attempts from otp_challenge where"
                            " destination = '%s'",
                            who.email),
                     0);
}

/* -- how often ----------------------------------------------------------- */

static void a_minute_lies_between_two_codes(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    assert_ok(send_code(t, who.email));
    assert_code(send_code(t, who.email), RPC_RESOURCE_EXHAUSTED);
    age(t, who.email, "58 seconds");
    assert_code(send_code(t, who.email), RPC_RESOURCE_EXHAUSTED);
    age(t, who.email, "3 seconds");
    assert_ok(send_code(t, who.email));
}

static void five_codes_go_out_in_an_hour(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    for (int i = 0; i < 5; i++) {
        assert_ok(send_code(t, who.email));
        age(t, who.email, "10 minutes");
    }
    assert_code(send_code(t, who.email), RPC_RESOURCE_EXHAUSTED);
    age(t, who.email, "9 minutes");
    assert_code(send_code(t, who.email), RPC_RESOURCE_EXHAUSTED);
    age(t, who.email, "61 seconds");
    assert_ok(send_code(t, who.email));
    assert_int_equal(number(t,
                            "select count(*) from otp_challenge where"
                            " destination = '%s'",
                            who.email),
                     6);
}

static void parallel_requests_send_one_code(void **state)
{
    enum { REQUESTS = 12 };
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    SendEmailOtpRequest req = SEND_EMAIL_OTP_REQUEST_INIT;
    req.email = (char *)who.email;
    req.purpose = OTP_PURPOSE_VERIFY_EMAIL;
    struct rpc_local *calls[REQUESTS];
    for (int i = 0; i < REQUESTS; i++) {
        calls[i] = rpc_local_open(t->server, SEND, NULL);
        rpc_local_send(calls[i], &req);
        rpc_local_close_send(calls[i]);
    }
    int sent = 0;
    for (int i = 0; i < REQUESTS; i++) {
        sent += rpc_local_reply(calls[i]).status.code == RPC_OK;
        rpc_local_free(calls[i]);
    }
    assert_int_equal(sent, 1);
    assert_int_equal(number(t,
                            "select count(*) from otp_challenge where"
                            " destination = '%s'",
                            who.email),
                     1);
}

/* -- what is told -------------------------------------------------------- */

static void an_unknown_address_is_told(void **state)
{
    fixture *t = *state;
    assert_code(send_code(t, "nobody@example.org"), RPC_NOT_FOUND);
    struct person who = person(t, USER_TYPE_SEEKER);
    assert_reason(send_code(t, who.email), RPC_FAILED_PRECONDITION,
                  "ALREADY_VERIFIED");
}

static void a_site_may_hide_which_accounts_there_are(void **state)
{
    fixture *t = *state;
    char error[128];
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    app_config_set("hide_unknown_accounts", "true", error, sizeof error);
    struct rpc_reply unknown = send_code(t, "shadow@example.org");
    struct rpc_reply unknown_again = send_code(t, "shadow@example.org");
    struct rpc_reply guess = verify(t, "shadow@example.org", "000000");
    struct rpc_reply known = send_code(t, who.email);
    struct rpc_reply known_again = send_code(t, who.email);
    app_config_set("hide_unknown_accounts", "false", error, sizeof error);

    assert_ok(known);
    assert_ok(unknown);
    assert_code(known_again, RPC_RESOURCE_EXHAUSTED);
    assert_code(unknown_again, RPC_RESOURCE_EXHAUSTED);
    assert_reason(guess, RPC_INVALID_ARGUMENT, "OTP_WRONG");
    mailed_code(t, who.email, 1);
    assert_int_equal(mail_count(t, "shadow@example.org"), 0);
}

static void a_closed_account_gets_no_codes(void **state)
{
    fixture *t = *state;
    const char *code;
    struct person who = with_code(t, &code);
    sql(t,
        "update account set account_status = 'SUSPENDED' where user_id = '%s'",
        who.user_id);
    assert_code(send_code(t, who.email), RPC_NOT_FOUND);
    assert_code(verify(t, who.email, code), RPC_NOT_FOUND);
    assert_int_equal(number(t,
                            "select count(*) from account where user_id = '%s'"
                            " and account_status = 'SUSPENDED'",
                            who.user_id),
                     1);
}

TEST_MAIN("otp", TEST(a_code_verifies_the_address_and_opens_the_account),
          TEST(without_a_token_nobody_gets_tokens),
          TEST(a_code_is_good_for_ten_minutes),
          TEST(the_database_does_not_know_the_code), TEST(a_code_works_once),
          TEST(five_wrong_codes_are_the_last),
          TEST(parallel_guesses_are_five_as_well),
          TEST(a_new_code_takes_the_place_of_the_old_one),
          TEST(a_new_code_has_five_tries_of_its_own),
          TEST(a_code_for_another_purpose_does_not_verify),
          TEST(a_code_for_another_address_does_not_verify),
          TEST(what_is_no_code_is_not_looked_up),
          TEST(a_minute_lies_between_two_codes),
          TEST(five_codes_go_out_in_an_hour),
          TEST(parallel_requests_send_one_code),
          TEST(an_unknown_address_is_told),
          TEST(a_site_may_hide_which_accounts_there_are),
          TEST(a_closed_account_gets_no_codes))
