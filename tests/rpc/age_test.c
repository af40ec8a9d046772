/* Connections that have lived long enough. */
#include "rpc/conn.h"
#include "rpc/metrics.h"
#include "rpc/net.h"
#include "tests/wire/wire.h"

#include <stdio.h>

static fixture *start(uint32_t age_ms, uint32_t grace_ms)
{
    return wire_start((struct rpc_server_options){.age_ms = age_ms,
                                                  .age_grace_ms = grace_ms});
}

static void finish(fixture *t)
{
    void *mine = t;
    wire_stop(&mine);
}

static void ages_differ_by_up_to_a_tenth(void **state)
{
    (void)state;
    int64_t least = INT64_MAX, most = 0;
    for (uint64_t random = 0; random < 200001; random++) {
        int64_t age_us = conn_age_us(1000, random);
        least = age_us < least ? age_us : least;
        most = age_us > most ? age_us : most;
    }
    assert_int_equal(least, 900000);
    assert_int_equal(most, 1100000);
    assert_int_equal(conn_age_us(1, UINT64_MAX) / 100 * 100, 1000);
    assert_in_range(conn_age_us(UINT32_MAX, UINT64_MAX),
                    900 * (int64_t)UINT32_MAX, 1100 * (int64_t)UINT32_MAX);
}

static struct client_response *sleep_for(fixture *t, int64_t sleep_ms)
{
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = sleep_ms;
    struct bytes body = framed(t, &req);
    return client_request(t->client, TEST_SLEEP, NULL, body.data, body.size,
                          true);
}

static void an_old_connection_is_told_to_go_and_finishes_its_calls(void **state)
{
    (void)state;
    fixture *t = start(300, 60000);
    struct client_response *r = sleep_for(t, 1000);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_OK);
    client_wait_closed(t->client);
    assert_int_equal(client_goaway_count(t->client), 2);
    assert_int_equal(client_goaway_code(t->client), NGHTTP2_NO_ERROR);
    assert_string_equal(client_goaway_text(t->client), "max_age");
    assert_int_equal(client_goaway_last_stream(t->client), r->id);
    finish(t);
}

static int64_t overstayed(void)
{
    return metrics_value(metrics_counter("grpc_server_connections_ended_total",
                                         "", "reason=\"max_age_grace\""));
}

static void what_runs_beyond_the_grace_is_ended(void **state)
{
    (void)state;
    int64_t before = overstayed();
    fixture *t = start(300, 50);
    struct client_response *r = sleep_for(t, 60000);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_UNAVAILABLE);
    assert_string_equal(client_field(r, "grpc-message"),
                        "the connection is too old; use another");
    client_wait_closed(t->client);
    assert_int_equal(overstayed(), before + 1);
    finish(t);
}

/* Nobody works for such a stream, so nobody would look whether the connection
 * is to end.  Its server goes on serving, and must not say otherwise. */
static void an_idle_stream_is_ended_and_not_told_a_lie(void **state)
{
    (void)state;
    fixture *t = start(300, 60000);
    struct client_response *r = client_request(
        t->client, "/grpc.health.v1.Health/Watch", NULL, "\0\0\0\0", 5, true);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_UNAVAILABLE);
    assert_int_equal(r->body_size, 7);
    assert_memory_equal(r->body, "\0\0\0\0\2\x8\1", 7); /* SERVING */
    client_wait_closed(t->client);
    finish(t);
}

static void age_is_no_matter_unless_it_is_asked_for(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.keepalive_ms = 20});
    client_wait_pings(t->client, 5);
    assert_echo(t, wire_call(t, TEST_ECHO, NULL, echo_body(t, "x")), "x");
    assert_int_equal(client_goaway_count(t->client), 0);
    finish(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages_differ_by_up_to_a_tenth),
        cmocka_unit_test(
            an_old_connection_is_told_to_go_and_finishes_its_calls),
        cmocka_unit_test(what_runs_beyond_the_grace_is_ended),
        cmocka_unit_test(an_idle_stream_is_ended_and_not_told_a_lie),
        cmocka_unit_test(age_is_no_matter_unless_it_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
