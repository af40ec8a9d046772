/* Connections of a channel: made, lost, made again. */
#include "tests/rpc/channelkit.h"

#include <signal.h>

static int64_t counted(const char *name)
{
    return metrics_value(metrics_counter(name, "", NULL));
}

static int64_t connected(void)
{
    return counted("grpc_client_connected_total");
}

static int64_t failures(void)
{
    return counted("grpc_client_connect_failures_total");
}

static int64_t open_now(void)
{
    return metrics_value(metrics_gauge("grpc_client_connections", "", NULL));
}

static int setup(void **state)
{
    *state = kit_start((struct rpc_server_options){0},
                       (struct rpc_channel_options){.backoff_min_ms = 20,
                                                    .backoff_max_ms = 40});
    return 0;
}

/* --- nobody is there --- */

static void nobody_there_is_told_at_once_with_address_and_reason(void **state)
{
    fixture *t = *state;
    kit_stop_server(t);
    struct unary u = kit_echo(t, "hello?", plain);
    assert_code(u, RPC_UNAVAILABLE);
    assert_says(u, t->address);
    assert_says(u, "Connection refused");
    assert_int_equal(u.reply.attempts, 0);
}

static void a_host_that_is_not_found_is_named(void **state)
{
    fixture *t = *state;
    rpc_channel_destroy(t->channel);
    t->channel = kit_channel(
        t, (struct rpc_channel_options){.target = "no such host:80"});
    struct unary u = kit_echo(t, "hello?", plain);
    assert_code(u, RPC_UNAVAILABLE);
    assert_says(u, "cannot find the host no such host");
}

static void during_back_off_nobody_connects(void **state)
{
    fixture *t = *state;
    kit_stop_server(t);
    rpc_channel_destroy(t->channel);
    t->channel =
        kit_channel(t, (struct rpc_channel_options){.backoff_min_ms = 60000});
    assert_failed(kit_echo(t, "first", plain), RPC_UNAVAILABLE);
    int64_t before = failures();
    struct unary u = kit_echo(t, "second", plain);
    assert_code(u, RPC_UNAVAILABLE);
    assert_says(u, "Connection refused");
    assert_int_equal(failures(), before);
}

struct come_back {
    fixture *t;
    int64_t failures;
    int port;
};

static bool has_failed_thrice(void *argument)
{
    const struct come_back *c = argument;
    return failures() >= c->failures + 3;
}

static void who_waits_for_ready_is_served_when_the_server_comes(void **state)
{
    fixture *t = *state;
    struct come_back c = {.t = t, .failures = failures(), .port = t->port};
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = "patient";
    kit_stop_server(t);
    struct unary u = unary_of(t, TEST_METHOD("Echo"), &req);
    struct kit_task task;
    u.options.wait_for_ready = true;
    kit_spawn(t, &task, unary_task, &u);
    kit_run_until(t, has_failed_thrice, &c);
    kit_serve_at(t, t->address, (struct rpc_server_options){0});
    kit_wait(t, &task);
    assert_echoed(u, "patient");
}

static void who_waits_for_ready_has_a_deadline_too(void **state)
{
    fixture *t = *state;
    kit_stop_server(t);
    struct unary u = kit_echo(t, "patient",
                              (struct rpc_channel_call_options){
                                  .wait_for_ready = true, .timeout_ms = 100});
    assert_code(u, RPC_DEADLINE_EXCEEDED);
    assert_says(u, "Connection refused");
}

static void a_server_that_came_back_is_found(void **state)
{
    fixture *t = *state;
    assert_echoed(kit_echo(t, "one", plain), "one");
    for (int i = 0; i < 3; i++) {
        kit_stop_server(t);
        kit_serve_at(t, t->address, (struct rpc_server_options){0});
        struct unary u =
            kit_echo(t, "again",
                     (struct rpc_channel_call_options){.wait_for_ready = true});
        assert_echoed(u, "again");
    }
}

/* --- GOAWAY while calls are made --- */

struct load {
    fixture *t;
    int calls;
    int failed;
    char message[256];
};

static void make_calls(struct rpc_call *call, void *argument)
{
    struct load *load = argument;
    EchoRequest req = ECHO_REQUEST_INIT;
    for (int i = 0; i < load->calls; i++) {
        EchoResponse *res;
        rpc_status status = rpc_channel_call(
            call, load->t->channel, TEST_METHOD("Echo"), &req, &res, NULL);
        if (status.code == RPC_OK)
            continue;
        load->failed++;
        snprintf(load->message, sizeof load->message, "%s", status.message);
    }
}

static void no_call_is_lost_to_a_connection_that_ends(void **state)
{
    fixture *t = *state;
    kit_stop_server(t);
    kit_serve_at(t, t->address, (struct rpc_server_options){.age_ms = 1000});
    int64_t before = connected();
    struct load loads[8];
    struct kit_task tasks[8];
    /* The server looks at its connections once a second: the load goes on until
     * it has ended three. */
    while (connected() - before < 4) {
        for (int i = 0; i < 8; i++) {
            loads[i] = (struct load){.t = t, .calls = 200};
            kit_spawn(t, &tasks[i], make_calls, &loads[i]);
        }
        for (int i = 0; i < 8; i++) {
            kit_wait(t, &tasks[i]);
            if (loads[i].failed > 0)
                fail_msg("%d failed: %s", loads[i].failed, loads[i].message);
        }
    }
}

/* --- more than one connection --- */

static void start_sleepers(fixture *t, struct unary *calls,
                           struct kit_task *tasks, int count)
{
    static SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 50;
    for (int i = 0; i < count; i++) {
        calls[i] = unary_of(t, TEST_METHOD("Sleep"), &req);
        kit_spawn(t, &tasks[i], unary_task, &calls[i]);
    }
    for (int i = 0; i < count; i++) {
        kit_wait(t, &tasks[i]);
        assert_code(calls[i], RPC_OK);
    }
}

static void full_connections_are_joined_by_more(void **state)
{
    fixture *t = *state;
    struct unary calls[12];
    struct kit_task tasks[12];
    kit_stop_server(t);
    kit_serve_at(t, t->address, (struct rpc_server_options){.streams_max = 2});
    int64_t before = connected();
    start_sleepers(t, calls, tasks, 12);
    assert_in_range(connected() - before, 2, 4);
}

static void with_one_connection_calls_wait_for_their_turn(void **state)
{
    fixture *t = *state;
    struct unary calls[6];
    struct kit_task tasks[6];
    kit_stop_server(t);
    kit_serve_at(t, t->address, (struct rpc_server_options){.streams_max = 2});
    rpc_channel_destroy(t->channel);
    t->channel =
        kit_channel(t, (struct rpc_channel_options){.connections_max = 1});
    int64_t before = connected();
    start_sleepers(t, calls, tasks, 6);
    assert_int_equal(connected() - before, 1);
}

static void too_many_that_wait_are_refused(void **state)
{
    fixture *t = *state;
    struct unary calls[4];
    struct kit_task tasks[4];
    EchoRequest req = ECHO_REQUEST_INIT;
    rpc_channel_destroy(t->channel);
    t->channel = kit_channel(t, (struct rpc_channel_options){.waiting_max = 3});
    for (int i = 0; i < 4; i++) {
        calls[i] = unary_of(t, TEST_METHOD("Echo"), &req);
        kit_spawn(t, &tasks[i], unary_task, &calls[i]);
    }
    for (int i = 0; i < 4; i++)
        kit_wait(t, &tasks[i]);
    for (int i = 0; i < 3; i++)
        assert_code(calls[i], RPC_OK);
    assert_code(calls[3], RPC_RESOURCE_EXHAUSTED);
}

/* --- idle --- */

static bool none_is_open(void *argument)
{
    (void)argument;
    return open_now() == 0;
}

static void an_idle_connection_is_closed_and_made_again(void **state)
{
    fixture *t = *state;
    rpc_channel_destroy(t->channel);
    t->channel = kit_channel(t, (struct rpc_channel_options){.idle_ms = 500});
    assert_echoed(kit_echo(t, "one", plain), "one");
    assert_int_equal(open_now(), 1);
    kit_run_until(t, none_is_open, NULL);
    assert_echoed(kit_echo(t, "two", plain), "two");
}

/* --- retries --- */

static struct unary fail_unavailable(fixture *t, int64_t retry_ms,
                                     uint32_t retries_max)
{
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = RPC_UNAVAILABLE;
    req.message = "busy";
    req.retry_ms = retry_ms;
    struct unary u =
        kit_call(t, TEST_METHOD("Fail"), &req,
                 (struct rpc_channel_call_options){.retries_max = retries_max});
    assert_code(u, RPC_UNAVAILABLE);
    return u;
}

static void only_what_may_be_done_twice_is_tried_again(void **state)
{
    fixture *t = *state;
    assert_int_equal(fail_unavailable(t, 1, 0).reply.attempts, 1);
    assert_int_equal(fail_unavailable(t, 1, 2).reply.attempts, 3);
}

/* gRFC A6: at most half of the ten tokens go, whatever callers allow. */
static void a_failing_server_is_not_drowned_in_retries(void **state)
{
    fixture *t = *state;
    assert_int_equal(fail_unavailable(t, 1, 1000).reply.attempts, 5);
    assert_int_equal(fail_unavailable(t, 1, 1000).reply.attempts, 1);
}

static void a_server_that_wants_a_long_pause_is_left_alone(void **state)
{
    fixture *t = *state;
    assert_int_equal(fail_unavailable(t, 3600000, 5).reply.attempts, 1);
}

/* --- other addresses --- */

static void a_unix_socket_is_a_target(void **state)
{
    fixture *t = *state;
    char path[64];
    kit_stop_server(t);
    rpc_channel_destroy(t->channel);
    snprintf(path, sizeof path, "/tmp/prbal-channel-%d", (int)getpid());
    snprintf(t->address, sizeof t->address, "unix:%s", path);
    t->channel = kit_channel(t, (struct rpc_channel_options){0});
    struct unary u = kit_echo(t, "too early", plain);
    assert_code(u, RPC_UNAVAILABLE);
    assert_says(u, path);
    kit_serve_at(t, t->address, (struct rpc_server_options){0});
    rpc_channel_destroy(t->channel);
    t->channel = kit_channel(t, (struct rpc_channel_options){0});
    assert_echoed(kit_echo(t, "by path", plain), "by path");
    unlink(path);
}

/* "localhost" may be ::1 first, where nobody listens. */
static void every_address_of_a_name_is_tried(void **state)
{
    fixture *t = *state;
    rpc_channel_destroy(t->channel);
    snprintf(t->address, sizeof t->address, "localhost:%d", t->port);
    t->channel = kit_channel(t, (struct rpc_channel_options){0});
    assert_echoed(kit_echo(t, "by name", plain), "by name");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, kit_stop)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(nobody_there_is_told_at_once_with_address_and_reason),
        TEST(a_host_that_is_not_found_is_named),
        TEST(during_back_off_nobody_connects),
        TEST(who_waits_for_ready_is_served_when_the_server_comes),
        TEST(who_waits_for_ready_has_a_deadline_too),
        TEST(a_server_that_came_back_is_found),
        TEST(no_call_is_lost_to_a_connection_that_ends),
        TEST(full_connections_are_joined_by_more),
        TEST(with_one_connection_calls_wait_for_their_turn),
        TEST(too_many_that_wait_are_refused),
        TEST(an_idle_connection_is_closed_and_made_again),
        TEST(only_what_may_be_done_twice_is_tried_again),
        TEST(a_failing_server_is_not_drowned_in_retries),
        TEST(a_server_that_wants_a_long_pause_is_left_alone),
        TEST(a_unix_socket_is_a_target),
        TEST(every_address_of_a_name_is_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
