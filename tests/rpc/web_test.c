/* gRPC-Web as a browser speaks it, on the same port. */
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
                        "POST");
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

static void without_origins_it_is_not_spoken(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.web_origins = ""});
    static const struct rpc_header headers[] = {
        {"content-type", "application/grpc-web"}, {NULL, NULL}};
    struct client_response *r =
        wire_call(t, TEST_ECHO, headers, echo_body(t, "x"));
    assert_int_equal(r->http_status, 415);
    void *mine = t;
    wire_stop(&mine);
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
        cmocka_unit_test(without_origins_it_is_not_spoken),
        cmocka_unit_test(origins_match_whole),
    };
    return cmocka_run_group_tests(tests, start, wire_stop);
}
