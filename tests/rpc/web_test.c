/* gRPC-Web as a browser speaks it, on the same port. */
#include "rpc/base64_stream.h"
#include "rpc/cors.h"
#include "tests/wire/wire.h"

#include <stdio.h>

#define PAGE "https://app.example"

static int start(void **state)
{
    *state = wire_start((struct rpc_server_options){
        .web_origins = "https://admin.example, " PAGE});
    return 0;
}

static const struct rpc_header from_page[] = {
    {"content-type", "application/grpc-web+proto"},
    {"origin", PAGE},
    {"x-grpc-web", "1"},
    {NULL, NULL}};

static void an_answer_ends_with_a_frame_of_trailers(void **state)
{
    fixture *t = *state;
    static const char trailers[] = "\x80\0\0\0\x10grpc-status: 0\r\n";
    struct client_response *r =
        wire_call(t, TEST_ECHO, from_page, echo_body(t, "web"));
    assert_int_equal(r->http_status, 200);
    assert_int_equal(r->header_blocks, 1);
    assert_string_equal(client_field(r, "content-type"),
                        "application/grpc-web+proto");
    assert_string_equal(client_field(r, "access-control-allow-origin"), PAGE);
    assert_string_equal(client_field(r, "vary"), "origin");
    EchoResponse *res = message_at(t, ECHO_RESPONSE_DESCRIPTOR, r, 0);
    assert_string_equal(res->text, "web");
    size_t size = sizeof trailers - 1;
    assert_true(r->body_size > size);
    assert_memory_equal(r->body + r->body_size - size, trailers, size);
}

static void an_immediate_error_is_in_the_headers(void **state)
{
    fixture *t = *state;
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = RPC_NOT_FOUND;
    req.message = "gone";
    struct client_response *r =
        wire_call(t, TEST_FAIL, from_page, framed(t, &req));
    assert_grpc(r, 200, RPC_NOT_FOUND);
    assert_int_equal(r->body_size, 0);
    assert_non_null(strstr(client_field(r, "access-control-expose-headers"),
                           "grpc-status"));
}

static void an_error_after_messages_is_in_the_last_frame(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 3;
    req.code = RPC_ABORTED;
    struct client_response *r =
        wire_call(t, TEST_SERVER_STREAM, from_page, framed(t, &req));
    assert_int_equal(r->http_status, 200);
    message_at(t, SERVER_STREAM_RESPONSE_DESCRIPTOR, r, 2);
    assert_non_null(memmem(r->body, r->body_size, "grpc-status: 10\r\n", 17));
    assert_non_null(
        memmem(r->body, r->body_size, "grpc-message: as asked for\r\n", 28));
}

static void a_preflight_is_answered_for_known_pages(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {":method", "OPTIONS"},
        {"content-type", "text/plain"},
        {"origin", PAGE},
        {"access-control-request-method", "POST"},
        {"access-control-request-headers", "content-type,x-grpc-web"},
        {NULL, NULL}};
    struct client_response *r =
        wire_call(t, TEST_ECHO, headers, (struct bytes){NULL, 0});
    assert_int_equal(r->http_status, 204);
    assert_string_equal(client_field(r, "access-control-allow-origin"), PAGE);
    assert_string_equal(client_field(r, "access-control-allow-methods"),
                        "GET, POST");
    assert_string_equal(client_field(r, "access-control-allow-headers"),
                        "content-type,x-grpc-web");
}

static void pages_of_strangers_are_refused(void **state)
{
    fixture *t = *state;
    static const struct rpc_header call[] = {
        {"content-type", "application/grpc-web+proto"},
        {"origin", "https://evil.example"},
        {NULL, NULL}};
    static const struct rpc_header preflight[] = {
        {":method", "OPTIONS"},
        {"content-type", "text/plain"},
        {"origin", "https://evil.example"},
        {"access-control-request-method", "POST"},
        {NULL, NULL}};
    struct client_response *r =
        wire_call(t, TEST_ECHO, call, echo_body(t, "x"));
    assert_int_equal(r->http_status, 403);
    assert_null(client_field(r, "access-control-allow-origin"));
    r = wire_call(t, TEST_ECHO, preflight, (struct bytes){NULL, 0});
    assert_int_equal(r->http_status, 403);
    assert_null(client_field(r, "access-control-allow-origin"));
}

static void a_caller_that_is_no_page_needs_no_origin(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"content-type", "application/grpc-web"}, {NULL, NULL}};
    struct client_response *r =
        wire_call(t, TEST_ECHO, headers, echo_body(t, "x"));
    assert_int_equal(r->http_status, 200);
    assert_string_equal(client_field(r, "content-type"),
                        "application/grpc-web");
    assert_null(client_field(r, "access-control-allow-origin"));
}

/* The list is for pages; what is no page has no origin. */
static void without_origins_no_page_may_call_and_all_else_may(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.web_origins = ""});
    static const struct rpc_header headers[] = {
        {"content-type", "application/grpc-web"}, {NULL, NULL}};
    struct client_response *r =
        wire_call(t, TEST_ECHO, headers, echo_body(t, "x"));
    assert_int_equal(r->http_status, 200);
    r = wire_call(t, TEST_ECHO, from_page, echo_body(t, "x"));
    assert_int_equal(r->http_status, 403);
    void *mine = t;
    wire_stop(&mine);
}

/* --- grpc-web-text --- */

static const struct rpc_header in_text[] = {
    {"content-type", "application/grpc-web-text+proto"}, {NULL, NULL}};

static struct bytes as_text(fixture *t, struct bytes body)
{
    struct bytes b = {arena_alloc(t->arena, BASE64_PADDED_SIZE(body.size)), 0};
    memcpy(b.data, body.data, body.size);
    b.size = base64_expand(b.data, body.size);
    return b;
}

/* The response, decoded where it lies. */
static void read_text(struct client_response *r)
{
    struct base64_reader reader = {0};
    uint8_t *bytes = malloc(BASE64_READ_MAX(r->body_size) + 1);
    size_t size = 0;
    bool is_base64 = base64_read(&reader, r->body, r->body_size, bytes, &size);
    memcpy(r->body, bytes, size);
    r->body_size = size;
    free(bytes);
    assert_true(is_base64);
    assert_true(reader.size == 0);
}

static void text_is_base64_both_ways(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        wire_call(t, TEST_ECHO, in_text, as_text(t, echo_body(t, "text")));
    assert_int_equal(r->http_status, 200);
    assert_string_equal(client_field(r, "content-type"),
                        "application/grpc-web-text+proto");
    read_text(r);
    EchoResponse *res = message_at(t, ECHO_RESPONSE_DESCRIPTOR, r, 0);
    assert_string_equal(res->text, "text");
    assert_non_null(memmem(r->body, r->body_size, "grpc-status: 0\r\n", 16));
}

static void each_message_of_a_stream_of_text_is_sent_at_once(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 5;
    req.payload_bytes = 1000;
    struct client_response *r =
        wire_call(t, TEST_SERVER_STREAM, in_text, as_text(t, framed(t, &req)));
    read_text(r);
    ServerStreamResponse *last =
        message_at(t, SERVER_STREAM_RESPONSE_DESCRIPTOR, r, 4);
    assert_int_equal(last->index, 4);
    assert_int_equal(last->payload.len, 1000);
}

/* As a client does that encodes each chunk alone; and one byte at a time, so
 * that no group of base64 comes whole. */
static void text_may_be_padded_and_cut_anywhere(void **state)
{
    fixture *t = *state;
    struct bytes body = echo_body(t, "cut into pieces");
    struct client_response *r =
        client_request(t->client, TEST_ECHO, in_text, NULL, 0, false);
    for (size_t i = 0; i < body.size; i++) {
        struct bytes one = as_text(t, (struct bytes){body.data + i, 1});
        for (size_t c = 0; c < one.size; c++)
            client_send(t->client, r, one.data + c, 1,
                        i + 1 == body.size && c + 1 == one.size);
    }
    client_wait(t->client, r);
    read_text(r);
    EchoResponse *res = message_at(t, ECHO_RESPONSE_DESCRIPTOR, r, 0);
    assert_string_equal(res->text, "cut into pieces");
}

/* More than the window, which is given back for what base64 adds as well. */
static void a_long_text_comes_through_the_window(void **state)
{
    fixture *t = *state;
    char *text = arena_alloc(t->arena, 500001);
    memset(text, 'x', 500000);
    struct client_response *r =
        wire_call(t, TEST_ECHO, in_text, as_text(t, echo_body(t, text)));
    read_text(r);
    EchoResponse *res = message_at(t, ECHO_RESPONSE_DESCRIPTOR, r, 0);
    assert_int_equal(strlen(res->text), 500000);
}

static void what_is_no_base64_is_told(void **state)
{
    fixture *t = *state;
    static const char *const bodies[] = {
        "AAAA!AAA", "AAAAAAA", "A===", "AB==", "AA=A", "=AAA"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct client_response *r = wire_call(
            t, TEST_ECHO, in_text,
            (struct bytes){(uint8_t *)(uintptr_t)bodies[i], strlen(bodies[i])});
        assert_grpc(r, 200, RPC_INTERNAL);
        assert_non_null(strstr(client_field(r, "grpc-message"), "base64"));
    }
}

static void origins_match_whole(void **state)
{
    (void)state;
    assert_true(cors_allows("*", "https://a"));
    assert_true(cors_allows("https://a,https://b", "https://b"));
    assert_true(cors_allows(" https://a , https://b ", "https://a"));
    assert_false(cors_allows("https://a", "https://a.evil"));
    assert_false(cors_allows("https://a.b", "https://a"));
    assert_false(cors_allows("https://a", "http://a"));
    assert_false(cors_allows("", "https://a"));
    assert_false(cors_allows("https://a", ""));
    assert_false(cors_allows(NULL, "https://a"));
    assert_false(cors_allows("*", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_ends_with_a_frame_of_trailers),
        cmocka_unit_test(an_immediate_error_is_in_the_headers),
        cmocka_unit_test(an_error_after_messages_is_in_the_last_frame),
        cmocka_unit_test(a_preflight_is_answered_for_known_pages),
        cmocka_unit_test(pages_of_strangers_are_refused),
        cmocka_unit_test(a_caller_that_is_no_page_needs_no_origin),
        cmocka_unit_test(without_origins_no_page_may_call_and_all_else_may),
        cmocka_unit_test(text_is_base64_both_ways),
        cmocka_unit_test(each_message_of_a_stream_of_text_is_sent_at_once),
        cmocka_unit_test(text_may_be_padded_and_cut_anywhere),
        cmocka_unit_test(a_long_text_comes_through_the_window),
        cmocka_unit_test(what_is_no_base64_is_told),
        cmocka_unit_test(origins_match_whole),
    };
    return cmocka_run_group_tests(tests, start, wire_stop);
}
