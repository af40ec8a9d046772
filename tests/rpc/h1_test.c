/* HTTP/1.1 over real sockets: what is answered, what becomes of the connection,
 * and that nobody is served two requests for one. */
#include "tests/wire/http1.h"

static int start(void **state)
{
    *state = wire_start((struct rpc_server_options){.web_origins = "*"});
    return 0;
}

static void a_connection_serves_one_call_after_another(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    for (int i = 0; i < 5; i++) {
        char text[32];
        snprintf(text, sizeof text, "call %d", i);
        assert_echoes(t, peer, text);
    }
    hang_up(peer);
}

static void an_answer_says_how_long_it_is(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say_echo(t, peer, "x");
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_OK);
    assert_non_null(header(answer, "content-length"));
    assert_null(header(answer, "transfer-encoding"));
    assert_null(header(answer, "connection"));
    assert_int_equal(strlen(header(answer, "date")),
                     strlen("Sun, 06 Nov 1994 08:49:37 GMT"));
    hang_up(peer);
}

static void a_stream_comes_in_chunks(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 20;
    req.payload_bytes = 10000;
    req.interval_ms = 1;
    say(peer, WEB_HEAD(TEST_SERVER_STREAM));
    say_body(peer, framed(t, &req));
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_OK);
    assert_string_equal(header(answer, "transfer-encoding"), "chunked");
    assert_null(header(answer, "content-length"));
    ServerStreamResponse *last =
        web_message(t, answer, SERVER_STREAM_RESPONSE_DESCRIPTOR, 19);
    assert_int_equal(last->index, 19);
    assert_int_equal(last->payload.len, 10000);
    assert_echoes(t, peer, "and goes on");
    hang_up(peer);
}

static void a_request_may_come_in_chunks(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer, WEB_HEAD(TEST_CLIENT_STREAM) CHUNKED);
    for (int i = 1; i <= 100; i++) {
        ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
        req.number = i;
        say_chunk(peer, framed(t, &req));
    }
    say(peer, "0\r\nX-Trailer: dropped\r\n\r\n");
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_OK);
    ClientStreamResponse *res =
        web_message(t, answer, CLIENT_STREAM_RESPONSE_DESCRIPTOR, 0);
    assert_int_equal(res->sum, 5050);
    assert_echoes(t, peer, "and goes on");
    hang_up(peer);
}

/* Half duplex: all of the request, then all of the answer. */
static void a_bidi_stream_works_one_way_at_a_time(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    BidiStreamRequest req = BIDI_STREAM_REQUEST_INIT;
    req.text = "there and back";
    say(peer, WEB_HEAD(TEST_BIDI_STREAM) CHUNKED);
    say_chunk(peer, framed(t, &req));
    say_chunk(peer, framed(t, &req));
    say(peer, "0\r\n\r\n");
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_OK);
    BidiStreamResponse *res =
        web_message(t, answer, BIDI_STREAM_RESPONSE_DESCRIPTOR, 1);
    assert_string_equal(res->text, "there and back");
    hang_up(peer);
}

/* Many times the window: it opens as the handler takes messages. */
static void a_long_request_is_taken_as_fast_as_it_is_read(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    static uint8_t payload[50000];
    ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
    req.payload = (ProtobufCBinaryData){sizeof payload, payload};
    say(peer, WEB_HEAD(TEST_CLIENT_STREAM) CHUNKED);
    for (int i = 0; i < 40; i++)
        say_chunk(peer, framed(t, &req));
    say(peer, "0\r\n\r\n");
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_OK);
    ClientStreamResponse *res =
        web_message(t, answer, CLIENT_STREAM_RESPONSE_DESCRIPTOR, 0);
    assert_int_equal(res->payload_bytes, 40 * (int64_t)sizeof payload);
    hang_up(peer);
}

static void a_large_message_arrives_whole(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    static char text[200001];
    memset(text, 'a', sizeof text - 1);
    assert_echoes(t, peer, text);
    say(peer, WEB_HEAD(TEST_ECHO) CHUNKED);
    say_chunk(peer, echo_body(t, text));
    say(peer, "0\r\n\r\n");
    assert_answers_echo(t, peer, text);
    hang_up(peer);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    char talk[1024];
    struct bytes body = echo_body(t, "slowly");
    size_t size = (size_t)sprintf(talk, "%s%s%zx\r\n", WEB_HEAD(TEST_ECHO),
                                  CHUNKED, body.size);
    memcpy(talk + size, body.data, body.size);
    size += body.size;
    size += (size_t)sprintf(talk + size, "\r\n0\r\n\r\n");
    for (size_t i = 0; i < size; i++)
        say_bytes(peer, talk + i, 1);
    assert_answers_echo(t, peer, "slowly");
    hang_up(peer);
}

static void requests_sent_ahead_are_answered_in_order(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    char text[32];
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "call %d", i);
        say_echo(t, peer, text);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "call %d", i);
        assert_answers_echo(t, peer, text);
    }
    hang_up(peer);
}

static void fields_of_the_hop_and_an_upgrade_are_ignored(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer, WEB_HEAD(TEST_ECHO) "Connection: Upgrade, HTTP2-Settings\r\n"
                                  "Upgrade: h2c\r\n"
                                  "HTTP2-Settings: AAMAAABkAAQAAP__\r\n"
                                  "Keep-Alive: timeout=5\r\nTE: trailers\r\n"
                                  "Proxy-Authorization: Basic eA==\r\n");
    say_body(peer, echo_body(t, "x"));
    assert_answers_echo(t, peer, "x");
    assert_echoes(t, peer, "still HTTP/1.1");
    hang_up(peer);
}

static void a_client_may_ask_to_close(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer, WEB_HEAD(TEST_ECHO) "Connection: close\r\n");
    say_body(peer, echo_body(t, "x"));
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_OK);
    assert_string_equal(header(answer, "connection"), "close");
    assert_closed(peer);
}

/* --- Connect --- */

#define JSON_HEAD(path)                     \
    "POST " path " HTTP/1.1\r\nHost: x\r\n" \
    "Content-Type: application/json\r\n"

static void say_json(struct peer *peer, const char *json)
{
    say_body(peer, (struct bytes){(uint8_t *)(uintptr_t)json, strlen(json)});
}

static void connect_speaks_json_by_post(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer, JSON_HEAD(TEST_ECHO));
    say_json(peer, "{\"text\":\"caf\u00e9\",\"number\":\"7\"}");
    struct answer *answer = answer_of(peer);
    assert_int_equal(answer->status, 200);
    assert_string_equal(header(answer, "content-type"), "application/json");
    assert_string_equal(answer->body,
                        "{\"text\":\"caf\u00e9\",\"number\":\"7\"}");
    hang_up(peer);
}

static void connect_answers_an_error_and_goes_on(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer, JSON_HEAD(TEST_FAIL));
    say_json(peer, "{\"code\":5,\"message\":\"gone\"}");
    struct answer *answer = answer_of(peer);
    assert_int_equal(answer->status, 404);
    assert_non_null(strstr(answer->body, "\"code\":\"not_found\""));
    assert_non_null(strstr(answer->body, "\"message\":\"gone\""));
    say(peer, JSON_HEAD("/prbal.test.TestService/Nothing"));
    say_json(peer, "{}");
    assert_int_equal(answer_of(peer)->status, 404);
    assert_echoes(t, peer, "next");
    hang_up(peer);
}

static void connect_reads_by_get(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer, "GET /prbal.test.TestService/Read?connect=v1&encoding=json"
              "&message=%7B%7D HTTP/1.1\r\nHost: x\r\n\r\n");
    struct answer *answer = answer_of(peer);
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->body, "\"nextPageToken\":\"more\""));
    assert_echoes(t, peer, "next");
    hang_up(peer);
}

/* Envelopes of protobuf: gRPC's own framing, and a last one of JSON. */
static void connect_streams_both_ways_in_turn(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    BidiStreamRequest req = BIDI_STREAM_REQUEST_INIT;
    req.text = "there and back";
    say(peer, "POST " TEST_BIDI_STREAM " HTTP/1.1\r\nHost: x\r\n"
              "Content-Type: application/connect+proto\r\n" CHUNKED);
    say_chunk(peer, framed(t, &req));
    say_chunk(peer, framed(t, &req));
    say(peer, "0\r\n\r\n");
    struct answer *answer = answer_of(peer);
    assert_int_equal(answer->status, 200);
    BidiStreamResponse *res =
        web_message(t, answer, BIDI_STREAM_RESPONSE_DESCRIPTOR, 1);
    assert_string_equal(res->text, "there and back");
    static const char end[] = "\2\0\0\0\2{}";
    size_t size = sizeof end - 1;
    assert_true(answer->body_size > size);
    assert_memory_equal(answer->body + answer->body_size - size, end, size);
    hang_up(peer);
}

/* --- what is no call, or a broken one --- */

#define PLAIN(method, target) method " " target " HTTP/1.1\r\nHost: x\r\n"

static const struct {
    const char *request;
    int status; /* 0 = not even that */
    bool closes;
} rows[] = {
    {PLAIN("GET", "/") "\r\n", 404, false},
    {PLAIN("HEAD", "/") "\r\n", 404, false},
    {PLAIN("OPTIONS", "*") "\r\n", 404, false},
    {PLAIN("TRACE", "/") "\r\n", 404, false},
    {PLAIN("POST", "/") "Content-Length: 5\r\n\r\nhello", 415, false},
    {PLAIN("POST", "/") "Content-Type: application/grpc\r\n\r\n", 505, false},
    {PLAIN("POST", "/") "Content-Length: 1000000\r\n\r\nhello", 415, true},
    {PLAIN("POST", "/") CHUNKED "5\r\nhello\r\n0\r\n\r\n", 415, false},
    {PLAIN("POST", "/") CHUNKED "5\r\nhello\r\n", 415, true},
    {PLAIN("POST", "/") "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
     415, true},
    {"GET / HTTP/1.0\r\nHost: x\r\n\r\n", 505, true},
    {"GET / HTTP/1.1\r\n\r\n", 400, true},
    {"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
    {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400, true},
    {"GET / HTTP/1.1\nHost: x\n\n", 400, true},
    {PLAIN("GET", "/") "Host: y\r\n\r\n", 400, true},
    {PLAIN("GET", "/") "X : y\r\n\r\n", 400, true},
    {PLAIN("GET", "/") "X: y\r\n z\r\n\r\n", 400, true},
    {PLAIN("POST", "/") "Content-Length: 5, 5\r\n\r\nhello", 400, true},
    {PLAIN("POST", "/") "Content-Length: 5\r\n" CHUNKED "0\r\n\r\n", 400, true},
    {PLAIN("POST", "/") "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, true},
    {PLAIN("POST", "/") "Expect: magic\r\n\r\n", 417, true},
    {WEB_HEAD(TEST_ECHO) CHUNKED "3;ext=1\r\nabc\r\n0\r\n\r\n", 400, true},
    {WEB_HEAD(TEST_ECHO) CHUNKED "3\nabc\n0\n\n", 400, true},
    {WEB_HEAD(TEST_ECHO) CHUNKED "123456789\r\n", 400, true},
    {WEB_HEAD(TEST_ECHO) CHUNKED "0\r\nbad trailer\r\n\r\n", 400, true},
    {"PRI / HTTP/1.1\r\nHost: x\r\n\r\n", 0, true},
};

/* A request behind the tricky one shows who is confused: it is answered where
 * the connection goes on, and by nobody where it does not. */
static void each_trick_has_one_answer(void **state)
{
    fixture *t = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct peer *peer = dial(t);
        say(peer, rows[i].request);
        if (strncmp(rows[i].request, "HEAD", 4) == 0) {
            char head[1024];
            take_until(peer, "\r\n\r\n", head, sizeof head);
            assert_memory_equal(head, "HTTP/1.1 404", 12);
            assert_null(strstr(head, "\r\ntransfer-encoding"));
        } else if (rows[i].status != 0) {
            struct answer *answer = answer_of(peer);
            if (answer->status != rows[i].status)
                fail_msg("%d for %s", answer->status, rows[i].request);
            assert_true(answer->body_size > 0);
            assert_int_equal(header(answer, "connection") != NULL,
                             rows[i].closes);
        }
        if (rows[i].closes) {
            say_echo(t, peer, "smuggled");
            while (hear(peer))
                continue;
            assert_null(memmem(peer->bytes, peer->size, "grpc-status", 11));
            hang_up(peer);
        } else {
            assert_echoes(t, peer, "next");
            hang_up(peer);
        }
    }
    assert_still_serves(t);
}

static void a_preflight_is_answered_without_a_body(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer, PLAIN("OPTIONS", TEST_ECHO) "Origin: https://app.example\r\n"
                                          "Access-Control-Request-Method: "
                                          "POST\r\n\r\n");
    struct answer *answer = answer_of(peer);
    assert_int_equal(answer->status, 204);
    assert_string_equal(header(answer, "access-control-allow-origin"),
                        "https://app.example");
    assert_null(header(answer, "content-length"));
    assert_echoes(t, peer, "and then the call");
    hang_up(peer);
}

static void grpc_itself_is_told_what_it_needs(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer,
        PLAIN("POST", TEST_ECHO) "Content-Type: application/grpc+proto\r\n"
                                 "TE: trailers\r\n");
    say_body(peer, echo_body(t, "x"));
    struct answer *answer = answer_of(peer);
    assert_int_equal(answer->status, 505);
    assert_non_null(strstr(answer->body, "gRPC needs HTTP/2"));
    hang_up(peer);
}

static void headers_have_the_limit_of_http_2(void **state)
{
    fixture *t = *state;
    static char line[70000];
    static const struct {
        const char *before;
        size_t size;
        const char *after;
        int status;
    } sizes[] = {
        {"GET /", 7900, " HTTP/1.1\r\nHost: x\r\n\r\n", 404},
        {"GET /", 60000, " HTTP/1.1\r\nHost: x\r\n\r\n", 414},
        {"GET / HTTP/1.1\r\nHost: x\r\nX: ", 60000, "\r\n\r\n", 431},
        {"", 60000, "", 414},
    };
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct peer *peer = dial(t);
        say(peer, sizes[i].before);
        memset(line, 'a', sizes[i].size);
        say_bytes(peer, line, sizes[i].size);
        say(peer, sizes[i].after);
        assert_int_equal(answer_of(peer)->status, sizes[i].status);
        hang_up(peer);
    }
    assert_true(ended("http1_target_too_long") >= 2);
    assert_true(ended("http1_headers_too_large") >= 1);
}

/* --- 100 Continue --- */

static void a_client_that_waits_is_told_to_go_on(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    struct bytes body = echo_body(t, "patient");
    char line[128], heard[128];
    snprintf(line, sizeof line,
             "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n", body.size);
    say(peer, WEB_HEAD(TEST_ECHO));
    say(peer, line);
    take_until(peer, "\r\n\r\n", heard, sizeof heard);
    assert_string_equal(heard, "HTTP/1.1 100 Continue\r\n\r\n");
    say_bytes(peer, body.data, body.size);
    assert_answers_echo(t, peer, "patient");
    assert_echoes(t, peer, "next");
    hang_up(peer);
}

static void a_client_that_does_not_wait_is_not_told(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    char talk[1024];
    struct bytes body = echo_body(t, "hasty");
    size_t size = (size_t)sprintf(
        talk, "%sExpect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
        WEB_HEAD(TEST_ECHO), body.size);
    memcpy(talk + size, body.data, body.size);
    say_bytes(peer, talk, size + body.size);
    assert_answers_echo(t, peer, "hasty");
    hang_up(peer);
}

/* Nobody can tell whether the body comes after all. */
static void a_refusal_before_the_body_closes(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer,
        WEB_HEAD("/prbal.test.TestService/Nothing") "Expect: "
                                                    "100-continue\r\nContent-"
                                                    "Length: 5\r\n\r\n");
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_UNIMPLEMENTED);
    assert_string_equal(header(answer, "connection"), "close");
    say(peer, "hello");
    assert_closed(peer);
}

static void a_refusal_leaves_a_short_body_unread_and_goes_on(void **state)
{
    fixture *t = *state;
    struct peer *peer = dial(t);
    say(peer, WEB_HEAD("/prbal.test.TestService/Nothing"));
    say(peer, "Content-Length: 5\r\n\r\n");
    assert_web(answer_of(peer), RPC_UNIMPLEMENTED);
    say(peer, "hello");
    assert_echoes(t, peer, "next");
    hang_up(peer);
}

static void an_early_answer_to_a_long_body_arrives(void **state)
{
    fixture *t = *state;
    static uint8_t filler[100000];
    struct peer *peer = dial(t);
    say(peer, WEB_HEAD("/prbal.test.TestService/Nothing"));
    say(peer, "Content-Length: 100000000\r\n\r\n");
    say_bytes(peer, filler, sizeof filler);
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_UNIMPLEMENTED);
    assert_string_equal(header(answer, "connection"), "close");
    hang_up(peer);
}

static void connections_are_counted_by_what_they_speak(void **state)
{
    fixture *t = *state;
    metric http1 = metrics_counter("grpc_server_connections_begun_total", "",
                                   "protocol=\"http1\"");
    metric h2 = metrics_counter("grpc_server_connections_begun_total", "",
                                "protocol=\"h2\"");
    int64_t http1_before = metrics_value(http1), h2_before = metrics_value(h2);
    struct peer *peer = dial(t);
    assert_echoes(t, peer, "x");
    hang_up(peer);
    assert_still_serves(t);
    assert_int_equal(metrics_value(http1) - http1_before, 1);
    assert_int_equal(metrics_value(h2) - h2_before, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_serves_one_call_after_another),
        cmocka_unit_test(an_answer_says_how_long_it_is),
        cmocka_unit_test(a_stream_comes_in_chunks),
        cmocka_unit_test(a_request_may_come_in_chunks),
        cmocka_unit_test(a_bidi_stream_works_one_way_at_a_time),
        cmocka_unit_test(a_long_request_is_taken_as_fast_as_it_is_read),
        cmocka_unit_test(a_large_message_arrives_whole),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(requests_sent_ahead_are_answered_in_order),
        cmocka_unit_test(fields_of_the_hop_and_an_upgrade_are_ignored),
        cmocka_unit_test(a_client_may_ask_to_close),
        cmocka_unit_test(connect_speaks_json_by_post),
        cmocka_unit_test(connect_answers_an_error_and_goes_on),
        cmocka_unit_test(connect_reads_by_get),
        cmocka_unit_test(connect_streams_both_ways_in_turn),
        cmocka_unit_test(each_trick_has_one_answer),
        cmocka_unit_test(a_preflight_is_answered_without_a_body),
        cmocka_unit_test(grpc_itself_is_told_what_it_needs),
        cmocka_unit_test(headers_have_the_limit_of_http_2),
        cmocka_unit_test(a_client_that_waits_is_told_to_go_on),
        cmocka_unit_test(a_client_that_does_not_wait_is_not_told),
        cmocka_unit_test(a_refusal_before_the_body_closes),
        cmocka_unit_test(a_refusal_leaves_a_short_body_unread_and_goes_on),
        cmocka_unit_test(an_early_answer_to_a_long_body_arrives),
        cmocka_unit_test(connections_are_counted_by_what_they_speak),
    };
    return cmocka_run_group_tests(tests, start, wire_stop);
}
