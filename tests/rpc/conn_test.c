/* Connections: greetings, limits, attacks.  Every attack ends with a look
 * whether others are still served. */
#include "tests/rpc/conn_kit.h"

#include <semaphore.h>

/* --- greetings --- */

static void a_request_may_come_byte_by_byte(void **state)
{
    fixture *t = *state;
    struct raw *raw = raw_connect(t->port);
    uint8_t talk[512], headers[256];
    size_t size = 0;
    size_t block =
        raw_headers(raw, headers, sizeof headers, TEST_ECHO, NULL, NULL);
    memcpy(talk, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    size += NGHTTP2_CLIENT_MAGIC_LEN;
    memcpy(talk + size, "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0", 18);
    size += 18;
    memcpy(talk + size, (uint8_t[]){0, 0, (uint8_t)block, 1, 4, 0, 0, 0, 1}, 9);
    memcpy(talk + size + 9, headers, block);
    size += 9 + block;
    memcpy(talk + size, "\0\0\5\0\1\0\0\0\1\0\0\0\0\0", 14);
    size += 14;
    memcpy(talk + size, "\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0", 17);
    size += 17; /* GOAWAY: we leave after this answer */
    for (size_t i = 0; i < size; i++)
        raw_send(raw, talk + i, 1);
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.frames[NGHTTP2_HEADERS], 2);
    assert_int_equal(end.frames[NGHTTP2_DATA], 1);
    assert_int_equal(end.frames[NGHTTP2_RST_STREAM], 0);
    raw_close(raw);
}

static void strangers_are_shown_the_door(void **state)
{
    fixture *t = *state;
    static const char *const talks[] = {
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\x16\x03\x01\x00\x05hello",
        "\n\n\n\n",
    };
    for (size_t i = 0; i < COUNT(talks); i++) {
        struct raw *raw = raw_connect(t->port);
        raw_send(raw, talks[i], strlen(talks[i]));
        raw_wait_closed(raw);
        raw_close(raw);
    }
    assert_still_serves(t);
}

static void a_person_with_a_browser_is_told_what_this_is(void **state)
{
    fixture *t = *state;
    struct raw *raw = raw_connect(t->port);
    char text[512];
    static const char talk[] =
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    raw_send(raw, talk, sizeof talk - 1);
    raw_wait_text(raw, text, sizeof text);
    assert_ptr_equal(strstr(text, "HTTP/1.1 404 "), text);
    assert_non_null(
        strstr(text, "This server speaks gRPC, gRPC-Web and Connect"));
    raw_close(raw);
}

static void random_bytes_do_no_harm(void **state)
{
    fixture *t = *state;
    uint32_t x = 2463534242;
    for (int round = 0; round < 200; round++) {
        struct raw *raw = raw_connect(t->port);
        uint8_t noise[1500];
        for (size_t i = 0; i < sizeof noise; i++) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            noise[i] = (uint8_t)x;
        }
        if (round % 2 == 0)
            raw_greet(raw);
        raw_send(raw, noise, sizeof noise);
        raw_close(raw);
    }
    assert_still_serves(t);
}

static void a_client_that_does_not_greet_is_dropped(void **state)
{
    fixture *t = wire_start((struct rpc_server_options){.handshake_ms = 50});
    static const char *const beginnings[] = {"", "PRI * HT",
                                             NGHTTP2_CLIENT_MAGIC, "\x16\x03"};
    for (size_t i = 0; i < COUNT(beginnings); i++) {
        struct raw *raw = raw_connect(t->port);
        raw_send(raw, beginnings[i], strlen(beginnings[i]));
        raw_wait_closed(raw);
        raw_close(raw);
    }
    assert_true(ended("handshake_timeout") >= 4);
    (void)state;
    finish(t);
}

/* --- attacks --- */

static void assert_refused(fixture *t, struct raw *raw, int64_t code,
                           const char *reason)
{
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.goaway_code, code);
    assert_string_equal(end.goaway_text, reason);
    raw_close(raw);
    assert_still_serves(t);
}

static void send_headers(struct raw *raw, uint32_t stream, uint8_t flags,
                         const char *name, const char *value)
{
    uint8_t block[1024];
    size_t size =
        raw_headers(raw, block, sizeof block, TEST_SLEEP, name, value);
    raw_frame(raw, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream,
              block, size);
}

static void rapid_reset_is_stopped(void **state)
{
    fixture *t = *state;
    struct raw *raw = greeted(t);
    for (uint32_t stream = 1; stream < 2000 && raw_read_available(raw);
         stream += 2) {
        send_headers(raw, stream, 0, NULL, NULL);
        raw_frame(raw, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x8", 4);
    }
    assert_refused(t, raw, NGHTTP2_ENHANCE_YOUR_CALM, "rapid_reset");
}

/* The doors of MadeYouReset: the client breaks a rule of one stream, and the
 * server resets it. */
static void break_by_window(struct raw *raw, uint32_t stream)
{
    send_headers(raw, stream, 0, NULL, NULL);
    raw_frame(raw, NGHTTP2_WINDOW_UPDATE, 0, stream, "\x7f\xff\xff\xff", 4);
}

static void break_by_length(struct raw *raw, uint32_t stream)
{
    static const uint8_t more[300];
    send_headers(raw, stream, 0, "content-length", "1");
    raw_frame(raw, NGHTTP2_DATA, 0, stream, more, sizeof more);
}

static void break_by_trailers(struct raw *raw, uint32_t stream)
{
    send_headers(raw, stream, 0, NULL, NULL);
    send_headers(raw, stream, NGHTTP2_FLAG_END_STREAM, NULL, NULL);
}

static void resets_that_the_client_provokes_are_stopped(void **state)
{
    fixture *t = *state;
    static void (*const doors[])(struct raw *, uint32_t) = {
        break_by_window, break_by_length, break_by_trailers};
    for (size_t i = 0; i < COUNT(doors); i++) {
        struct raw *raw = greeted(t);
        int resets = 0;
        for (uint32_t stream = 1; resets < 200; stream += 2) {
            doors[i](raw, stream);
            if (!raw_wait_frames(raw, NGHTTP2_RST_STREAM, ++resets))
                break;
        }
        assert_refused(t, raw, NGHTTP2_ENHANCE_YOUR_CALM, "provoked_resets");
    }
}

static const struct {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    size_t size;
    const char *reason;
} floods[] = {
    {NGHTTP2_PING, 0, 0, 8, "too_many_pings"},
    {NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, 8, "ping_flood"},
    {NGHTTP2_SETTINGS, 0, 0, 0, "settings_flood"},
    {NGHTTP2_PRIORITY, 0, 3, 5, "odd_frame_flood"},
    {0x77, 0, 0, 0, "odd_frame_flood"},
    {NGHTTP2_WINDOW_UPDATE, 0, 0, 4, "window_update_flood"},
    {NGHTTP2_DATA, 0, 1, 0, "empty_data_flood"},
    {NGHTTP2_DATA, 0, 1, 1, "tiny_data_flood"},
};

static void floods_are_stopped_with_a_reason(void **state)
{
    fixture *t = *state;
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct raw *raw = greeted(t);
        send_headers(raw, 1, 0, NULL, NULL);
        for (int n = 0; n < 1000 && raw_read_available(raw); n++)
            raw_frame(raw, floods[i].type, floods[i].flags, floods[i].stream,
                      "\0\0\0\1\0\0\0\0", floods[i].size);
        assert_refused(t, raw, NGHTTP2_ENHANCE_YOUR_CALM, floods[i].reason);
    }
}

/* One frame of 16 KiB that decodes to 50 MB of headers. */
static void a_header_bomb_is_stopped(void **state)
{
    fixture *t = *state;
    struct raw *raw = greeted(t);
    static uint8_t frame[9 + 16384];
    size_t size = 9;
    size += raw_headers(raw, frame + 9, 1024, TEST_ECHO, NULL, NULL);
    /* A new name and a value of 4000 bytes into the dynamic table ... */
    memcpy(frame + size, "\x40\1x\x7f\xa1\x1e", 6);
    size += 6;
    memset(frame + size, 'a', 4000);
    size += 4000;
    /* ... and then that entry, a byte each time. */
    memset(frame + size, 0xbe, sizeof frame - size);
    memcpy(frame, "\0\x40\0\1\5\0\0\0\1", 9);
    raw_send(raw, frame, sizeof frame);
    assert_refused(t, raw, NGHTTP2_ENHANCE_YOUR_CALM, "header_flood");
}

static void stream_identifiers_must_grow(void **state)
{
    fixture *t = *state;
    struct raw *raw = greeted(t);
    send_headers(raw, 5, 0, NULL, NULL);
    send_headers(raw, 3, 0, NULL, NULL);
    assert_refused(t, raw, NGHTTP2_PROTOCOL_ERROR, "stream_identifier_order");
}

static void data_without_a_stream_is_a_protocol_error(void **state)
{
    fixture *t = *state;
    struct raw *raw = greeted(t);
    raw_frame(raw, NGHTTP2_DATA, 0, 0, "x", 1);
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.goaway_code, NGHTTP2_PROTOCOL_ERROR);
    raw_close(raw);
}

/* Deep nesting would run a recursive decoder out of its coroutine's stack. */
static void ten_thousand_nested_messages_are_invalid(void **state)
{
    fixture *t = *state;
    static uint8_t body[5 + 60000];
    size_t at = sizeof body, size = 0;
    for (int depth = 0; depth < 10000; depth++) {
        uint8_t head[6] = {0x1a}; /* field 3, unknown group would do as well */
        size_t n = 1;
        for (size_t rest = size; n < 5; rest >>= 7) {
            head[n++] = (uint8_t)(rest & 127) | (rest > 127 ? 128 : 0);
            if (rest <= 127)
                break;
        }
        at -= n;
        memcpy(body + at, head, n);
        size += n;
    }
    client_frame(body, 0, memmove(body + 5, body + at, size), size);
    struct client_response *r =
        wire_call(t, "/prbal.test.TestService/ServerStream", NULL,
                  (struct bytes){body, size + 5});
    assert_int_equal(r->http_status, 200);
    assert_true(client_status(r) >= 0);

    memset(body + 5, 0x0b, 50000); /* field 1, 50,000 groups begin */
    client_frame(body, 0, body + 5, 50000);
    r = wire_call(t, TEST_ECHO, NULL, (struct bytes){body, 50005});
    assert_grpc(r, 200, RPC_INVALID_ARGUMENT);
    assert_still_serves(t);
}

static void more_streams_than_announced_end_the_connection(void **state)
{
    fixture *t = *state;
    struct raw *raw = greeted(t);
    /* The server's SETTINGS are acknowledged: there is no excuse. */
    for (uint32_t stream = 1; stream < 2 * 140 && raw_read_available(raw);
         stream += 2)
        send_headers(raw, stream, 0, NULL, NULL);
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.goaway_code, NGHTTP2_PROTOCOL_ERROR);
    raw_close(raw);
    assert_still_serves(t);
}

/* --- slots --- */

/* A handler whose work cannot be interrupted: a thread waits for the test. */
static sem_t stubborn_may_end;

static void wait_for_the_test(void *argument)
{
    (void)argument;
    sem_wait(&stubborn_may_end);
}

static rpc_status be_stubborn(struct rpc_call *call, const void *req, void *res)
{
    (void)req;
    (void)res;
    return rpc_offload(call, wait_for_the_test, NULL);
}

static fixture *stubborn_start(void)
{
    static struct rpc_method method = {
        .path = "/test.Stubborn/Work",
        .kind = RPC_UNARY,
        .access = RPC_ACCESS_OPEN,
        .unary = be_stubborn,
    };
    static const struct rpc_service service = {"test.Stubborn", &method, 1};
    static const struct rpc_service *const services[] = {&service};
    static const struct rpc_registry registry = {services, 1, NULL, 0, NULL, 0};
    static const struct rpc_registry *const registries[] = {
        &registry, &test_registry, NULL};
    method.request = ECHO_REQUEST_DESCRIPTOR;
    method.response = ECHO_RESPONSE_DESCRIPTOR;
    return wire_start((struct rpc_server_options){.registries = registries,
                                                  .streams_max = 2});
}

/* Resetting a stream must not make room for another while its handler works:
 * that is what rapid reset lives on. */
static void a_handler_that_outlives_its_stream_keeps_the_slot(void **state)
{
    (void)state;
    sem_init(&stubborn_may_end, 0, 0);
    fixture *t = stubborn_start();
    struct bytes body = {(uint8_t[5]){0}, 5};
    for (int i = 0; i < 2; i++) {
        struct client_response *r = client_request(
            t->client, "/test.Stubborn/Work", NULL, body.data, body.size, true);
        client_ping(t->client);
        client_reset(t->client, r, NGHTTP2_CANCEL);
    }
    struct client_response *r = wire_call(t, TEST_ECHO, NULL, body);
    assert_int_equal(r->reset_code, NGHTTP2_REFUSED_STREAM);
    sem_post(&stubborn_may_end);
    sem_post(&stubborn_may_end);
    for (int i = 0; i < 1000 && r->reset_code != CLIENT_NO_RESET; i++)
        r = wire_call(t, TEST_ECHO, NULL, body);
    assert_grpc(r, 200, RPC_OK);
    sem_destroy(&stubborn_may_end);
    finish(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(strangers_are_shown_the_door),
        cmocka_unit_test(a_person_with_a_browser_is_told_what_this_is),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(a_client_that_does_not_greet_is_dropped),
        cmocka_unit_test(rapid_reset_is_stopped),
        cmocka_unit_test(resets_that_the_client_provokes_are_stopped),
        cmocka_unit_test(floods_are_stopped_with_a_reason),
        cmocka_unit_test(a_header_bomb_is_stopped),
        cmocka_unit_test(stream_identifiers_must_grow),
        cmocka_unit_test(data_without_a_stream_is_a_protocol_error),
        cmocka_unit_test(ten_thousand_nested_messages_are_invalid),
        cmocka_unit_test(more_streams_than_announced_end_the_connection),
        cmocka_unit_test(a_handler_that_outlives_its_stream_keeps_the_slot),
    };
    return cmocka_run_group_tests(tests, start, wire_stop);
}
