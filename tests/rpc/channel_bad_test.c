/* A channel against a server that misbehaves; the cases of gRPC's own negative
 * suite (doc/http2-interop-test-descriptions.md) among them. */
#include "tests/rpc/channelkit.h"

#include "rpc/channel_state.h"
#include "tests/rpc/badserver.h"

#include <unistd.h>

static struct bad_server *bad_server;

static fixture *fixture_of(struct bad_server *server)
{
    fixture *t = kit_prepare();
    bad_server = server;
    snprintf(t->address, sizeof t->address, "127.0.0.1:%d",
             bad_server_port(server));
    t->channel = kit_channel(t, (struct rpc_channel_options){
                                    .backoff_min_ms = 5, .backoff_max_ms = 10});
    return t;
}

static fixture *against(void (*script)(struct bad *bad))
{
    return fixture_of(bad_server_start(script));
}

static void stop(fixture *t)
{
    void *state = t;
    kit_stop(&state);
    bad_server_stop(bad_server);
}

/* Echo against this script, once. */
static struct unary told_by(void (*script)(struct bad *bad))
{
    fixture *t = against(script);
    struct unary u = kit_echo(
        t, "hello", (struct rpc_channel_call_options){.timeout_ms = 20000});
    u.response = NULL; /* of the fixture's arena */
    stop(t);
    return u;
}

/* --- the negative suite --- */

static void goaway_after_each_answer(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_goaway(bad, stream, NGHTTP2_NO_ERROR, "");
    bad_answer(bad, stream, "answered");
    bad_wait_closed(bad);
}

static void after_goaway_calls_take_another_connection(void **state)
{
    (void)state;
    fixture *t = against(goaway_after_each_answer);
    for (int i = 0; i < 5; i++)
        assert_echoed(kit_echo(t, "hello", plain), "answered");
    stop(t);
}

static void reset_after_headers(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_reset(bad, stream, NGHTTP2_NO_ERROR);
    bad_wait_closed(bad);
}

static void reset_within_a_message(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_frame(bad, NGHTTP2_DATA, 0, stream, "\0\0\0\0\5\x0a\3h", 8);
    bad_reset(bad, stream, NGHTTP2_NO_ERROR);
    bad_wait_closed(bad);
}

static void reset_after_message(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_message(bad, stream, "hello");
    bad_reset(bad, stream, NGHTTP2_NO_ERROR);
    bad_wait_closed(bad);
}

static void a_stream_that_is_reset_without_a_status_has_failed(void **state)
{
    (void)state;
    assert_failed(told_by(reset_after_headers), RPC_INTERNAL);
    assert_failed(told_by(reset_within_a_message), RPC_INTERNAL);
    assert_failed(told_by(reset_after_message), RPC_INTERNAL);
}

static bool ping(struct bad *bad)
{
    bad_frame(bad, NGHTTP2_PING, 0, 0, "8 bytes!", 8);
    struct bad_frame frame;
    return bad_wait(bad, NGHTTP2_PING, NGHTTP2_FLAG_ACK, &frame) &&
           memcmp(frame.payload, "8 bytes!", 8) == 0;
}

static void ping_around_everything(struct bad *bad)
{
    bool all = ping(bad);
    uint32_t stream = bad_request(bad);
    all &= ping(bad);
    bad_open(bad, stream);
    all &= ping(bad);
    bad_message(bad, stream, all ? "all answered" : "not answered");
    all &= ping(bad);
    bad_trailers(bad, stream, all ? "0" : "2");
    bad_wait_closed(bad);
}

static void pings_are_answered_at_any_time(void **state)
{
    (void)state;
    fixture *t = against(ping_around_everything);
    assert_echoed(kit_echo(t, "hello", plain), "all answered");
    stop(t);
}

/* One stream at a time: whoever opens a second one gets no answer. */
static void one_stream_at_a_time(struct bad *bad)
{
    static const uint8_t one_stream[] = {
        0, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0, 0, 0, 1};
    bad_frame(bad, NGHTTP2_SETTINGS, 0, 0, one_stream, sizeof one_stream);
    bad_wait(bad, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, NULL);
    bad_wait(bad, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, NULL);
    uint32_t last = 0, stream;
    while ((stream = bad_request(bad)) != 0) {
        if (stream != last + 2 && last != 0)
            return;
        last = stream;
        /* Nothing else may have been sent before the answer to it. */
        bool quiet = ping(bad) && !bad_has_request(bad);
        bad_answer(bad, stream, quiet ? "in turn" : "gone");
    }
}

static void no_more_streams_are_open_than_the_server_takes(void **state)
{
    (void)state;
    fixture *t = against(one_stream_at_a_time);
    struct unary calls[10];
    struct kit_task tasks[10];
    EchoRequest req = ECHO_REQUEST_INIT;
    rpc_channel_destroy(t->channel);
    t->channel =
        kit_channel(t, (struct rpc_channel_options){.connections_max = 1});
    assert_echoed(kit_echo(t, "first", plain), "in turn");
    for (int i = 0; i < 10; i++) {
        calls[i] = unary_of(t, TEST_METHOD("Echo"), &req);
        kit_spawn(t, &tasks[i], unary_task, &calls[i]);
    }
    for (int i = 0; i < 10; i++) {
        kit_wait(t, &tasks[i]);
        assert_echoed(calls[i], "in turn");
    }
    stop(t);
}

/* 300 KB of padding around one message: more than the window, so that padding
 * must be given back as well. */
static void padded_byte_by_byte(struct bad *bad)
{
    static const uint8_t message[] = {0, 0,   0,   0,   7,   0x0a,
                                      5, 'h', 'e', 'l', 'l', 'o'};
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    for (int round = 0; round < 1200; round++) {
        uint8_t payload[257] = {255};
        size_t i = round < 1200 - (int)sizeof message
                       ? sizeof message
                       : (size_t)round - 1200 + sizeof message;
        payload[1] = i < sizeof message ? message[i] : 0;
        size_t data = i < sizeof message ? 1 : 0;
        bad_frame(bad, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, stream, payload,
                  256 + data);
    }
    bad_trailers(bad, stream, "0");
    bad_wait_closed(bad);
}

static void padding_changes_nothing(void **state)
{
    (void)state;
    fixture *t = against(padded_byte_by_byte);
    assert_echoed(kit_echo(t, "hello", plain), "hello");
    stop(t);
}

/* --- what RST_STREAM and HTTP statuses mean --- */

static uint32_t reset_code;

static void reset_with_code(struct bad *bad)
{
    uint32_t stream;
    while ((stream = bad_request(bad)) != 0)
        bad_reset(bad, stream, reset_code);
}

static void each_reset_has_its_status(void **state)
{
    (void)state;
    static const struct {
        uint32_t reset;
        rpc_code code;
    } table[] = {
        {NGHTTP2_NO_ERROR, RPC_INTERNAL},
        {NGHTTP2_PROTOCOL_ERROR, RPC_INTERNAL},
        {NGHTTP2_INTERNAL_ERROR, RPC_INTERNAL},
        {NGHTTP2_REFUSED_STREAM, RPC_UNAVAILABLE},
        {NGHTTP2_CANCEL, RPC_CANCELLED},
        {NGHTTP2_ENHANCE_YOUR_CALM, RPC_RESOURCE_EXHAUSTED},
        {NGHTTP2_INADEQUATE_SECURITY, RPC_PERMISSION_DENIED},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        reset_code = table[i].reset;
        assert_failed(told_by(reset_with_code), table[i].code);
    }
}

static const char *http_status;

static void answer_as_a_proxy(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    const char *const fields[] = {":status", http_status, "content-type",
                                  "text/html", NULL};
    bad_headers(bad, stream, false, fields);
    bad_frame(bad, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "<html>", 6);
    bad_wait_closed(bad);
}

static void each_http_status_has_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        rpc_code code;
    } table[] = {
        {"200", RPC_UNKNOWN},         {"400", RPC_INTERNAL},
        {"401", RPC_UNAUTHENTICATED}, {"403", RPC_PERMISSION_DENIED},
        {"404", RPC_UNIMPLEMENTED},   {"429", RPC_UNAVAILABLE},
        {"431", RPC_UNKNOWN},         {"500", RPC_UNKNOWN},
        {"502", RPC_UNAVAILABLE},     {"503", RPC_UNAVAILABLE},
        {"504", RPC_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        http_status = table[i].status;
        assert_failed(told_by(answer_as_a_proxy), table[i].code);
    }
}

/* --- what is sent again --- */

static void refuse_once(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_reset(bad, stream, NGHTTP2_REFUSED_STREAM);
    while ((stream = bad_request(bad)) != 0)
        bad_answer(bad, stream, "second thoughts");
}

static void a_refused_call_is_made_again(void **state)
{
    (void)state;
    fixture *t = against(refuse_once);
    struct unary u = kit_echo(t, "hello", plain);
    assert_echoed(u, "second thoughts");
    assert_int_equal(u.reply.attempts, 2);
    stop(t);
}

static void a_call_that_is_refused_twice_has_failed(void **state)
{
    (void)state;
    reset_code = NGHTTP2_REFUSED_STREAM;
    struct unary u = told_by(reset_with_code);
    assert_code(u, RPC_UNAVAILABLE);
    assert_int_equal(u.reply.attempts, 2);
}

/* The first connection forgets the second call. */
static void forget_the_second(struct bad *bad)
{
    uint32_t stream;
    if (bad_index(bad) > 0) {
        while ((stream = bad_request(bad)) != 0)
            bad_answer(bad, stream, "elsewhere");
        return;
    }
    uint32_t first = bad_request(bad);
    bad_request(bad);
    bad_goaway(bad, first, NGHTTP2_NO_ERROR, "");
    bad_answer(bad, first, "here");
    bad_wait_closed(bad);
}

static void a_call_behind_the_goaway_is_made_elsewhere(void **state)
{
    (void)state;
    fixture *t = against(forget_the_second);
    struct unary calls[2];
    struct kit_task tasks[2];
    EchoRequest req = ECHO_REQUEST_INIT;
    for (int i = 0; i < 2; i++) {
        calls[i] = unary_of(t, TEST_METHOD("Echo"), &req);
        kit_spawn(t, &tasks[i], unary_task, &calls[i]);
    }
    for (int i = 0; i < 2; i++)
        kit_wait(t, &tasks[i]);
    assert_echoed(calls[0], "here");
    assert_echoed(calls[1], "elsewhere");
    assert_int_equal(calls[1].reply.attempts, 2);
    stop(t);
}

/* On a connection that is older than the back-off, so that nothing but the rule
 * keeps the call from another one. */
static void hang_up_on_a_request(struct bad *bad)
{
    bad_request(bad);
    usleep(30000);
}

static void what_the_server_may_have_done_is_not_done_again(void **state)
{
    (void)state;
    struct unary u = told_by(hang_up_on_a_request);
    assert_code(u, RPC_UNAVAILABLE);
    assert_says(u, "was lost");
    assert_int_equal(u.reply.attempts, 1);
}

static void hang_up_once(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    if (bad_index(bad) > 0) {
        bad_answer(bad, stream, "now");
        bad_wait_closed(bad);
    }
}

static void unless_the_caller_allows_it(void **state)
{
    (void)state;
    fixture *t = against(hang_up_once);
    struct unary u = kit_echo(
        t, "hello", (struct rpc_channel_call_options){.retries_max = 3});
    assert_echoed(u, "now");
    assert_true(u.reply.attempts >= 2);
    stop(t);
}

/* --- responses that are none --- */

static void no_trailers(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_message(bad, stream, "hello");
    bad_frame(bad, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "", 0);
    bad_wait_closed(bad);
}

static void trailers_without_status(struct bad *bad)
{
    static const char *const fields[] = {"something", "else", NULL};
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_message(bad, stream, "hello");
    bad_headers(bad, stream, true, fields);
    bad_wait_closed(bad);
}

static void status_of_words(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_trailers(bad, stream, "fine");
    bad_wait_closed(bad);
}

static void status_of_tomorrow(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_trailers(bad, stream, "99");
    bad_wait_closed(bad);
}

static void ok_without_message(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_trailers(bad, stream, "0");
    bad_wait_closed(bad);
}

static void two_messages(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_message(bad, stream, "one");
    bad_message(bad, stream, "two");
    bad_trailers(bad, stream, "0");
    bad_wait_closed(bad);
}

static void half_a_message(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_frame(bad, NGHTTP2_DATA, 0, stream, "\0\0\0\0\5\x0a\3h", 8);
    bad_trailers(bad, stream, "0");
    bad_wait_closed(bad);
}

static void a_flag_of_seven(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_frame(bad, NGHTTP2_DATA, 0, stream, "\7\0\0\0\0", 5);
    bad_wait_closed(bad);
}

static void compressed_by_nothing(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_frame(bad, NGHTTP2_DATA, 0, stream, "\1\0\0\0\1x", 6);
    bad_wait_closed(bad);
}

static void four_gigabytes(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_frame(bad, NGHTTP2_DATA, 0, stream, "\0\xff\xff\xff\xff", 5);
    bad_wait_closed(bad);
}

static void no_message_of_ours(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    bad_frame(bad, NGHTTP2_DATA, 0, stream, "\0\0\0\0\2\x0a\x7f", 7);
    bad_trailers(bad, stream, "0");
    bad_wait_closed(bad);
}

static void metadata_without_measure(struct bad *bad)
{
    static char value[17000];
    const char *const fields[] = {":status",          "200",    "content-type",
                                  "application/grpc", "x-long", value,
                                  "grpc-status",      "0",      NULL};
    memset(value, 'x', sizeof value - 1);
    uint32_t stream = bad_request(bad);
    bad_headers(bad, stream, true, fields);
    bad_wait_closed(bad);
}

static void metadata_without_end(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_frame(bad, NGHTTP2_HEADERS, 0, stream, "\x88", 1);
    for (int i = 0; i < 1000; i++)
        bad_frame(bad, NGHTTP2_CONTINUATION, 0, stream, "\xa0", 1);
    bad_wait_closed(bad);
}

static void responses_that_are_none_have_a_status(void **state)
{
    (void)state;
    static const struct {
        void (*script)(struct bad *bad);
        rpc_code code;
    } table[] = {
        {no_trailers, RPC_INTERNAL},
        {trailers_without_status, RPC_UNKNOWN},
        {status_of_words, RPC_UNKNOWN},
        {status_of_tomorrow, RPC_UNKNOWN},
        {ok_without_message, RPC_UNIMPLEMENTED},
        {two_messages, RPC_UNIMPLEMENTED},
        {half_a_message, RPC_INTERNAL},
        {a_flag_of_seven, RPC_INTERNAL},
        {compressed_by_nothing, RPC_INTERNAL},
        {four_gigabytes, RPC_RESOURCE_EXHAUSTED},
        {no_message_of_ours, RPC_INTERNAL},
        {metadata_without_measure, RPC_RESOURCE_EXHAUSTED},
        {metadata_without_end, RPC_UNAVAILABLE},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct unary u = told_by(table[i].script);
        if (u.code != table[i].code)
            print_error("row %zu\n", i);
        assert_code(u, table[i].code);
    }
}

/* --- floods --- */

static void ping_without_end(struct bad *bad)
{
    bad_request(bad);
    for (int i = 0; i < 5000; i++)
        bad_frame(bad, NGHTTP2_PING, 0, 0, "8 bytes!", 8);
    bad_wait_closed(bad);
}

static void settings_without_end(struct bad *bad)
{
    bad_request(bad);
    for (int i = 0; i < 5000; i++)
        bad_frame(bad, NGHTTP2_SETTINGS, 0, 0, "", 0);
    bad_wait_closed(bad);
}

static void nothing_without_end(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    for (int i = 0; i < 5000; i++)
        bad_frame(bad, NGHTTP2_DATA, 0, stream, "", 0);
    bad_wait_closed(bad);
}

static void updates_without_end(struct bad *bad)
{
    bad_request(bad);
    for (int i = 0; i < 5000; i++)
        bad_frame(bad, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
    bad_wait_closed(bad);
}

static void a_flood_ends_the_connection(void **state)
{
    (void)state;
    static void (*const floods[])(struct bad * bad) = {
        ping_without_end, settings_without_end, nothing_without_end,
        updates_without_end};
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        struct unary u = told_by(floods[i]);
        if (u.code != RPC_UNAVAILABLE)
            print_error("flood %zu\n", i);
        assert_code(u, RPC_UNAVAILABLE);
    }
}

static void push(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_frame(bad, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, stream,
              "\0\0\0\2\x82\x87\x84", 7);
    bad_wait_closed(bad);
}

/* More than the 64 KiB that it was granted. */
static void overrun_the_window(struct bad *bad)
{
    static const uint8_t bytes[16000];
    uint32_t stream = bad_request(bad);
    bad_open(bad, stream);
    for (int i = 0; i < 200; i++)
        bad_frame(bad, NGHTTP2_DATA, 0, stream, bytes, sizeof bytes);
    bad_wait_closed(bad);
}

static void http_1(struct bad *bad)
{
    bad_send(bad, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

static void who_breaks_http_2_is_left(void **state)
{
    (void)state;
    assert_failed(told_by(push), RPC_UNAVAILABLE);
    fixture *t = fixture_of(bad_server_start_mute(http_1));
    assert_failed(kit_echo(t, "hello", plain), RPC_UNAVAILABLE);
    stop(t);
    /* An endless stream of empty messages where one is expected. */
    assert_failed(told_by(overrun_the_window), RPC_UNIMPLEMENTED);
}

/* --- servers that do not answer --- */

static void say_nothing(struct bad *bad)
{
    bad_wait_closed(bad);
}

static void who_never_greets_is_no_server(void **state)
{
    (void)state;
    fixture *t = fixture_of(bad_server_start_mute(say_nothing));
    rpc_channel_destroy(t->channel);
    t->channel =
        kit_channel(t, (struct rpc_channel_options){.connect_timeout_ms = 50});
    struct unary u = kit_echo(t, "hello", plain);
    assert_code(u, RPC_UNAVAILABLE);
    assert_says(u, t->address);
    assert_says(u, "did not answer in time");
    stop(t);
}

static void hang_up(struct bad *bad)
{
    (void)bad;
}

static void who_greets_and_hangs_up_is_not_called_in_a_circle(void **state)
{
    (void)state;
    fixture *t = against(hang_up);
    rpc_channel_destroy(t->channel);
    t->channel =
        kit_channel(t, (struct rpc_channel_options){.backoff_min_ms = 60000});
    metric connected = metrics_counter("grpc_client_connected_total", "", NULL);
    int64_t before = metrics_value(connected);
    for (int i = 0; i < 20; i++)
        assert_failed(kit_echo(t, "hello", plain), RPC_UNAVAILABLE);
    assert_true(metrics_value(connected) - before <= 2);
    stop(t);
}

static void answer_no_pings(struct bad *bad)
{
    struct bad_frame frame;
    while (bad_wait(bad, NGHTTP2_PING, 0, &frame))
        continue;
}

static void a_server_that_answers_no_ping_is_gone(void **state)
{
    (void)state;
    fixture *t = against(answer_no_pings);
    t->channel->options.keepalive_ms = 20; /* less than anyone may ask for */
    t->channel->options.keepalive_timeout_ms = 20;
    struct unary u = kit_echo(t, "hello", plain);
    assert_code(u, RPC_UNAVAILABLE);
    assert_says(u, "PING");
    stop(t);
}

static void complain_of_pings(struct bad *bad)
{
    uint32_t stream = bad_request(bad);
    bad_goaway(bad, stream, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
    bad_answer(bad, stream, "calmly");
    bad_wait_closed(bad);
}

static void too_many_pings_makes_them_fewer(void **state)
{
    (void)state;
    fixture *t = against(complain_of_pings);
    t->channel->options.keepalive_ms = 10000;
    struct unary u = kit_echo(t, "hello", plain);
    assert_echoed(u, "calmly");
    assert_int_equal(u.reply.attempts, 1);
    assert_int_equal(t->channel->options.keepalive_ms, 20000);
    stop(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_goaway_calls_take_another_connection),
        cmocka_unit_test(a_stream_that_is_reset_without_a_status_has_failed),
        cmocka_unit_test(pings_are_answered_at_any_time),
        cmocka_unit_test(no_more_streams_are_open_than_the_server_takes),
        cmocka_unit_test(padding_changes_nothing),
        cmocka_unit_test(each_reset_has_its_status),
        cmocka_unit_test(each_http_status_has_its_own),
        cmocka_unit_test(a_refused_call_is_made_again),
        cmocka_unit_test(a_call_that_is_refused_twice_has_failed),
        cmocka_unit_test(a_call_behind_the_goaway_is_made_elsewhere),
        cmocka_unit_test(what_the_server_may_have_done_is_not_done_again),
        cmocka_unit_test(unless_the_caller_allows_it),
        cmocka_unit_test(responses_that_are_none_have_a_status),
        cmocka_unit_test(a_flood_ends_the_connection),
        cmocka_unit_test(who_breaks_http_2_is_left),
        cmocka_unit_test(who_never_greets_is_no_server),
        cmocka_unit_test(who_greets_and_hangs_up_is_not_called_in_a_circle),
        cmocka_unit_test(a_server_that_answers_no_ping_is_gone),
        cmocka_unit_test(too_many_pings_makes_them_fewer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
