#include "tests/rpc/here.h"

enum { ROLE_PENDING = 1 << 3, ROLE_ANY = 1 << 4 };

static int asked;

/* Tokens are "user ROLES"; "bad" is no token. */
static rpc_status authenticate(struct rpc_call *call, const char *token)
{
    asked++;
    if (token == NULL)
        return RPC_SUCCESS;
    if (strcmp(token, "bad") == 0)
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_INVALID",
                               "the token is no good");
    char *end;
    call->caller.roles = (uint32_t)strtoul(token, &end, 10);
    call->caller.id = arena_strdup(call->arena, end);
    return RPC_SUCCESS;
}

static const char *const role_names[32] = {[4] = "active accounts"};

static int setup(void **state)
{
    asked = 0;
    *state = here_start((struct rpc_server_options){
        .hooks.authenticate = authenticate, .role_names = role_names});
    return 0;
}

static struct rpc_reply whoami(fixture *t, const char *authorization)
{
    struct rpc_header headers[] = {{"authorization", authorization}, {NULL}};
    WhoamiRequest req = WHOAMI_REQUEST_INIT;
    return here_call(t, TEST_WHOAMI, authorization == NULL ? NULL : headers,
                     &req);
}

static void a_path_must_match_byte_by_byte(void **state)
{
    fixture *t = *state;
    static const char *const paths[] = {
        "",
        "/",
        "prbal.test.TestService/Whoami",
        "//prbal.test.TestService/Whoami",
        "/prbal.test.TestService/Whoami/",
        "/prbal.test.TestService/whoami",
        "/prbal.test.TestService/Whoam",
        "/prbal.test.TestService/Whoami?x=1",
        "/prbal.test.TestService/%57hoami",
        "/prbal.test.TestService/../TestService/Whoami",
    };
    WhoamiRequest req = WHOAMI_REQUEST_INIT;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_code(here_call(t, paths[i], NULL, &req), RPC_UNIMPLEMENTED);
    assert_int_equal(asked, 0);
}

static void who_has_no_token_is_asked_to_sign_in(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = whoami(t, NULL);
    assert_code(reply, RPC_UNAUTHENTICATED);
    assert_string_equal(here_reason(t, reply), "TOKEN_MISSING");
}

static void a_refused_token_is_told_by_the_hooks_own_reason(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = whoami(t, "Bearer bad");
    assert_code(reply, RPC_UNAUTHENTICATED);
    assert_string_equal(here_reason(t, reply), "TOKEN_INVALID");
}

static void another_scheme_than_bearer_is_no_token(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = whoami(t, "Basic 16ana");
    assert_code(reply, RPC_UNAUTHENTICATED);
    assert_string_equal(here_reason(t, reply), "TOKEN_MISSING");
}

static void an_unverified_account_is_told_to_verify(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = whoami(t, "Bearer 8ana");
    assert_code(reply, RPC_PERMISSION_DENIED);
    assert_string_equal(here_reason(t, reply), "ACCOUNT_NOT_VERIFIED");
}

static void a_role_that_is_missing_is_named(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = whoami(t, "Bearer 40ana");
    assert_code(reply, RPC_PERMISSION_DENIED);
    assert_string_equal(here_reason(t, reply), "ROLE_REQUIRED");
    assert_string_equal(reply.status.message,
                        "only active accounts may do this");
}

static void the_right_role_passes(void **state)
{
    fixture *t = *state;
    struct rpc_reply reply = whoami(t, "bearer 24ana");
    assert_code(reply, RPC_OK);
    const WhoamiResponse *res = (const WhoamiResponse *)reply.message;
    assert_string_equal(res->id, "ana");
    assert_int_equal(res->roles, ROLE_PENDING | ROLE_ANY);
}

static void an_open_method_never_asks_who_is_there(void **state)
{
    fixture *t = *state;
    struct rpc_header headers[] = {{"authorization", "Bearer bad"}, {NULL}};
    EchoRequest req = ECHO_REQUEST_INIT;
    assert_code(here_call(t, TEST_ECHO, headers, &req), RPC_OK);
    assert_int_equal(asked, 0);
}

static void a_refusal_reads_no_body(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = rpc_local_open(t->server, TEST_WHOAMI, NULL);
    assert_false(rpc_local_is_open(local));
    assert_code(rpc_local_reply(local), RPC_UNAUTHENTICATED);
    rpc_local_free(local);
}

static void a_deadline_that_has_passed_starts_nothing(void **state)
{
    fixture *t = *state;
    struct rpc_local *local =
        rpc_local_open_with_timeout(t->server, TEST_ECHO, NULL, 0);
    assert_false(rpc_local_is_open(local));
    assert_code(rpc_local_reply(local), RPC_DEADLINE_EXCEEDED);
    rpc_local_free(local);
}

static void the_burst_of_a_bucket_passes_and_then_a_caller_waits(void **state)
{
    fixture *t = *state;
    for (int i = 0; i < 5; i++) {
        struct rpc_reply reply = whoami(t, "Bearer 16ana");
        assert_code(reply, RPC_OK);
        assert_int_equal(
            atoi(here_header(reply.headers, "x-ratelimit-remaining")), 4 - i);
    }
    struct rpc_reply reply = whoami(t, "Bearer 16ana");
    assert_code(reply, RPC_RESOURCE_EXHAUSTED);
    /* 600 a minute: a token comes back every 100 ms. */
    assert_in_range(atoi(here_header(reply.trailers, "grpc-retry-pushback-ms")),
                    1, 100);
    assert_string_equal(here_reason(t, reply), "RATE_LIMITED");
    /* Another caller has a bucket of his own. */
    assert_code(whoami(t, "Bearer 16ben"), RPC_OK);
}

static void one_caller_too_many_calls_an_hour(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){
        .hooks.authenticate = authenticate, .anonymous_per_hour = 3});
    for (int i = 0; i < 3; i++)
        assert_code(here_echo(t, ""), RPC_OK);
    assert_code(here_echo(t, ""), RPC_RESOURCE_EXHAUSTED);
    here_stop((void **)&t);
}

static struct rpc_reply echo_from(fixture *t, const char *address)
{
    struct rpc_header headers[] = {{"x-forwarded-for", address}, {NULL}};
    EchoRequest req = ECHO_REQUEST_INIT;
    return here_call(t, TEST_ECHO, headers, &req);
}

static void behind_a_proxy_each_client_has_its_own_bucket(void **state)
{
    (void)state;
    fixture *t = here_start(
        (struct rpc_server_options){.hooks.authenticate = authenticate,
                                    .anonymous_per_hour = 1,
                                    .proxies = 1});
    assert_code(echo_from(t, "203.0.113.1"), RPC_OK);
    assert_code(echo_from(t, "203.0.113.2"), RPC_OK);
    assert_code(echo_from(t, "203.0.113.1"), RPC_RESOURCE_EXHAUSTED);
    assert_code(echo_from(t, "9.9.9.9, 203.0.113.2"), RPC_RESOURCE_EXHAUSTED);
    here_stop((void **)&t);
}

static void without_proxies_the_header_is_not_believed(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){
        .hooks.authenticate = authenticate, .anonymous_per_hour = 1});
    assert_code(echo_from(t, "203.0.113.1"), RPC_OK);
    assert_code(echo_from(t, "203.0.113.2"), RPC_RESOURCE_EXHAUSTED);
    here_stop((void **)&t);
}

static void more_calls_in_flight_than_allowed_are_refused(void **state)
{
    (void)state;
    fixture *t =
        here_start((struct rpc_server_options){.calls_in_flight_max = 2});
    struct rpc_local *first = rpc_local_open(t->server, TEST_SLEEP, NULL);
    struct rpc_local *second = rpc_local_open(t->server, TEST_SLEEP, NULL);
    assert_code(here_echo(t, ""), RPC_RESOURCE_EXHAUSTED);
    rpc_local_free(first);
    assert_code(here_echo(t, ""), RPC_OK);
    rpc_local_free(second);
    here_stop((void **)&t);
}

static void sleep_at_once(fixture *t, int count, int64_t ms)
{
    struct rpc_local *calls[100];
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = ms;
    for (int i = 0; i < count; i++) {
        calls[i] = rpc_local_open(t->server, TEST_SLEEP, NULL);
        rpc_local_send(calls[i], &req);
        rpc_local_close_send(calls[i]);
    }
    for (int i = 0; i < count; i++) {
        assert_code(rpc_local_reply(calls[i]), RPC_OK);
        rpc_local_free(calls[i]);
    }
}

/* What a slow bottleneck looks like from here: calls that took 1 ms while few
 * ran take 200 when many do. */
static void when_calls_become_slow_fewer_are_let_in(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){0});
    for (int i = 0; i < 20; i++)
        sleep_at_once(t, 1, 1);
    sleep_at_once(t, 100, 200);
    sleep_at_once(t, 100, 200);
    struct rpc_local *running[100];
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    int count = 0;
    for (; count < 100; count++) {
        running[count] = rpc_local_open(t->server, TEST_SLEEP, NULL);
        rpc_local_send(running[count], &req);
        rpc_local_close_send(running[count]);
        if (!rpc_local_is_open(running[count]))
            break;
    }
    assert_in_range(count, 45, 85); /* of 100 that were slow */
    struct rpc_reply refused = rpc_local_reply(running[count]);
    assert_code(refused, RPC_RESOURCE_EXHAUSTED);
    const Google__Rpc__RetryInfo *retry =
        here_detail(t, refused, &google__rpc__retry_info__descriptor);
    assert_non_null(retry);
    int64_t retry_ms = retry->retry_delay->seconds * 1000 +
                       retry->retry_delay->nanos / 1000000;
    assert_in_range(retry_ms, 500, 1500);
    const Google__Rpc__ErrorInfo *info =
        here_detail(t, refused, &google__rpc__error_info__descriptor);
    assert_string_equal(info->reason, "OVERLOADED");
    assert_code(here_echo(t, "another method"), RPC_OK);
    for (int i = 0; i <= count; i++)
        rpc_local_free(running[i]);
    here_stop((void **)&t);
}

static void a_request_beyond_the_memory_budget_is_refused(void **state)
{
    (void)state;
    fixture *t =
        here_start((struct rpc_server_options){.memory_bytes_max = 100 * 1024});
    static char text[200 * 1024];
    memset(text, 'x', sizeof text - 1);
    assert_code(here_echo(t, text), RPC_RESOURCE_EXHAUSTED);
    assert_code(here_echo(t, "small"), RPC_OK);
    here_stop((void **)&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
        CASE(a_path_must_match_byte_by_byte),
        CASE(who_has_no_token_is_asked_to_sign_in),
        CASE(a_refused_token_is_told_by_the_hooks_own_reason),
        CASE(another_scheme_than_bearer_is_no_token),
        CASE(an_unverified_account_is_told_to_verify),
        CASE(a_role_that_is_missing_is_named),
        CASE(the_right_role_passes),
        CASE(an_open_method_never_asks_who_is_there),
        CASE(a_refusal_reads_no_body),
        CASE(a_deadline_that_has_passed_starts_nothing),
        CASE(the_burst_of_a_bucket_passes_and_then_a_caller_waits),
        cmocka_unit_test(one_caller_too_many_calls_an_hour),
        cmocka_unit_test(behind_a_proxy_each_client_has_its_own_bucket),
        cmocka_unit_test(without_proxies_the_header_is_not_believed),
        cmocka_unit_test(more_calls_in_flight_than_allowed_are_refused),
        cmocka_unit_test(when_calls_become_slow_fewer_are_let_in),
        cmocka_unit_test(a_request_beyond_the_memory_budget_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
