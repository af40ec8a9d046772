/* GetServerInfo. */
#include "prbal/v1/system.rpc.h"
#include "rpc/clock.h"
#include "services/app.h"
#include "tests/testkit/testkit.h"

#define INFO "/prbal.v1.SystemService/GetServerInfo"

static const GetServerInfoResponse *ask(fixture *t)
{
    GetServerInfoRequest req = GET_SERVER_INFO_REQUEST_INIT;
    return ANSWER(GetServerInfoResponse, call_as(t, NULL, INFO, &req));
}

static bool has(const GetServerInfoResponse *info, const char *feature)
{
    for (size_t i = 0; i < info->n_features; i++)
        if (strcmp(info->features[i], feature) == 0)
            return true;
    return false;
}

static void everybody_may_ask_which_server_this_is(void **state)
{
    fixture *t = *state;
    const GetServerInfoResponse *info = ask(t);
    assert_string_equal(info->version, PRBAL_VERSION);
    assert_string_equal(info->api_version, "prbal.v1");
    int64_t now_s = clock_wall_us() / 1000000;
    assert_in_range(info->server_time->seconds, now_s - 2, now_s);
    for (size_t i = 1; i < info->n_features; i++)
        assert_true(strcmp(info->features[i - 1], info->features[i]) < 0);
}

static void a_broken_token_is_no_obstacle(void **state)
{
    fixture *t = *state;
    struct person nobody = {.token = "rubbish"};
    GetServerInfoRequest req = GET_SERVER_INFO_REQUEST_INIT;
    assert_ok(call_as(t, &nobody, INFO, &req));
}

static void features_follow_the_settings(void **state)
{
    fixture *t = *state;
    char error[128];
    assert_true(has(ask(t), "browse.public"));
    app_config_set("public_browse", "false", error, sizeof error);
    const GetServerInfoResponse *info = ask(t);
    app_config_set("public_browse", "true", error, sizeof error);
    assert_false(has(info, "browse.public"));
    assert_true(has(info, "auth.password"));
}

TEST_MAIN("system", TEST(everybody_may_ask_which_server_this_is),
          TEST(a_broken_token_is_no_obstacle),
          TEST(features_follow_the_settings))
