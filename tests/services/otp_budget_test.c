/* What strangers can make the installation send. */
#include "prbal/v1/auth.rpc.h"
#include "services/app.h"
#include "tests/testkit/mailbox.h"

#define SEND "/prbal.v1.AuthService/SendEmailOtp"
#define REGISTER "/prbal.v1.AuthService/Register"

/* Begins with empty budgets of this size; ends with those of the settings. */
static void set(const char *name, const char *value)
{
    char error[128];
    assert_true(app_config_set(name, value, error, sizeof error));
}

static void begin(fixture *t, const char *network, const char *total)
{
    sql(t, "delete from otp_budget");
    set("otp_network_per_hour", network);
    set("otp_total_per_hour", total);
}

static void end(void)
{
    set("otp_network_per_hour", "100");
    set("otp_total_per_hour", "2000");
    set("hide_unknown_accounts", "false");
}

static SendEmailOtpRequest request_to(const char *email)
{
    SendEmailOtpRequest req = SEND_EMAIL_OTP_REQUEST_INIT;
    req.email = (char *)email;
    req.purpose = OTP_PURPOSE_PASSWORD_RESET;
    return req;
}

static struct rpc_reply send_to(fixture *t, const char *email)
{
    SendEmailOtpRequest req = request_to(email);
    return call_as(t, NULL, SEND, &req);
}

static struct rpc_reply send_to_anybody(fixture *t)
{
    return send_to(t, person(t, USER_TYPE_SEEKER).email);
}

static int64_t sent(fixture *t, const char *bucket)
{
    return number(
        t, "select coalesce(sum(sent), 0) from otp_budget where bucket = '%s'",
        bucket);
}

static void age(fixture *t, int minutes)
{
    sql(t, "update otp_budget set minute = minute - interval '%d minutes'",
        minutes);
}

static void a_network_asks_for_so_many_an_hour(void **state)
{
    fixture *t = *state;
    begin(t, "3", "2000");
    for (int i = 0; i < 3; i++)
        assert_ok(send_to_anybody(t));
    assert_reason(send_to_anybody(t), RPC_RESOURCE_EXHAUSTED, "OTP_BUDGET");
    age(t, 59);
    assert_code(send_to_anybody(t), RPC_RESOURCE_EXHAUSTED);
    age(t, 3);
    assert_ok(send_to_anybody(t));
    end();
}

static void the_total_holds_whoever_asks(void **state)
{
    fixture *t = *state;
    begin(t, "1000000", "4");
    for (int i = 0; i < 4; i++)
        assert_ok(send_to_anybody(t));
    assert_reason(send_to_anybody(t), RPC_RESOURCE_EXHAUSTED, "OTP_BUDGET");
    assert_int_equal(sent(t, "total"), 4);
    age(t, 62);
    assert_ok(send_to_anybody(t));
    end();
}

static void a_total_of_nothing_sends_nothing(void **state)
{
    fixture *t = *state;
    begin(t, "100", "0");
    assert_reason(send_to_anybody(t), RPC_RESOURCE_EXHAUSTED, "OTP_BUDGET");
    end();
}

/* Each asks for somebody else, so that nothing but the total parts them. */
static void parallel_requests_cannot_overdraw_the_total(void **state)
{
    enum { REQUESTS = 16, BUDGET = 5 };
    fixture *t = *state;
    begin(t, "1000000", "5");
    struct rpc_local *calls[REQUESTS];
    struct person people[REQUESTS];
    for (int i = 0; i < REQUESTS; i++)
        people[i] = person(t, USER_TYPE_SEEKER);
    for (int i = 0; i < REQUESTS; i++) {
        SendEmailOtpRequest req = request_to(people[i].email);
        calls[i] = rpc_local_open(t->server, SEND, NULL);
        rpc_local_send(calls[i], &req);
        rpc_local_close_send(calls[i]);
    }
    int ok = 0, refused = 0, mails = 0;
    for (int i = 0; i < REQUESTS; i++) {
        rpc_code answer = rpc_local_reply(calls[i]).status.code;
        ok += answer == RPC_OK;
        refused += answer == RPC_RESOURCE_EXHAUSTED;
        rpc_local_free(calls[i]);
        if (answer == RPC_OK)
            mailed_code(t, people[i].email, 1);
    }
    for (int i = 0; i < REQUESTS; i++)
        mails += mail_count(t, people[i].email);
    assert_int_equal(ok, BUDGET);
    assert_int_equal(refused, REQUESTS - BUDGET);
    assert_int_equal(mails, BUDGET);
    assert_int_equal(sent(t, "total"), BUDGET);
    end();
}

/* Nothing is spent for an address that nobody has, and nobody can tell. */
static void a_used_up_total_does_not_tell_who_is_known(void **state)
{
    fixture *t = *state;
    begin(t, "100", "1");
    set("hide_unknown_accounts", "true");
    assert_ok(send_to(t, "phantom@example.org"));
    assert_int_equal(sent(t, "total"), 0);
    assert_ok(send_to_anybody(t));
    struct rpc_reply known = send_to_anybody(t);
    struct rpc_reply unknown = send_to(t, "phantom2@example.org");
    end();
    assert_reason(known, RPC_RESOURCE_EXHAUSTED, "OTP_BUDGET");
    assert_reason(unknown, RPC_RESOURCE_EXHAUSTED, "OTP_BUDGET");
    assert_string_equal(known.status.message, unknown.status.message);
}

static void an_account_can_be_made_when_the_total_is_used_up(void **state)
{
    fixture *t = *state;
    begin(t, "100", "0");
    RegisterRequest req = REGISTER_REQUEST_INIT;
    req.email = (char *)"late@example.org";
    req.password = (char *)"a quite long passphrase";
    req.full_name = (char *)"Late Comer";
    req.user_type = USER_TYPE_SEEKER;
    req.verification = VERIFICATION_EMAIL_OTP;
    struct rpc_reply reply = call_as(t, NULL, REGISTER, &req);
    end();
    assert_ok(reply);
    assert_int_equal(number(t, "select count(*) from otp_challenge where"
                               " destination = 'late@example.org'"),
                     0);
    /* so that the next code need not wait */
    assert_ok(send_to(t, "late@example.org"));
}

TEST_MAIN("otp_budget", TEST(a_network_asks_for_so_many_an_hour),
          TEST(the_total_holds_whoever_asks),
          TEST(a_total_of_nothing_sends_nothing),
          TEST(parallel_requests_cannot_overdraw_the_total),
          TEST(a_used_up_total_does_not_tell_who_is_known),
          TEST(an_account_can_be_made_when_the_total_is_used_up))
