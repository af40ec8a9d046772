/* The table of limits, and limits that change while the server runs. */
#include "rpc/limits.h"

#include "rpc/metrics.h"
#include "tests/wire/wire.h"

#include <stdio.h>

static void finish(fixture *t)
{
    void *mine = t;
    wire_stop(&mine);
}

static int64_t refused(const char *reason)
{
    char label[64];
    snprintf(label, sizeof label, "reason=\"%s\"", reason);
    return metrics_value(
        metrics_counter("grpc_server_refusals_total", "", label));
}

static void every_limit_has_a_default_a_name_and_a_reason(void **state)
{
    (void)state;
    struct rpc_server_options options = {0};
    rpc_limits_fill(&options);
    assert_true(rpc_limit_count > 35);
    for (size_t i = 0; i < rpc_limit_count; i++) {
        const struct rpc_limit *limit = &rpc_limits[i];
        bool may_be_off = strcmp(limit->name, "connection_age") == 0;
        assert_true(rpc_limit_value(&options, limit) > 0 || may_be_off);
        assert_true(strlen(limit->why) > 0);
        assert_int_equal(limit->refuses == RPC_REFUSES_NONE,
                         limit->reason[0] == '\0');
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(limit->name, rpc_limits[j].name);
            assert_true(limit->offset != rpc_limits[j].offset);
        }
    }
    options.frames.ping_interval_ms = guard_limits_default.ping_interval_ms;
    options.frames.frame_bytes = guard_limits_default.frame_bytes;
    assert_memory_equal(&options.frames, &guard_limits_default,
                        sizeof options.frames);
}

static void what_is_set_stays_and_only_live_ones_are_copied(void **state)
{
    (void)state;
    struct rpc_server_options old = {.streams_max = 7, .header_bytes_max = 99};
    struct rpc_server_options new = {
        .streams_max = 8,
        .header_bytes_max = 100,
        .memory_bytes_max = (uint64_t)1 << 40,
        .frames = {.resets_received = {.burst = 5}},
    };
    rpc_limits_fill(&old);
    rpc_limits_fill(&new);
    assert_int_equal(old.streams_max, 7);
    rpc_limits_copy_live(&old, &new);
    assert_int_equal(old.streams_max, 8);
    assert_int_equal(old.header_bytes_max, 99);
    assert_true(old.memory_bytes_max == (uint64_t)1 << 40);
    assert_int_equal(old.frames.resets_received.burst, 5);
}

/* --- while it runs --- */

static void set(fixture *t, struct rpc_server_options options)
{
    options.ping_interval_ms = 1; /* client_ping() is how tests wait */
    rpc_server_set_limits(t->server, &options);
}

/* The connection is older than the limit that ends it. */
static void a_new_limit_holds_for_connections_that_are_open(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){0});
    client_ping(t->client);
    set(t, (struct rpc_server_options){.idle_ms = 50});
    client_wait_closed(t->client);
    assert_int_equal(client_goaway_code(t->client), NGHTTP2_NO_ERROR);
    finish(t);
}

static void new_caps_hold_for_newcomers(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){0});
    struct client *second = client_connect(t->port);
    client_ping(second);
    set(t, (struct rpc_server_options){.connections_per_ip_max = 1});
    client_ping(t->client); /* the loop has taken them up */
    struct raw *third = raw_connect(t->port);
    raw_wait_closed(third);
    raw_close(third);
    client_ping(second); /* is there already, and stays */
    set(t, (struct rpc_server_options){0});
    client_ping(t->client);
    assert_still_serves(t);
    client_close(second);
    finish(t);
}

static void a_message_may_be_as_large_as_the_newest_limit(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){0});
    char text[2001] = {0};
    memset(text, 'x', 2000);
    struct bytes body = echo_body(t, text);
    assert_grpc(wire_call(t, TEST_ECHO, NULL, body), 200, RPC_OK);
    int64_t before = refused("message_size");
    set(t, (struct rpc_server_options){.message_bytes_max = 1000});
    client_ping(t->client);
    assert_grpc(wire_call(t, TEST_ECHO, NULL, body), 200,
                RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(refused("message_size"), before + 1);
    finish(t);
}

/* --- time for a message --- */

static void a_message_that_comes_too_slowly_ends_its_call(void **state)
{
    (void)state;
    int64_t before = refused("message_timeout");
    fixture *t = wire_start((struct rpc_server_options){.receive_ms = 100});
    struct bytes body = echo_body(t, "never whole");
    static const char *const paths[] = {TEST_ECHO, TEST_CLIENT_STREAM};
    for (int i = 0; i < 2; i++) {
        struct client_response *r =
            client_request(t->client, paths[i], NULL, body.data, 3, false);
        client_wait(t->client, r);
        assert_grpc(r, 200, RPC_DEADLINE_EXCEEDED);
    }
    assert_int_equal(refused("message_timeout"), before + 2);
    finish(t);
}

/* Between two messages of a stream a client may think. */
static void a_pause_between_messages_is_not_slow(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.receive_ms = 50, .keepalive_ms = 20});
    ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
    struct bytes body = framed(t, &req);
    struct client_response *r = client_request(
        t->client, TEST_CLIENT_STREAM, NULL, body.data, body.size, false);
    client_wait_pings(t->client, 10); /* 200 ms have passed */
    client_send(t->client, r, body.data, body.size, true);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_OK);
    finish(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_limit_has_a_default_a_name_and_a_reason),
        cmocka_unit_test(what_is_set_stays_and_only_live_ones_are_copied),
        cmocka_unit_test(a_new_limit_holds_for_connections_that_are_open),
        cmocka_unit_test(new_caps_hold_for_newcomers),
        cmocka_unit_test(a_message_may_be_as_large_as_the_newest_limit),
        cmocka_unit_test(a_message_that_comes_too_slowly_ends_its_call),
        cmocka_unit_test(a_pause_between_messages_is_not_slow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
