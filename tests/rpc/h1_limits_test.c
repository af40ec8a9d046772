/* HTTP/1.1: time limits, clients that leave, and how connections end. */
#include "rpc/clock.h"
#include "tests/wire/http1.h"

#include <pthread.h>

/* --- time --- */

static void slow_heads_are_cut_off(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.web_origins = "*", .handshake_ms = 300});
    int64_t before = ended("handshake_timeout");
    static const char *const beginnings[] = {"P", "PO", "GET / HT",
                                             "GET / HTTP/1.1\r\nHost: x\r\n"};
    for (size_t i = 0; i < COUNT(beginnings); i++) {
        struct peer *peer = dial(t);
        say(peer, beginnings[i]);
        assert_closed(peer);
    }
    assert_true(ended("handshake_timeout") - before >= (int)COUNT(beginnings));

    struct peer *peer = dial(t);
    assert_echoes(t, peer, "first");
    say(peer, "GET / HTTP/1.1\r\n");
    assert_int_equal(answer_of(peer)->status, 408);
    assert_closed(peer);
    assert_true(ended("http1_slow_head") >= 1);
    finish(t);
}

static void a_body_that_was_announced_has_to_come(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.web_origins = "*", .stall_ms = 100});
    static const char *const bodies[] = {
        "Content-Length: 100\r\n\r\n",
        CHUNKED "64\r\n",
        CHUNKED "6",
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        struct peer *peer = dial(t);
        say(peer, WEB_HEAD(TEST_ECHO));
        say(peer, bodies[i]);
        assert_web(answer_of(peer), RPC_DEADLINE_EXCEEDED);
        assert_closed(peer);
    }
    assert_true(ended("http1_slow_body") >= 3);
    finish(t);
}

/* Between two messages a client may think. */
static void a_stream_may_pause_between_chunks(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.web_origins = "*", .stall_ms = 50});
    struct peer *peer = dial(t);
    ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
    req.number = 7;
    say(peer, WEB_HEAD(TEST_CLIENT_STREAM) CHUNKED);
    say_chunk(peer, framed(t, &req));
    usleep(200000); /* what is awaited is that nothing happens */
    say_chunk(peer, framed(t, &req));
    say(peer, "0\r\n\r\n");
    assert_web(answer_of(peer), RPC_OK);
    hang_up(peer);
    finish(t);
}

/* There is no memory to keep it in until the client has read it. */
static void an_answer_that_does_not_fit_is_cut_off(void **state)
{
    (void)state;
    fixture *t =
        wire_start((struct rpc_server_options){.web_origins = "*",
                                               .memory_bytes_max = 512 * 1024,
                                               .memory_shares = 1});
    struct peer *peer = dial(t);
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1;
    req.payload_bytes = 600 * 1024;
    say(peer, WEB_HEAD(TEST_SERVER_STREAM));
    say_body(peer, framed(t, &req));
    assert_closed(peer);
    peer = dial(t);
    assert_echoes(t, peer, "others are served");
    hang_up(peer);
    finish(t);
}

static void an_idle_connection_is_closed(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.web_origins = "*", .idle_ms = 100});
    struct peer *peer = dial(t);
    assert_echoes(t, peer, "then silence");
    assert_closed(peer);
    finish(t);
}

static void a_client_that_takes_nothing_is_dropped(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.web_origins = "*", .stall_ms = 100});
    struct peer *peer = dial(t);
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1000000;
    req.payload_bytes = 100000;
    int64_t before = ended("write_stalled");
    say(peer, WEB_HEAD(TEST_SERVER_STREAM));
    say_body(peer, framed(t, &req));
    for (int i = 0; i < CLIENT_PATIENCE_MS && ended("write_stalled") == before;
         i += 5)
        poll(NULL, 0, 5);
    assert_int_equal(ended("write_stalled") - before, 1);
    hang_up(peer);
    finish(t);
}

/* --- the end --- */

/* The stop below would last as long as the handler sleeps. */
static void a_client_that_leaves_cancels_its_call(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.web_origins = "*", .drain_ms = 60000});
    struct peer *peer = dial(t);
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 50000;
    say(peer, WEB_HEAD(TEST_SLEEP));
    say_body(peer, framed(t, &req));
    assert_still_serves(t);
    hang_up(peer);
    int64_t before_us = clock_monotonic_us();
    finish(t);
    assert_true(clock_monotonic_us() - before_us < 40 * 1000000LL);
}

static void *stop_server(void *argument)
{
    wire_stop_server(argument);
    return NULL;
}

static void a_drain_closes_idle_connections_and_waits_for_calls(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.web_origins = "*", .drain_ms = 60000});
    struct peer *idle = dial(t), *busy = dial(t);
    pthread_t stopper;
    assert_echoes(t, idle, "x");
    assert_echoes(t, busy, "x");
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 1500;
    say(busy, WEB_HEAD(TEST_SLEEP));
    say_body(busy, framed(t, &req));
    assert_still_serves(t);
    assert_int_equal(pthread_create(&stopper, NULL, stop_server, t), 0);
    assert_closed(idle);
    struct answer *answer = answer_of(busy);
    assert_web(answer, RPC_OK);
    assert_string_equal(header(answer, "connection"), "close");
    assert_closed(busy);
    pthread_join(stopper, NULL);
    finish(t);
}

static void an_old_connection_is_closed_after_its_answer(void **state)
{
    (void)state;
    fixture *t = wire_start(
        (struct rpc_server_options){.web_origins = "*", .age_ms = 200});
    struct peer *peer = dial(t);
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 600;
    say(peer, WEB_HEAD(TEST_SLEEP));
    say_body(peer, framed(t, &req));
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_OK);
    assert_string_equal(header(answer, "connection"), "close");
    assert_closed(peer);
    finish(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_heads_are_cut_off),
        cmocka_unit_test(a_body_that_was_announced_has_to_come),
        cmocka_unit_test(a_stream_may_pause_between_chunks),
        cmocka_unit_test(an_answer_that_does_not_fit_is_cut_off),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(a_client_that_takes_nothing_is_dropped),
        cmocka_unit_test(a_client_that_leaves_cancels_its_call),
        cmocka_unit_test(a_drain_closes_idle_connections_and_waits_for_calls),
        cmocka_unit_test(an_old_connection_is_closed_after_its_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
