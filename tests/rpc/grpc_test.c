/* gRPC as a client sees it: headers, framing, trailers, over a real socket. */
#include "rpc/metadata.h"
#include "tests/wire/wire.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static int start(void **state)
{
    *state = wire_start((struct rpc_server_options){0});
    return 0;
}

/* --- the four kinds of call --- */

static void a_unary_call_is_answered_in_three_parts(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        wire_call(t, TEST_ECHO, NULL, echo_body(t, "hej"));
    assert_echo(t, r, "hej");
    assert_int_equal(r->header_blocks, 2);
    assert_string_equal(client_field(r, "content-type"), "application/grpc");
    assert_null(client_field(r, "grpc-message"));
    assert_null(client_field(r, "grpc-encoding"));
    assert_int_equal(r->reset_code, CLIENT_NO_RESET);
}

static void a_server_stream_keeps_its_order(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1000;
    req.payload_bytes = 100;
    struct client_response *r =
        wire_call(t, TEST_SERVER_STREAM, NULL, framed(t, &req));
    assert_grpc(r, 200, RPC_OK);
    for (int i = 0; i < 1000; i += 111) {
        ServerStreamResponse *res =
            message_at(t, SERVER_STREAM_RESPONSE_DESCRIPTOR, r, i);
        assert_int_equal(res->index, i);
        assert_int_equal(res->payload.len, 100);
    }
}

static void a_client_stream_is_added_up(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        client_request(t->client, TEST_CLIENT_STREAM, NULL, NULL, 0, false);
    for (int i = 1; i <= 100; i++) {
        ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
        req.number = i;
        struct bytes body = framed(t, &req);
        client_send(t->client, r, body.data, body.size, i == 100);
    }
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_OK);
    ClientStreamResponse *res =
        message_at(t, CLIENT_STREAM_RESPONSE_DESCRIPTOR, r, 0);
    assert_int_equal(res->sum, 5050);
    assert_int_equal(res->message_count, 100);
}

/* Four times what all windows of the connection hold together. */
static void a_client_stream_goes_through_the_windows(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        client_request(t->client, TEST_CLIENT_STREAM, NULL, NULL, 0, false);
    ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
    req.number = 1;
    req.payload.len = 100000;
    req.payload.data = arena_alloc(t->arena, req.payload.len);
    struct bytes body = framed(t, &req);
    for (int i = 1; i <= 44; i++)
        client_send(t->client, r, body.data, body.size, i == 44);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_OK);
    ClientStreamResponse *res =
        message_at(t, CLIENT_STREAM_RESPONSE_DESCRIPTOR, r, 0);
    assert_int_equal(res->sum, 44);
    assert_int_equal(res->payload_bytes, 4400000);
}

static void a_bidi_stream_answers_each_message_as_it_comes(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        client_request(t->client, TEST_BIDI_STREAM, NULL, NULL, 0, false);
    size_t expected = 0;
    for (int i = 0; i < 20; i++) {
        BidiStreamRequest req = BIDI_STREAM_REQUEST_INIT;
        req.text = arena_printf(t->arena, "message %d", i);
        struct bytes body = framed(t, &req);
        client_send(t->client, r, body.data, body.size, false);
        expected += body.size;
        client_wait_body(t->client, r, expected);
        BidiStreamResponse *res =
            message_at(t, BIDI_STREAM_RESPONSE_DESCRIPTOR, r, i);
        assert_string_equal(res->text, req.text);
    }
    client_send(t->client, r, NULL, 0, true);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_OK);
}

static void many_calls_share_a_connection(void **state)
{
    fixture *t = *state;
    struct client_response *r[100];
    for (int i = 0; i < 100; i++) {
        struct bytes body = echo_body(t, arena_printf(t->arena, "%d", i));
        r[i] = client_request(t->client, TEST_ECHO, NULL, body.data, body.size,
                              true);
    }
    for (int i = 0; i < 100; i++) {
        client_wait(t->client, r[i]);
        assert_echo(t, r[i], arena_printf(t->arena, "%d", i));
    }
}

/* --- framing --- */

static void cuts_between_data_frames_mean_nothing(void **state)
{
    fixture *t = *state;
    struct bytes body = echo_body(t, "cut me anywhere");
    for (size_t cut = 0; cut <= body.size; cut++) {
        struct client_response *r =
            client_request(t->client, TEST_ECHO, NULL, body.data, cut, false);
        client_send(t->client, r, body.data + cut, body.size - cut, true);
        client_wait(t->client, r);
        assert_echo(t, r, "cut me anywhere");
    }
}

static void a_message_may_be_empty(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        wire_call(t, TEST_ECHO, NULL, (struct bytes){(uint8_t[5]){0}, 5});
    assert_echo(t, r, "");
}

static void a_large_message_comes_through_small_windows(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    req.payload.len = 3 * 1024 * 1024;
    req.payload.data = arena_alloc(t->arena, req.payload.len);
    for (size_t i = 0; i < req.payload.len; i++)
        req.payload.data[i] = (uint8_t)(i * 7 + i / 251);
    struct client_response *r = wire_call(t, TEST_ECHO, NULL, framed(t, &req));
    assert_grpc(r, 200, RPC_OK);
    EchoResponse *res = message_at(t, ECHO_RESPONSE_DESCRIPTOR, r, 0);
    assert_int_equal(res->payload.len, req.payload.len);
    assert_memory_equal(res->payload.data, req.payload.data, req.payload.len);
}

/* Bodies that are wrong, and what becomes of the call. */
static const struct {
    const char *bytes;
    size_t size;
    rpc_code code;
} bad_bodies[] = {
    {"", 0, RPC_UNIMPLEMENTED},
    {"\0", 1, RPC_INTERNAL},
    {"\0\0\0\0", 4, RPC_INTERNAL},
    {"\0\0\0\0\5\x0a\3hi", 9, RPC_INTERNAL},
    {"\2\0\0\0\0", 5, RPC_INTERNAL},
    {"\xff\0\0\0\0", 5, RPC_INTERNAL},
    {"\1\0\0\0\0", 5, RPC_INTERNAL},
    {"\0\xff\xff\xff\xff", 5, RPC_RESOURCE_EXHAUSTED},
    {"\0\0\x40\0\1", 5, RPC_RESOURCE_EXHAUSTED},
    {"\0\0\0\0\0\0\0\0\0\0", 10, RPC_UNIMPLEMENTED},
    {"\0\0\0\0\1\x0a", 6, RPC_INVALID_ARGUMENT},
    {"\0\0\0\0\0\0", 6, RPC_INTERNAL},
};

static void a_malformed_body_has_its_code(void **state)
{
    fixture *t = *state;
    for (size_t i = 0; i < COUNT(bad_bodies); i++) {
        struct client_response *r =
            wire_call(t, TEST_ECHO, NULL,
                      (struct bytes){(uint8_t *)(uintptr_t)bad_bodies[i].bytes,
                                     bad_bodies[i].size});
        assert_grpc(r, 200, bad_bodies[i].code);
        assert_int_equal(r->header_blocks, 1);
    }
    assert_echo(t, wire_call(t, TEST_ECHO, NULL, echo_body(t, "fine")), "fine");
}

/* The server must not wait for four gigabytes that will never come. */
static void an_oversized_prefix_is_refused_before_the_rest(void **state)
{
    fixture *t = *state;
    struct client_response *r = client_request(t->client, TEST_ECHO, NULL,
                                               "\0\xff\xff\xff\xff", 5, false);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_RESOURCE_EXHAUSTED);
    assert_int_equal(r->reset_code, NGHTTP2_NO_ERROR);
    assert_string_equal(client_field(r, "grpc-message"),
                        "a request message may have at most 4194304 bytes");
}

/* --- request headers --- */

static const struct {
    struct rpc_header header;
    int http_status;
    int code; /* -1: no grpc-status */
} requests[] = {
    {{"content-type", "application/grpc"}, 200, RPC_OK},
    {{"content-type", "application/grpc+proto"}, 200, RPC_OK},
    {{"content-type", "application/grpc;charset=x"}, 200, RPC_OK},
    {{"content-type", "Application/gRPC"}, 200, RPC_OK},
    {{"content-type", "application/grpc+foo"}, 415, -1},
    {{"content-type", "application/grpcfoo"}, 415, -1},
    {{"content-type", "text/html, application/grpc"}, 415, -1},
    {{":method", "GET"}, 405, RPC_INTERNAL},
    {{":method", "PUT"}, 405, RPC_INTERNAL},
    {{"grpc-timeout", "1H"}, 200, RPC_OK},
    {{"grpc-timeout", "99999999H"}, 200, RPC_OK},
    {{"grpc-timeout", "1"}, 200, RPC_INTERNAL},
    {{"grpc-timeout", "soon"}, 200, RPC_INTERNAL},
    {{"grpc-timeout", "123456789S"}, 200, RPC_INTERNAL},
    {{"grpc-encoding", "identity"}, 200, RPC_OK},
    {{"grpc-encoding", "gzip"}, 200, RPC_OK},
    {{"grpc-encoding", "zstd"}, 200, RPC_OK},
    {{"grpc-encoding", "br"}, 200, RPC_UNIMPLEMENTED},
    {{"x-some-bin", "Zm9v"}, 200, RPC_OK},
    {{"x-some-bin", "Zm9vYg==,Zg"}, 200, RPC_OK},
    {{"x-some-bin", "not base64"}, 200, RPC_INTERNAL},
    {{"x-some-bin", "Zm9v,!"}, 200, RPC_INTERNAL},
    {{"x-blank", "  outer blanks  "}, 200, RPC_OK},
};

static void each_request_header_has_its_answer(void **state)
{
    fixture *t = *state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        const struct rpc_header headers[] = {requests[i].header, {NULL, NULL}};
        struct client_response *r =
            wire_call(t, TEST_ECHO, headers, echo_body(t, "x"));
        if (r->http_status != requests[i].http_status ||
            client_status(r) != requests[i].code)
            fail_msg("%s: %s gave %d and %d", requests[i].header.name,
                     requests[i].header.value, r->http_status,
                     client_status(r));
    }
}

static void the_answer_has_the_content_type_of_the_question(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"content-type", "application/grpc+proto"}, {NULL, NULL}};
    struct client_response *r =
        wire_call(t, TEST_ECHO, headers, echo_body(t, "x"));
    assert_string_equal(client_field(r, "content-type"),
                        "application/grpc+proto");
}

static void a_person_who_is_no_grpc_client_is_told_so(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {{"content-type", "text/html"},
                                                {NULL, NULL}};
    struct client_response *r =
        wire_call(t, "/", headers, (struct bytes){NULL, 0});
    assert_int_equal(r->http_status, 415);
    assert_true(r->body_size > 6);
    assert_non_null(memmem(r->body, r->body_size, "gRPC", 4));
}

/* Authorisation is by path: nothing may reach a method by another spelling. */
static void paths_are_matched_byte_for_byte(void **state)
{
    fixture *t = *state;
    static const char *const paths[] = {
        "/prbal.test.TestService/Nothing",
        "/prbal.test.Nothing/Echo",
        "//prbal.test.TestService/Echo",
        "/prbal.test.TestService/Echo/",
        "/prbal.test.TestService/echo",
        "/prbal.test.TestService/Echo?x=1",
        "/prbal.test.TestService/%45cho",
        "/x/../prbal.test.TestService/Echo",
        "/",
    };
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct client_response *r =
            wire_call(t, paths[i], NULL, echo_body(t, "x"));
        assert_grpc(r, 200, RPC_UNIMPLEMENTED);
        assert_int_equal(r->header_blocks, 1);
    }
}

static void too_much_metadata_is_refused_with_a_status(void **state)
{
    fixture *t = *state;
    char *big = arena_alloc(t->arena, 9001);
    memset(big, 'm', 9000);
    const struct rpc_header headers[] = {{"x-big", big}, {NULL, NULL}};
    struct client_response *r =
        wire_call(t, TEST_ECHO, headers, echo_body(t, "x"));
    assert_grpc(r, 200, RPC_RESOURCE_EXHAUSTED);
    assert_echo(t, wire_call(t, TEST_ECHO, NULL, echo_body(t, "x")), "x");
}

/* 100 commas behind a name of 1000 letters are 100 KB of metadata. */
static void a_comma_counts_as_one_more_field(void **state)
{
    fixture *t = *state;
    char name[1005], commas[101] = "";
    memset(name, 'x', 1000);
    strcpy(name + 1000, "-bin");
    const struct rpc_header headers[] = {{name, commas}, {NULL, NULL}};
    for (int i = 0; i < 100; i++)
        strcpy(commas + i, ",");
    assert_grpc(wire_call(t, TEST_ECHO, headers, echo_body(t, "x")), 200,
                RPC_RESOURCE_EXHAUSTED);
    strcpy(commas, "YQ,Yg,Yw");
    assert_echo(t, wire_call(t, TEST_ECHO, headers, echo_body(t, "x")), "x");
}

/* --- the end of a call --- */

static struct bytes fail_body(fixture *t, rpc_code code, const char *message,
                              const char *reason)
{
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = code;
    req.message = message;
    req.reason = reason;
    return framed(t, &req);
}

static void an_error_is_one_block_of_headers(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        wire_call(t, TEST_FAIL, NULL,
                  fail_body(t, RPC_NOT_FOUND, "no \xe2\x98\xba at 100%\n", ""));
    assert_grpc(r, 200, RPC_NOT_FOUND);
    assert_int_equal(r->header_blocks, 1);
    assert_string_equal(client_field(r, "grpc-message"),
                        "no %E2%98%BA at 100%25%0A");
    assert_int_equal(r->body_size, 0);
}

/* Trailers alone stand for an error: PROTOCOL-HTTP2 allows them for nothing
 * else, and some clients show no headers then. */
static void a_stream_without_messages_still_has_headers(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    struct client_response *r =
        wire_call(t, TEST_SERVER_STREAM, NULL, framed(t, &req));
    assert_grpc(r, 200, RPC_OK);
    assert_int_equal(r->header_blocks, 2);
    assert_int_equal(r->body_size, 0);
}

static void an_error_after_messages_is_in_the_trailers(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 3;
    req.code = RPC_DATA_LOSS;
    struct client_response *r =
        wire_call(t, TEST_SERVER_STREAM, NULL, framed(t, &req));
    assert_grpc(r, 200, RPC_DATA_LOSS);
    assert_int_equal(r->header_blocks, 2);
    message_at(t, SERVER_STREAM_RESPONSE_DESCRIPTOR, r, 2);
}

static size_t details_size(const struct client_response *r)
{
    const char *details = client_field(r, "grpc-status-details-bin");
    static uint8_t bytes[8192];
    size_t count;
    if (details == NULL)
        return 0;
    assert_true(
        metadata_decode_base64(bytes, &count, details, strlen(details)));
    assert_null(strchr(details, '='));
    return count;
}

static void details_travel_beside_the_code(void **state)
{
    fixture *t = *state;
    struct client_response *r = wire_call(
        t, TEST_FAIL, NULL, fail_body(t, RPC_ABORTED, "again", "RACE"));
    assert_grpc(r, 200, RPC_ABORTED);
    assert_true(details_size(r) > 10);
}

/* A client drops the whole answer when its trailers exceed what it announced.
 */
static void details_that_would_not_fit_are_left_out(void **state)
{
    fixture *t = *state;
    client_close(t->client);
    t->client = client_open(
        (struct client_options){.port = t->port, .header_bytes_max = 220});
    client_ping(t->client);
    struct client_response *r = wire_call(
        t, TEST_FAIL, NULL, fail_body(t, RPC_ABORTED, "again", "RACE"));
    assert_grpc(r, 200, RPC_ABORTED);
    assert_string_equal(client_field(r, "grpc-message"), "again");
    assert_int_equal(details_size(r), 0);
}

static void a_deadline_that_passes_ends_the_call(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {{"grpc-timeout", "50m"},
                                                {NULL, NULL}};
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 30000;
    struct client_response *r =
        wire_call(t, TEST_SLEEP, headers, framed(t, &req));
    assert_grpc(r, 200, RPC_DEADLINE_EXCEEDED);
}

static void a_deadline_also_ends_a_request_that_does_not_come(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {{"grpc-timeout", "50m"},
                                                {NULL, NULL}};
    struct client_response *r =
        client_request(t->client, TEST_ECHO, headers, "\0\0", 2, false);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_DEADLINE_EXCEEDED);
    assert_int_equal(r->reset_code, NGHTTP2_NO_ERROR);
}

static void an_expired_deadline_does_not_start_the_handler(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {{"grpc-timeout", "0n"},
                                                {NULL, NULL}};
    struct client_response *r =
        client_request(t->client, TEST_ECHO, headers, NULL, 0, false);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_DEADLINE_EXCEEDED);
}

static void a_refused_call_costs_no_body(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        client_request(t->client, TEST_WHOAMI, NULL, NULL, 0, false);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_UNAUTHENTICATED);
    assert_int_equal(r->reset_code, NGHTTP2_NO_ERROR);
}

static void response_metadata_is_sent_with_the_headers(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        wire_call(t, TEST_ECHO, NULL, echo_body(t, "x"));
    const char *request_id = client_field(r, "x-request-id");
    assert_non_null(request_id);
    assert_int_equal(strlen(request_id), 16);
}

/* Sixty values of one name, which nghttp2 compares one by one, cost an echo a
 * fifth of its time. */
static void a_value_that_does_not_come_again_is_in_no_table(void **state)
{
    fixture *t = *state;
    const struct client_response *r =
        wire_call(t, TEST_ECHO, NULL, echo_body(t, "x"));
    assert_true(r->field_count > 2);
    for (int i = 0; i < r->field_count; i++)
        assert_int_equal(r->fields[i].is_unindexed,
                         strcmp(r->fields[i].name, "x-request-id") == 0);
}

/* --- flow control and cancellation --- */

static void a_client_with_a_tiny_window_gets_everything(void **state)
{
    fixture *t = *state;
    client_close(t->client);
    t->client = client_open(
        (struct client_options){.port = t->port, .window_bytes = 100});
    client_ping(t->client);
    struct client_response *r =
        client_request(t->client, TEST_ECHO, NULL, NULL, 0, false);
    struct bytes body =
        echo_body(t, "0123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789"
                     "0123456789012345678901234567890123456789");
    client_send(t->client, r, body.data, body.size, true);
    client_wait_body(t->client, r, 100);
    client_ping(t->client);
    assert_int_equal(r->body_size, 100);
    client_grant(t->client, r, 1);
    client_wait_body(t->client, r, 101);
    client_ping(t->client);
    assert_int_equal(r->body_size, 101);
    client_grant(t->client, r, 1000);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_OK);
    assert_int_equal(r->body_size, body.size);
}

/* A handler that sends more than the client takes waits; it does not fill
 * memory. */
static void a_slow_reader_stops_the_sender(void **state)
{
    fixture *t = *state;
    client_close(t->client);
    t->client = client_open(
        (struct client_options){.port = t->port, .window_bytes = 1000});
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1000;
    req.payload_bytes = 100000;
    struct bytes body = framed(t, &req);
    struct client_response *r = client_request(
        t->client, TEST_SERVER_STREAM, NULL, body.data, body.size, true);
    client_wait_body(t->client, r, 1000);
    client_ping(t->client);
    assert_int_equal(r->body_size, 1000);
    client_reset(t->client, r, NGHTTP2_CANCEL);
    client_ping(t->client);
    assert_string_equal(client_goaway_text(t->client), "");
    assert_true(client_is_open(t->client));
}

static void a_cancelled_call_gives_its_slot_back(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct bytes body = framed(t, &req);
    for (int i = 0; i < 90; i++) {
        struct client_response *r = client_request(t->client, TEST_SLEEP, NULL,
                                                   body.data, body.size, true);
        client_reset(t->client, r, NGHTTP2_CANCEL);
    }
    assert_echo(t, wire_call(t, TEST_ECHO, NULL, echo_body(t, "free")), "free");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unary_call_is_answered_in_three_parts),
        cmocka_unit_test(a_server_stream_keeps_its_order),
        cmocka_unit_test(a_client_stream_is_added_up),
        cmocka_unit_test(a_client_stream_goes_through_the_windows),
        cmocka_unit_test(a_bidi_stream_answers_each_message_as_it_comes),
        cmocka_unit_test(many_calls_share_a_connection),
        cmocka_unit_test(cuts_between_data_frames_mean_nothing),
        cmocka_unit_test(a_message_may_be_empty),
        cmocka_unit_test(a_large_message_comes_through_small_windows),
        cmocka_unit_test(a_malformed_body_has_its_code),
        cmocka_unit_test(an_oversized_prefix_is_refused_before_the_rest),
        cmocka_unit_test(each_request_header_has_its_answer),
        cmocka_unit_test(the_answer_has_the_content_type_of_the_question),
        cmocka_unit_test(a_person_who_is_no_grpc_client_is_told_so),
        cmocka_unit_test(paths_are_matched_byte_for_byte),
        cmocka_unit_test(too_much_metadata_is_refused_with_a_status),
        cmocka_unit_test(a_comma_counts_as_one_more_field),
        cmocka_unit_test(an_error_is_one_block_of_headers),
        cmocka_unit_test(a_stream_without_messages_still_has_headers),
        cmocka_unit_test(an_error_after_messages_is_in_the_trailers),
        cmocka_unit_test(details_travel_beside_the_code),
        cmocka_unit_test(details_that_would_not_fit_are_left_out),
        cmocka_unit_test(a_deadline_that_passes_ends_the_call),
        cmocka_unit_test(a_deadline_also_ends_a_request_that_does_not_come),
        cmocka_unit_test(an_expired_deadline_does_not_start_the_handler),
        cmocka_unit_test(a_refused_call_costs_no_body),
        cmocka_unit_test(response_metadata_is_sent_with_the_headers),
        cmocka_unit_test(a_value_that_does_not_come_again_is_in_no_table),
        cmocka_unit_test(a_client_with_a_tiny_window_gets_everything),
        cmocka_unit_test(a_slow_reader_stops_the_sender),
        cmocka_unit_test(a_cancelled_call_gives_its_slot_back),
    };
    return cmocka_run_group_tests(tests, start, wire_stop);
}
