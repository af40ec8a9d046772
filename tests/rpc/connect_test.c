/* Unary calls of Connect over HTTP/2, on the same port as gRPC. */
#include "rpc/compress.h"
#include "tests/rpc/connect_kit.h"

/* --- unary --- */

static void the_body_is_the_message(void **state)
{
    fixture *t = *state;
    struct client_response *r = call_proto(t, TEST_ECHO, echo(t, "hello"));
    assert_string_equal(client_field(r, "content-type"), "application/proto");
    assert_int_equal(r->header_blocks, 1);
    assert_string_equal(echoed(t, r), "hello");
}

static void an_empty_body_is_an_empty_message(void **state)
{
    fixture *t = *state;
    struct client_response *r = call_with(t, TEST_ECHO, (struct bytes){NULL, 0},
                                          "content-encoding", "gzip");
    assert_int_equal(r->http_status, 200);
    assert_int_equal(r->body_size, 0);
}

static void a_body_may_come_in_pieces(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"content-type", "application/proto"}, {NULL, NULL}};
    char *text = arena_alloc(t->arena, 90001);
    memset(text, 'p', 90000);
    struct bytes body = echo(t, text);
    struct client_response *r =
        client_request(t->client, TEST_ECHO, headers, NULL, 0, false);
    for (size_t at = 0; at < body.size; at += 7000) {
        size_t size = body.size - at < 7000 ? body.size - at : 7000;
        client_send(t->client, r, body.data + at, size, at + size == body.size);
    }
    client_wait(t->client, r);
    assert_int_equal(strlen(echoed(t, r)), 90000);
}

static void metadata_comes_back_in_header_fields(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"content-type", "application/proto"},
        {"x-grpc-test-echo-initial", "first"},
        {"x-grpc-test-echo-trailing-bin", "AP8="},
        {NULL, NULL}};
    InteropRequest req = INTEROP_REQUEST_INIT;
    struct client_response *r =
        wire_call(t, INTEROP_UNARY, headers, packed(t, &req));
    assert_int_equal(r->http_status, 200);
    assert_string_equal(client_field(r, "x-grpc-test-echo-initial"), "first");
    assert_string_equal(
        client_field(r, "trailer-x-grpc-test-echo-trailing-bin"), "AP8");
}

static void each_code_has_its_http_status(void **state)
{
    fixture *t = *state;
    static const struct {
        rpc_code code;
        int http_status;
        const char *name;
    } rows[] = {
        {RPC_CANCELLED, 499, "canceled"},
        {RPC_INVALID_ARGUMENT, 400, "invalid_argument"},
        {RPC_DEADLINE_EXCEEDED, 504, "deadline_exceeded"},
        {RPC_NOT_FOUND, 404, "not_found"},
        {RPC_ABORTED, 409, "aborted"},
        {RPC_PERMISSION_DENIED, 403, "permission_denied"},
        {RPC_RESOURCE_EXHAUSTED, 429, "resource_exhausted"},
        {RPC_UNIMPLEMENTED, 501, "unimplemented"},
        {RPC_UNAVAILABLE, 503, "unavailable"},
        {RPC_DATA_LOSS, 500, "data_loss"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        FailRequest req = FAIL_REQUEST_INIT;
        req.code = (int32_t)rows[i].code;
        req.message = "because";
        struct client_response *r = call_proto(t, TEST_FAIL, packed(t, &req));
        assert_error(r, rows[i].http_status, rows[i].name);
        assert_says(r, "\"message\":\"because\"");
    }
}

static void an_error_says_when_to_come_back(void **state)
{
    fixture *t = *state;
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = RPC_UNAVAILABLE;
    req.message = "later";
    req.retry_ms = 1500;
    struct client_response *r = call_proto(t, TEST_FAIL, packed(t, &req));
    assert_error(r, 503, "unavailable");
    assert_says(r, "\"details\":[{\"type\":\"google.rpc.RetryInfo\"");
    assert_string_equal(client_field(r, "retry-after"), "2");
}

static void a_refusal_costs_no_body(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"content-type", "application/proto"}, {NULL, NULL}};
    struct client_response *r =
        client_request(t->client, TEST_WHOAMI, headers, NULL, 0, false);
    client_wait(t->client, r);
    assert_error(r, 401, "unauthenticated");
    assert_int_equal(r->reset_code, NGHTTP2_NO_ERROR); /* in the end */
}

/* curl 7.88 forgets an answer that a reset follows. */
static void an_early_answer_is_not_followed_by_a_reset(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"content-type", "application/json"}, {NULL, NULL}};
    struct client_response *r =
        client_request(t->client, TEST_WHOAMI, headers, NULL, 0, false);
    client_wait_body(t->client, r, 1);
    client_ping(t->client);
    assert_false(r->is_closed);
    client_send(t->client, r, "{}", 2, true);
    client_wait(t->client, r);
    assert_int_equal(r->reset_code, CLIENT_NO_RESET);
    assert_error(r, 401, "unauthenticated");
}

static void a_path_that_is_not_there_is_404(void **state)
{
    fixture *t = *state;
    struct client_response *r = call_proto(t, "/no/Such", echo(t, "x"));
    assert_error(r, 404, "unimplemented");
}

static void a_message_that_is_too_large_is_refused(void **state)
{
    fixture *t = *state;
    struct bytes large = {arena_alloc(t->arena, 100001), 100001};
    struct client_response *r = call_proto(t, TEST_ECHO, large);
    assert_error(r, 429, "resource_exhausted");
    assert_says(r, "at most 100000 bytes");
}

static struct bytes gzipped(fixture *t, struct bytes bytes)
{
    struct compress *compress = compress_create();
    const uint8_t *out;
    struct bytes b;
    assert_int_equal(compress_deflate(compress, ENCODING_GZIP, bytes.data,
                                      bytes.size, &out, &b.size),
                     COMPRESS_DONE);
    b.data = arena_memdup(t->arena, out, b.size);
    compress_destroy(compress);
    return b;
}

static struct bytes zeros(fixture *t, size_t size)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    req.payload = (ProtobufCBinaryData){size, arena_alloc(t->arena, size + 1)};
    return packed(t, &req);
}

static void bodies_may_be_compressed_both_ways(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"content-type", "application/proto"},
        {"content-encoding", "gzip"},
        {"accept-encoding", "br, gzip"},
        {NULL, NULL}};
    struct bytes body = zeros(t, 50000);
    struct client_response *r =
        wire_call(t, TEST_ECHO, headers, gzipped(t, body));
    assert_int_equal(r->http_status, 200);
    assert_string_equal(client_field(r, "content-encoding"), "gzip");
    assert_true(r->body_size < 1000);
    struct compress *compress = compress_create();
    const uint8_t *out;
    size_t size;
    assert_int_equal(compress_inflate(compress, ENCODING_GZIP, r->body,
                                      r->body_size, 100000, &out, &size),
                     COMPRESS_DONE);
    assert_int_equal(size, body.size);
    compress_destroy(compress);
}

static void small_answers_are_not_compressed(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        call_with(t, TEST_ECHO, echo(t, "x"), "accept-encoding", "gzip");
    assert_null(client_field(r, "content-encoding"));
    assert_string_equal(echoed(t, r), "x");
}

static void the_size_limit_holds_while_inflating(void **state)
{
    fixture *t = *state;
    struct client_response *r = call_with(
        t, TEST_ECHO, gzipped(t, zeros(t, 200000)), "content-encoding", "gzip");
    assert_error(r, 429, "resource_exhausted");
}

/* Each with the words that tell a person what to do. */
static const struct {
    struct rpc_header header;
    int http_status;
    const char *code;
    const char *words;
} bad_fields[] = {
    {{"content-encoding", "br"}, 501, "unimplemented", "identity,gzip"},
    {{"content-encoding", "gzip"}, 400, "invalid_argument", "content-encoding"},
    {{"connect-timeout-ms", "soon"}, 400, "invalid_argument", "ten digits"},
    {{"connect-timeout-ms", ""}, 400, "invalid_argument", "ten digits"},
    {{"connect-timeout-ms", "-1"}, 400, "invalid_argument", "ten digits"},
    {{"connect-timeout-ms", "12345678901"},
     400,
     "invalid_argument",
     "ten digits"},
    {{"connect-timeout-ms", "0"}, 504, "deadline_exceeded", "deadline"},
    {{"connect-protocol-version", "2"}, 400, "invalid_argument", "must be 1"},
    {{"x-some-bin", "not base64"}, 400, "invalid_argument", "base64"},
};

static void a_header_field_that_will_not_do_is_told(void **state)
{
    fixture *t = *state;
    for (size_t i = 0; i < COUNT(bad_fields); i++) {
        struct client_response *r =
            call_with(t, TEST_ECHO, echo(t, "x"), bad_fields[i].header.name,
                      bad_fields[i].header.value);
        assert_error(r, bad_fields[i].http_status, bad_fields[i].code);
        assert_says(r, bad_fields[i].words);
    }
}

static void good_header_fields_are_taken(void **state)
{
    fixture *t = *state;
    static const struct rpc_header good[] = {
        {"connect-timeout-ms", "9999999999"},
        {"connect-protocol-version", "1"},
        {"content-encoding", "identity"},
        {"x-some-bin", "Zm9v,Zg=="},
        {"origin", PAGE},
    };
    for (size_t i = 0; i < COUNT(good); i++)
        assert_string_equal(echoed(t, call_with(t, TEST_ECHO, echo(t, "x"),
                                                good[i].name, good[i].value)),
                            "x");
}

static void the_clients_timeout_ends_a_call(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 50000;
    struct client_response *r =
        call_with(t, TEST_SLEEP, packed(t, &req), "connect-timeout-ms", "20");
    assert_error(r, 504, "deadline_exceeded");
}

static void what_is_no_message_is_told(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        call_proto(t, TEST_ECHO, (struct bytes){(uint8_t *)"\xff\xff", 2});
    assert_error(r, 400, "invalid_argument");
}

static void a_client_that_has_gone_ends_its_call(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 50000;
    struct bytes body = packed(t, &req);
    static const struct rpc_header headers[] = {
        {"content-type", "application/proto"}, {NULL, NULL}};
    struct client_response *r = client_request(t->client, TEST_SLEEP, headers,
                                               body.data, body.size, true);
    client_ping(t->client);
    client_reset(t->client, r, NGHTTP2_CANCEL);
    client_ping(t->client);
    assert_still_serves(t); /* and the drain at the end waits for no sleeper */
}

/* --- what is no call --- */

static struct client_response *ask(fixture *t, const char *method,
                                   const char *type, const char *path)
{
    const struct rpc_header headers[] = {
        {":method", method}, {"content-type", type}, {NULL, NULL}};
    return wire_call(t, path, headers, (struct bytes){NULL, 0});
}

static void what_is_no_call_is_told_how_to_call(void **state)
{
    fixture *t = *state;
    struct client_response *r = ask(t, "POST", "application/xml", TEST_ECHO);
    assert_int_equal(r->http_status, 415);
    assert_non_null(strstr(client_field(r, "accept-post"), "application/json"));
    assert_says(r, "curl");
    r = ask(t, "DELETE", "application/proto", TEST_ECHO);
    assert_int_equal(r->http_status, 405);
    assert_string_equal(client_field(r, "allow"), "GET, POST");
    r = ask(t, "GET", "application/proto", TEST_FAIL);
    assert_int_equal(r->http_status, 405);
    assert_string_equal(client_field(r, "allow"), "POST");
    r = ask(t, "GET", "text/plain", "/");
    assert_int_equal(r->http_status, 404);
    r = ask(t, "POST", "application/proto", TEST_SERVER_STREAM);
    assert_int_equal(r->http_status, 415);
    assert_says(r, "application/connect+json");
    r = ask(t, "POST", "application/connect+proto", TEST_ECHO);
    assert_int_equal(r->http_status, 415);
    assert_says(r, "application/proto");
}

/* --- pages --- */

static void a_known_page_may_call_and_read_all(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        call_with(t, TEST_ECHO, echo(t, "x"), "origin", PAGE);
    assert_string_equal(client_field(r, "access-control-allow-origin"), PAGE);
    assert_string_equal(client_field(r, "vary"), "origin");
    assert_non_null(client_field(r, "access-control-expose-headers"));
    const struct rpc_header wrong[] = {
        {"content-type", "application/xml"}, {"origin", PAGE}, {NULL, NULL}};
    r = wire_call(t, TEST_ECHO, wrong, echo(t, "x"));
    assert_int_equal(r->http_status, 415);
    assert_string_equal(client_field(r, "access-control-allow-origin"), PAGE);
}

static void a_strangers_page_may_not(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        call_with(t, TEST_ECHO, echo(t, "x"), "origin", "https://evil.example");
    assert_int_equal(r->http_status, 403);
    assert_null(client_field(r, "access-control-allow-origin"));
    assert_says(r, "web_origins");
}

/* --- GET --- */

static void a_get_carries_the_message_in_its_query(void **state)
{
    fixture *t = *state;
    struct client_response *r = get(
        t, "?base64=1&message=CgJoaQ&encoding=proto&connect=v1", NULL, NULL);
    assert_string_equal(echoed(t, r), "hi");
    assert_string_equal(client_field(r, "content-type"), "application/proto");
    r = get(t, "?encoding=proto&message=%0A%02hi", NULL, NULL);
    assert_string_equal(echoed(t, r), "hi");
    r = get(t, "?encoding=proto&message=", NULL, NULL);
    assert_string_equal(echoed(t, r), "");
}

static void answers_with_a_token_are_not_kept(void **state)
{
    fixture *t = *state;
    static const char query[] = "?encoding=proto&message=";
    struct client_response *r = get(t, query, NULL, NULL);
    assert_string_equal(client_field(r, "cache-control"), "no-cache");
    assert_non_null(strstr(client_field(r, "vary"), "authorization"));
    r = get(t, query, "authorization", "Bearer me");
    assert_string_equal(client_field(r, "cache-control"), "private, no-store");
    r = get(t, "?encoding=proto", NULL, NULL);
    assert_string_equal(client_field(r, "cache-control"), "private, no-store");
}

static void a_query_that_will_not_do_is_told(void **state)
{
    fixture *t = *state;
    static const struct {
        const char *query;
        int http_status;
        const char *code;
        const char *words;
    } rows[] = {
        {"", 400, "invalid_argument", "?connect=v1&encoding=json"},
        {"?", 400, "invalid_argument", "?connect=v1&encoding=json"},
        {"?encoding=proto", 400, "invalid_argument", "message="},
        {"?encoding=xml&message=", 415, "unimplemented", "json or proto"},
        {"?encoding=proto&message=&connect=v2", 400, "invalid_argument", "v1"},
        {"?encoding=proto&message=&compression=br", 501, "unimplemented",
         "identity,gzip"},
        {"?encoding=proto&message=%ff", 400, "invalid_argument", "read"},
        {"?encoding=proto&message=!&base64=1", 400, "invalid_argument",
         "base64"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client_response *r = get(t, rows[i].query, NULL, NULL);
        assert_error(r, rows[i].http_status, rows[i].code);
        assert_says(r, rows[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_body_is_the_message),
        cmocka_unit_test(an_empty_body_is_an_empty_message),
        cmocka_unit_test(a_body_may_come_in_pieces),
        cmocka_unit_test(metadata_comes_back_in_header_fields),
        cmocka_unit_test(each_code_has_its_http_status),
        cmocka_unit_test(an_error_says_when_to_come_back),
        cmocka_unit_test(a_refusal_costs_no_body),
        cmocka_unit_test(an_early_answer_is_not_followed_by_a_reset),
        cmocka_unit_test(a_path_that_is_not_there_is_404),
        cmocka_unit_test(a_message_that_is_too_large_is_refused),
        cmocka_unit_test(bodies_may_be_compressed_both_ways),
        cmocka_unit_test(small_answers_are_not_compressed),
        cmocka_unit_test(the_size_limit_holds_while_inflating),
        cmocka_unit_test(a_header_field_that_will_not_do_is_told),
        cmocka_unit_test(good_header_fields_are_taken),
        cmocka_unit_test(the_clients_timeout_ends_a_call),
        cmocka_unit_test(what_is_no_message_is_told),
        cmocka_unit_test(a_client_that_has_gone_ends_its_call),
        cmocka_unit_test(what_is_no_call_is_told_how_to_call),
        cmocka_unit_test(a_known_page_may_call_and_read_all),
        cmocka_unit_test(a_strangers_page_may_not),
        cmocka_unit_test(a_get_carries_the_message_in_its_query),
        cmocka_unit_test(answers_with_a_token_are_not_kept),
        cmocka_unit_test(a_query_that_will_not_do_is_told),
    };
    return cmocka_run_group_tests(tests, start, wire_stop);
}
