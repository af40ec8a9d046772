/* Streams of Connect, and JSON on all protocols. */
#include "tests/rpc/connect_kit.h"

/* --- streams --- */

static const struct rpc_header streaming[] = {
    {"content-type", "application/connect+proto"}, {NULL, NULL}};

/* The JSON of the last envelope, which has flag 2. */
static const char *end_of(fixture *t, const struct client_response *r)
{
    const uint8_t *at = r->body, *end = r->body + r->body_size;
    while (end - at >= 5) {
        size_t size = (size_t)at[1] << 24 | at[2] << 16 | at[3] << 8 | at[4];
        assert_true(size <= (size_t)(end - at - 5));
        if (at[0] == 2) {
            assert_true(at + 5 + size == end);
            return arena_strndup(t->arena, (const char *)at + 5, size);
        }
        at += 5 + size;
    }
    fail_msg("no end of stream");
    return NULL;
}

static void a_stream_ends_with_an_envelope(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 3;
    struct client_response *r =
        wire_call(t, TEST_SERVER_STREAM, streaming, framed(t, &req));
    assert_int_equal(r->http_status, 200);
    assert_int_equal(r->header_blocks, 1);
    assert_string_equal(client_field(r, "content-type"),
                        "application/connect+proto");
    ServerStreamResponse *res =
        message_at(t, SERVER_STREAM_RESPONSE_DESCRIPTOR, r, 2);
    assert_int_equal(res->index, 2);
    assert_string_equal(end_of(t, r), "{}");
}

static void an_error_of_a_stream_is_in_its_end(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1;
    req.code = RPC_ABORTED;
    struct client_response *r =
        wire_call(t, TEST_SERVER_STREAM, streaming, framed(t, &req));
    assert_int_equal(r->http_status, 200);
    assert_string_equal(
        end_of(t, r),
        "{\"error\":{\"code\":\"aborted\",\"message\":\"as asked for\"}}");
}

static void a_client_stream_adds_up(void **state)
{
    fixture *t = *state;
    ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
    struct client_response *r = client_request(t->client, TEST_CLIENT_STREAM,
                                               streaming, NULL, 0, false);
    for (req.number = 1; req.number <= 4; req.number++) {
        struct bytes body = framed(t, &req);
        client_send(t->client, r, body.data, body.size, req.number == 4);
    }
    client_wait(t->client, r);
    ClientStreamResponse *res =
        message_at(t, CLIENT_STREAM_RESPONSE_DESCRIPTOR, r, 0);
    assert_int_equal(res->sum, 10);
}

static void both_sides_may_talk_at_once(void **state)
{
    fixture *t = *state;
    BidiStreamRequest req = BIDI_STREAM_REQUEST_INIT;
    req.text = "ping";
    struct bytes body = framed(t, &req);
    struct client_response *r =
        client_request(t->client, TEST_BIDI_STREAM, streaming, NULL, 0, false);
    for (size_t i = 1; i <= 3; i++) {
        client_send(t->client, r, body.data, body.size, false);
        client_wait_body(t->client, r, i * body.size);
    }
    client_send(t->client, r, NULL, 0, true);
    client_wait(t->client, r);
    assert_string_equal(end_of(t, r), "{}");
}

static void broken_streams_are_told_in_their_end(void **state)
{
    fixture *t = *state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *code;
    } rows[] = {
        {"", 0, "unimplemented"},
        {"\0\0\0\0\0\0\0\0\0\0", 10, "unimplemented"},
        {"\0\0\0\0", 4, "invalid_argument"},
        {"\0\0\0\0\1", 5, "invalid_argument"},
        {"\1\0\0\0\1x", 6, "internal"},
        {"\2\0\0\0\0", 5, "internal"},
        {"\0\0\1\x86\xa1", 5, "resource_exhausted"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client_response *r = wire_call(
            t, TEST_SERVER_STREAM, streaming,
            (struct bytes){(uint8_t *)(uintptr_t)rows[i].bytes, rows[i].size});
        assert_int_equal(r->http_status, 200);
        assert_non_null(
            strstr(end_of(t, r),
                   arena_printf(t->arena, "\"code\":\"%s\"", rows[i].code)));
    }
}

static void a_streams_body_has_no_encoding_of_its_own(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1;
    struct rpc_header headers[] = {
        {"content-type", "application/connect+proto"},
        {"content-encoding", "gzip"},
        {NULL, NULL}};
    const char *end =
        end_of(t, wire_call(t, TEST_SERVER_STREAM, headers, framed(t, &req)));
    assert_non_null(strstr(end, "\"code\":\"unimplemented\""));
    assert_non_null(strstr(end, "by connect-content-encoding"));
    headers[1].value = "identity";
    assert_string_equal(
        end_of(t, wire_call(t, TEST_SERVER_STREAM, headers, framed(t, &req))),
        "{}");
}

/* --- JSON --- */

static struct bytes text(const char *json)
{
    return (struct bytes){(uint8_t *)(uintptr_t)json, strlen(json)};
}

static struct client_response *call_json(fixture *t, const char *path,
                                         const char *json)
{
    static const struct rpc_header headers[] = {
        {"content-type", "application/json; charset=utf-8"}, {NULL, NULL}};
    return wire_call(t, path, headers, text(json));
}

static void json_is_answered_in_json(void **state)
{
    fixture *t = *state;
    struct client_response *r = call_json(
        t, TEST_ECHO, "{\"text\":\"hi\",\"number\":42,\"unknown\":[]}");
    assert_int_equal(r->http_status, 200);
    assert_string_equal(client_field(r, "content-type"), "application/json");
    assert_body(r, "{\"text\":\"hi\",\"number\":\"42\"}");
}

static void json_is_utf8_or_refused(void **state)
{
    fixture *t = *state;
    static const struct {
        const char *content_type;
        int http_status;
    } rows[] = {
        {"application/json", 200},
        {"application/json;charset=utf-8", 200},
        {"Application/JSON; Charset=\"UTF-8\"", 200},
        {"application/json; charset=utf8; x=y", 200},
        {"application/json; x=y; charset=iso-8859-1", 415},
        {"application/json; charset=utf-16", 415},
        {"application/json; charset=", 415},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct rpc_header headers[] = {
            {"content-type", rows[i].content_type}, {NULL, NULL}};
        struct client_response *r =
            wire_call(t, TEST_ECHO, headers, text("{\"text\":\"hi\"}"));
        assert_int_equal(r->http_status, rows[i].http_status);
        if (r->http_status == 415)
            assert_says(r, "JSON is UTF-8");
    }
}

static void json_that_will_not_do_is_told_with_its_place(void **state)
{
    fixture *t = *state;
    struct client_response *r = call_json(t, TEST_ECHO, "{\"text\":1}");
    assert_error(r, 400, "invalid_argument");
    assert_says(r, "text: expected a string (line 1, column 9)");
    r = call_json(t, TEST_ECHO, "");
    assert_error(r, 400, "invalid_argument");
}

static void details_are_readable_for_people(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        call_json(t, TEST_FAIL,
                  "{\"code\":3,\"message\":\"too short\",\"field\":\"name\"}");
    assert_error(r, 400, "invalid_argument");
    assert_says(r, "\"type\":\"google.rpc.BadRequest\"");
    assert_says(r, "\"debug\":{\"fieldViolations\":[{\"field\":\"name\","
                   "\"description\":\"too short\"}]}");
}

static void a_get_may_ask_in_json(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        get(t, "?connect=v1&encoding=json&message=%7B%22text%22%3A%22a+b%22%7D",
            NULL, NULL);
    assert_string_equal(client_field(r, "content-type"), "application/json");
    assert_body(r, "{\"text\":\"a b\"}");
}

static struct bytes envelope(fixture *t, const char *json)
{
    struct bytes b = {arena_alloc(t->arena, strlen(json) + 5), 0};
    b.size = client_frame(b.data, 0, json, strlen(json));
    return b;
}

static struct client_response *stream_json(fixture *t, const char *type,
                                           const char *path, const char *json)
{
    const struct rpc_header headers[] = {{"content-type", type}, {NULL, NULL}};
    return wire_call(t, path, headers, envelope(t, json));
}

static void streams_may_speak_json(void **state)
{
    fixture *t = *state;
    struct client_response *r = stream_json(
        t, "application/connect+json", TEST_SERVER_STREAM, "{\"count\":2}");
    assert_int_equal(r->http_status, 200);
    assert_string_equal(client_field(r, "content-type"),
                        "application/connect+json");
    static const char expected[] = "\0\0\0\0\2{}\0\0\0\0\13{\"index\":1}"
                                   "\2\0\0\0\2{}";
    assert_int_equal(r->body_size, sizeof expected - 1);
    assert_memory_equal(r->body, expected, r->body_size);
}

/* Every protocol may: a content type says both. */
static void grpc_and_grpc_web_may_speak_json(void **state)
{
    fixture *t = *state;
    static const char *const types[] = {"application/grpc+json",
                                        "application/grpc-web+json"};
    static const char expected[] = "\0\0\0\0\14{\"text\":\"j\"}";
    for (size_t i = 0; i < COUNT(types); i++) {
        struct client_response *r =
            stream_json(t, types[i], TEST_ECHO, "{\"text\":\"j\"}");
        assert_int_equal(r->http_status, 200);
        assert_string_equal(client_field(r, "content-type"), types[i]);
        assert_true(r->body_size >= sizeof expected - 1);
        assert_memory_equal(r->body, expected, sizeof expected - 1);
    }
}

/* Watch goes on without a coroutine, and its states are encoded beforehand. */
static void an_idle_stream_speaks_json_too(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"content-type", "application/connect+json"}, {NULL, NULL}};
    static const char expected[] = "\0\0\0\0\24{\"status\":\"SERVING\"}";
    struct bytes body = envelope(t, "{}");
    struct client_response *r =
        client_request(t->client, "/grpc.health.v1.Health/Watch", headers,
                       body.data, body.size, true);
    client_wait_body(t->client, r, sizeof expected - 1);
    assert_memory_equal(r->body, expected, sizeof expected - 1);
    client_reset(t->client, r, NGHTTP2_CANCEL);
}

/* --- what text takes --- */

static int start_with_little_memory(void **state)
{
    static const struct rpc_registry *const registries[] = {&interop_registry,
                                                            NULL};
    *state = wire_start((struct rpc_server_options){
        .registries = registries,
        .memory_bytes_max = 900 * 1000,
        .memory_shares = 1,
    });
    return 0;
}

static struct client_response *ask_for(fixture *t, const char *bytes)
{
    return call_json(t, INTEROP_UNARY,
                     arena_printf(t->arena, "{\"responseSize\":%s}", bytes));
}

/* 300 KB are 400 KB of base64.  The message and the body alone would fit. */
static void the_text_of_a_message_counts_as_memory(void **state)
{
    fixture *t = *state;
    for (int i = 0; i < 5; i++) {
        assert_error(ask_for(t, "300000"), 429, "resource_exhausted");
        assert_int_equal(ask_for(t, "20000")->http_status, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_ends_with_an_envelope),
        cmocka_unit_test(an_error_of_a_stream_is_in_its_end),
        cmocka_unit_test(a_client_stream_adds_up),
        cmocka_unit_test(both_sides_may_talk_at_once),
        cmocka_unit_test(broken_streams_are_told_in_their_end),
        cmocka_unit_test(a_streams_body_has_no_encoding_of_its_own),
        cmocka_unit_test(json_is_answered_in_json),
        cmocka_unit_test(json_is_utf8_or_refused),
        cmocka_unit_test(json_that_will_not_do_is_told_with_its_place),
        cmocka_unit_test(details_are_readable_for_people),
        cmocka_unit_test(a_get_may_ask_in_json),
        cmocka_unit_test(streams_may_speak_json),
        cmocka_unit_test(grpc_and_grpc_web_may_speak_json),
        cmocka_unit_test(an_idle_stream_speaks_json_too),
    };
    const struct CMUnitTest memory_tests[] = {
        cmocka_unit_test(the_text_of_a_message_counts_as_memory),
    };
    int failed = cmocka_run_group_tests(tests, start, wire_stop);
    return failed + cmocka_run_group_tests(memory_tests,
                                           start_with_little_memory, wire_stop);
}
