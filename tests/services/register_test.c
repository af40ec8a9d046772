/* Register: who gets an account, and what comes with it. */
#include "prbal/v1/auth.rpc.h"
#include "prbal/v1/user.rpc.h"
#include "services/app.h"
#include "tests/testkit/mailbox.h"

#define REGISTER "/prbal.v1.AuthService/Register"
#define GET_ME "/prbal.v1.UserService/GetMe"
#define UPDATE_ME "/prbal.v1.UserService/UpdateMe"

static RegisterRequest newcomer(fixture *t, UserType type)
{
    static int number;
    RegisterRequest req = REGISTER_REQUEST_INIT;
    req.email = arena_printf(t->arena, "newcomer%d@example.org", ++number);
    req.password = "trombone-lemon-47";
    req.password_confirm = "trombone-lemon-47";
    req.full_name = "Ada Newcomer";
    req.user_type = type;
    return req;
}

static const RegisterResponse *must_register(fixture *t,
                                             const RegisterRequest *req)
{
    return ANSWER(RegisterResponse, call_as(t, NULL, REGISTER, req));
}

static struct person holder(const RegisterResponse *res)
{
    return (struct person){.user_id = res->account->user_id,
                           .token = res->tokens->access_token};
}

static void an_account_comes_with_all_that_belongs_to_it(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_BOTH);
    req.locale = "ar";
    req.timezone = "Africa/Cairo";
    const RegisterResponse *res = must_register(t, &req);
    const char *id = res->account->user_id;

    assert_string_equal(res->account->email, req.email);
    assert_string_equal(res->account->full_name, "Ada Newcomer");
    assert_int_equal(res->account->user_type, USER_TYPE_BOTH);
    assert_int_equal(res->account->provider_kind, PROVIDER_KIND_PROFESSIONAL);
    assert_int_equal(res->account->account_status, ACCOUNT_STATUS_INACTIVE);
    assert_string_equal(res->account->timezone, "Africa/Cairo");
    assert_false(res->account->is_email_verified);
    assert_non_null(res->account->create_time);
    assert_int_equal(
        number(t, "select count(*) from profile where user_id = '%s'", id), 1);
    assert_int_equal(
        number(t, "select count(*) from provider_profile where user_id = '%s'",
               id),
        1);
    assert_string_equal(
        text(t, "select language from user_preference where user_id = '%s'",
             id),
        "ar");
    assert_int_equal(number(t,
                            "select count(*) from audit_log where object_id ="
                            " '%s' and action = 'user.registered'"
                            " and actor_id = '%s'",
                            id, id),
                     1);
}

static void a_seeker_has_no_business(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    req.provider_kind = PROVIDER_KIND_BUSINESS;
    const RegisterResponse *res = must_register(t, &req);
    assert_int_equal(res->account->provider_kind, PROVIDER_KIND_UNSPECIFIED);
    assert_int_equal(number(t,
                            "select count(*) from provider_profile"
                            " where user_id = '%s'",
                            res->account->user_id),
                     0);
}

static void a_new_account_may_only_verify_a_contact(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    const RegisterResponse *res = must_register(t, &req);
    assert_int_equal(res->tokens->scope, TOKEN_SCOPE_PENDING);
    struct person who = holder(res);
    GetMeRequest get = GET_ME_REQUEST_INIT;
    assert_ok(call_as(t, &who, GET_ME, &get));
    UpdateMeRequest update = UPDATE_ME_REQUEST_INIT;
    assert_code(call_as(t, &who, UPDATE_ME, &update), RPC_PERMISSION_DENIED);
}

static void a_site_may_let_new_accounts_work_at_once(void **state)
{
    fixture *t = *state;
    char error[128];
    app_config_set("require_verified_contact", "false", error, sizeof error);
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    const RegisterResponse *res = must_register(t, &req);
    app_config_set("require_verified_contact", "true", error, sizeof error);
    assert_int_equal(res->tokens->scope, TOKEN_SCOPE_FULL);
}

static void only_hashes_are_stored(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    const RegisterResponse *res = must_register(t, &req);
    const char *id = res->account->user_id;
    const char *hash =
        text(t, "select password_hash from account where user_id = '%s'", id);
    assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    assert_int_equal(
        number(t,
               "select count(*) from session where user_id = '%s' and"
               " octet_length(refresh_hash) = 32 and"
               " position('%s' in encode(refresh_hash, 'base64')) = 0",
               id, res->tokens->refresh_token),
        1);
}

static void an_address_has_one_account_in_any_case(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    must_register(t, &req);
    assert_reason(call_as(t, NULL, REGISTER, &req), RPC_ALREADY_EXISTS,
                  "EMAIL_TAKEN");
    char *upper = arena_strdup(t->arena, req.email);
    upper[0] = 'N';
    req.email = upper;
    assert_reason(call_as(t, NULL, REGISTER, &req), RPC_ALREADY_EXISTS,
                  "EMAIL_TAKEN");
    assert_int_equal(
        number(t, "select count(*) from account where email = '%s'", req.email),
        1);
}

static void a_user_name_is_taken_once_in_any_case(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    req.username = "Night.Owl";
    must_register(t, &req);
    RegisterRequest other = newcomer(t, USER_TYPE_SEEKER);
    other.username = "night.owl";
    assert_reason(call_as(t, NULL, REGISTER, &other), RPC_ALREADY_EXISTS,
                  "USERNAME_TAKEN");
}

static void a_user_name_is_made_of_the_address(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    const char *username = must_register(t, &req)->account->username;
    size_t stem = strcspn(req.email, "@");
    assert_memory_equal(username, req.email, stem);
    assert_int_equal(strlen(username), stem + 7);
}

/* Anybody may type any number: only whoever proved it keeps others away. */
static void a_phone_number_is_taken_once_it_is_verified(void **state)
{
    fixture *t = *state;
    RegisterRequest first = newcomer(t, USER_TYPE_SEEKER);
    first.phone = "+213550000001";
    const RegisterResponse *res = must_register(t, &first);
    RegisterRequest second = newcomer(t, USER_TYPE_SEEKER);
    second.phone = first.phone;
    must_register(t, &second);
    sql(t, "update account set is_phone_verified = true where user_id = '%s'",
        res->account->user_id);
    RegisterRequest third = newcomer(t, USER_TYPE_SEEKER);
    third.phone = first.phone;
    assert_reason(call_as(t, NULL, REGISTER, &third), RPC_ALREADY_EXISTS,
                  "PHONE_TAKEN");
}

static void a_phone_number_is_enough(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_PROVIDER);
    req.email = "";
    req.phone = "+213550000002";
    const RegisterResponse *res = must_register(t, &req);
    assert_string_equal(res->account->phone, "+213550000002");
    assert_string_equal(res->account->email, "");
}

static void a_name_is_made_of_its_parts(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    req.full_name = "  ";
    req.first_name = "Ada";
    req.last_name = "Lovelace";
    assert_string_equal(must_register(t, &req)->account->full_name,
                        "Ada Lovelace");
}

static void what_is_wrong_is_told_by_field(void **state)
{
    fixture *t = *state;
    struct {
        const char *field;
        RegisterRequest req;
    } cases[12];
    size_t count = 0;
#define CASE(name, change)                                   \
    do {                                                     \
        RegisterRequest req = newcomer(t, USER_TYPE_SEEKER); \
        change;                                              \
        cases[count].field = name;                           \
        cases[count++].req = req;                            \
    } while (0)
    CASE("email", req.email = "not-an-address");
    CASE("email", req.email = "");
    CASE("phone", req.phone = "0550123456");
    CASE("username", req.username = "two words");
    CASE("password", req.password = req.password_confirm = "short1!");
    CASE("password", req.password = req.password_confirm = "password123");
    CASE("password", req.password = req.password_confirm = "84927461038");
    CASE("password", req.password = req.password_confirm = "ada newcomer");
    CASE("password_confirm", req.password_confirm = "trombone-lemon-48");
    CASE("full_name", req.full_name = " ");
    CASE("user_type", req.user_type = USER_TYPE_ADMIN);
    CASE("website", req.website = "https://spam.example");
#undef CASE
    for (size_t i = 0; i < count; i++)
        assert_field_violation(call_as(t, NULL, REGISTER, &cases[i].req),
                               cases[i].field);
}

static void all_that_is_wrong_is_told_at_once(void **state)
{
    fixture *t = *state;
    RegisterRequest req = newcomer(t, USER_TYPE_ADMIN);
    req.full_name = "";
    req.password = "short";
    struct rpc_reply reply = call_as(t, NULL, REGISTER, &req);
    assert_field_violation(reply, "user_type");
    assert_field_violation(reply, "full_name");
    assert_field_violation(reply, "password");
    assert_field_violation(reply, "password_confirm");
}

static void a_time_zone_is_one_of_iana(void **state)
{
    fixture *t = *state;
    static const char *const zones[] = {"Mars/Olympus", "XYZ5", "utc+1"};
    for (size_t i = 0; i < 3; i++) {
        RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
        req.timezone = (char *)zones[i];
        assert_reason(call_as(t, NULL, REGISTER, &req), RPC_INVALID_ARGUMENT,
                      "TIMEZONE_UNKNOWN");
    }
}

/* Account, profile, preferences and session are one fact. */
static void a_refused_registration_leaves_nothing(void **state)
{
    fixture *t = *state;
    int64_t accounts = number(t, "select count(*) from account");
    int64_t sessions = number(t, "select count(*) from session");
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    req.timezone = "Mars/Olympus";
    assert_code(call_as(t, NULL, REGISTER, &req), RPC_INVALID_ARGUMENT);
    assert_int_equal(number(t, "select count(*) from account"), accounts);
    assert_int_equal(number(t, "select count(*) from session"), sessions);
    assert_int_equal(mail_count(t, req.email), 0);
}

static void a_code_is_mailed_when_it_is_asked_for(void **state)
{
    fixture *t = *state;
    RegisterRequest silent = newcomer(t, USER_TYPE_SEEKER);
    must_register(t, &silent);
    RegisterRequest req = newcomer(t, USER_TYPE_SEEKER);
    req.verification = VERIFICATION_EMAIL_OTP;
    must_register(t, &req);
    assert_int_equal(strlen(mailed_code(t, req.email, 1)), 6);
    assert_int_equal(mail_count(t, silent.email), 0);
}

TEST_MAIN("register", TEST(an_account_comes_with_all_that_belongs_to_it),
          TEST(a_seeker_has_no_business),
          TEST(a_new_account_may_only_verify_a_contact),
          TEST(a_site_may_let_new_accounts_work_at_once),
          TEST(only_hashes_are_stored),
          TEST(an_address_has_one_account_in_any_case),
          TEST(a_user_name_is_taken_once_in_any_case),
          TEST(a_user_name_is_made_of_the_address),
          TEST(a_phone_number_is_taken_once_it_is_verified),
          TEST(a_phone_number_is_enough), TEST(a_name_is_made_of_its_parts),
          TEST(what_is_wrong_is_told_by_field),
          TEST(all_that_is_wrong_is_told_at_once),
          TEST(a_time_zone_is_one_of_iana),
          TEST(a_refused_registration_leaves_nothing),
          TEST(a_code_is_mailed_when_it_is_asked_for))
