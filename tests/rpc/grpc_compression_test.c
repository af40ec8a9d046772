/* Compressed messages on the wire, each way, in every encoding. */
#include "rpc/compress.h"
#include "tests/rpc/interop_registry.rpc.h"
#include "tests/rpc/interopservice.rpc.h"
#include "tests/wire/wire.h"

#define UNARY_CALL "/grpc.testing.TestService/UnaryCall"
#define INPUT_CALL "/grpc.testing.TestService/StreamingInputCall"
#define OUTPUT_CALL "/grpc.testing.TestService/StreamingOutputCall"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const encoding packing[] = {ENCODING_GZIP, ENCODING_ZSTD};

static int start(void **state)
{
    static const struct rpc_registry *const registries[] = {
        &test_registry, &interop_registry, NULL};
    *state = wire_start((struct rpc_server_options){.registries = registries});
    return 0;
}

/* --- requests --- */

static struct bytes packed_body(fixture *t, encoding which, const void *bytes,
                                size_t size)
{
    struct compress *compress = compress_create();
    const uint8_t *packed;
    size_t packed_size;
    assert_int_equal(
        compress_deflate(compress, which, bytes, size, &packed, &packed_size),
        COMPRESS_DONE);
    struct bytes body = {arena_alloc(t->arena, packed_size + 5),
                         packed_size + 5};
    client_frame(body.data, 1, packed, packed_size);
    compress_destroy(compress);
    return body;
}

static struct bytes packed_message(fixture *t, encoding which,
                                   const void *message)
{
    size_t size;
    uint8_t *plain = codec_pack(t->arena, message, &size);
    return packed_body(t, which, plain, size);
}

static struct client_response *call_encoded(fixture *t, const char *path,
                                            encoding which, struct bytes body)
{
    const struct rpc_header headers[] = {
        {"grpc-encoding", encoding_name(which)}, {NULL, NULL}};
    return wire_call(t, path, headers, body);
}

static void a_compressed_request_is_inflated(void **state)
{
    fixture *t = *state;
    char *text = arena_alloc(t->arena, 2001);
    for (int i = 0; i < 2000; i++)
        text[i] = (char)('a' + i % 26);
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = text;
    for (size_t i = 0; i < COUNT(packing); i++)
        assert_echo(t,
                    call_encoded(t, TEST_ECHO, packing[i],
                                 packed_message(t, packing[i], &req)),
                    text);
}

static void what_only_looks_compressed_is_refused(void **state)
{
    fixture *t = *state;
    struct bytes body = {arena_alloc(t->arena, 9), 9};
    client_frame(body.data, 1, "junk", 4);
    for (size_t i = 0; i < COUNT(packing); i++)
        assert_grpc(call_encoded(t, TEST_ECHO, packing[i], body), 200,
                    RPC_INTERNAL);
}

static void a_bomb_is_refused(void **state)
{
    fixture *t = *state;
    size_t zeros_size = 64 * 1024 * 1024;
    uint8_t *zeros = calloc(1, zeros_size);
    for (size_t i = 0; i < COUNT(packing); i++) {
        struct bytes body = packed_body(t, packing[i], zeros, zeros_size);
        assert_grpc(call_encoded(t, TEST_ECHO, packing[i], body), 200,
                    RPC_RESOURCE_EXHAUSTED);
    }
    free(zeros);
    assert_still_serves(t);
}

/* It is smaller than a message may be. */
static void a_message_out_of_proportion_is_told_so(void **state)
{
    fixture *t = *state;
    size_t zeros_size = 3 * 1024 * 1024;
    uint8_t *zeros = calloc(1, zeros_size);
    struct client_response *r[COUNT(packing)];
    for (size_t i = 0; i < COUNT(packing); i++)
        r[i] = call_encoded(t, TEST_ECHO, packing[i],
                            packed_body(t, packing[i], zeros, zeros_size));
    free(zeros);
    for (size_t i = 0; i < COUNT(packing); i++) {
        assert_grpc(r[i], 200, RPC_RESOURCE_EXHAUSTED);
        assert_string_equal(client_field(r[i], "grpc-message"),
                            "a compressed message of more than 1048576 bytes "
                            "may become at most 100 times as large as it came");
    }
}

static void assert_told(const struct client_response *r)
{
    assert_string_equal(client_field(r, "grpc-accept-encoding"),
                        ENCODINGS_ACCEPTED);
}

static void who_speaks_of_encodings_is_told_which_we_take(void **state)
{
    fixture *t = *state;
    static const struct rpc_header deflate[] = {{"grpc-encoding", "deflate"},
                                                {NULL, NULL}},
                                   identity[] = {{"grpc-encoding", "identity"},
                                                 {NULL, NULL}},
                                   accepts[] = {{"grpc-accept-encoding", "br"},
                                                {NULL, NULL}};
    struct client_response *r =
        wire_call(t, TEST_ECHO, deflate, echo_body(t, "x"));
    assert_grpc(r, 200, RPC_UNIMPLEMENTED);
    assert_told(r);
    assert_told(wire_call(t, TEST_ECHO, identity, echo_body(t, "x")));
    assert_told(wire_call(t, TEST_ECHO, accepts, echo_body(t, "x")));
}

static void a_compressed_flag_speaks_of_encodings(void **state)
{
    fixture *t = *state;
    struct bytes body = echo_body(t, "x");
    body.data[0] = 1;
    struct client_response *r = wire_call(t, TEST_ECHO, NULL, body);
    assert_grpc(r, 200, RPC_INTERNAL);
    assert_told(r);
}

static void who_never_speaks_of_encodings_is_told_nothing_of_them(void **state)
{
    fixture *t = *state;
    struct client_response *r =
        wire_call(t, TEST_ECHO, NULL, echo_body(t, "x"));
    assert_echo(t, r, "x");
    assert_null(client_field(r, "grpc-accept-encoding"));
}

static void a_handler_sees_whether_a_request_came_compressed(void **state)
{
    fixture *t = *state;
    InteropBool yes = INTEROP_BOOL_INIT;
    yes.value = true;
    InteropRequest req = INTEROP_REQUEST_INIT;
    InteropPayload payload = INTEROP_PAYLOAD_INIT;
    payload.body.len = 500;
    payload.body.data = arena_alloc(t->arena, 500);
    req.payload = &payload;
    req.expect_compressed = &yes;
    for (size_t i = 0; i < COUNT(packing); i++) {
        assert_grpc(call_encoded(t, UNARY_CALL, packing[i], framed(t, &req)),
                    200, RPC_INVALID_ARGUMENT);
        assert_grpc(call_encoded(t, UNARY_CALL, packing[i],
                                 packed_message(t, packing[i], &req)),
                    200, RPC_OK);
    }
}

static struct bytes input(fixture *t, bool compressed, bool expected)
{
    InteropBool expect = INTEROP_BOOL_INIT;
    expect.value = expected;
    InteropPayload payload = INTEROP_PAYLOAD_INIT;
    payload.body.len = 2000;
    payload.body.data = arena_alloc(t->arena, 2000);
    InteropInput message = INTEROP_INPUT_INIT;
    message.payload = &payload;
    message.expect_compressed = &expect;
    return compressed ? packed_message(t, ENCODING_ZSTD, &message)
                      : framed(t, &message);
}

/* Three messages, of which the second alone is compressed. */
static struct client_response *stream_inputs(fixture *t, bool second_expected)
{
    static const struct rpc_header headers[] = {{"grpc-encoding", "zstd"},
                                                {NULL, NULL}};
    struct client_response *r =
        client_request(t->client, INPUT_CALL, headers, NULL, 0, false);
    struct bytes bodies[] = {input(t, false, false),
                             input(t, true, second_expected),
                             input(t, false, false)};
    for (size_t i = 0; i < COUNT(bodies); i++)
        client_send(t->client, r, bodies[i].data, bodies[i].size,
                    i + 1 == COUNT(bodies));
    client_wait(t->client, r);
    return r;
}

static void each_message_of_a_stream_may_be_compressed_or_not(void **state)
{
    fixture *t = *state;
    struct client_response *r = stream_inputs(t, true);
    assert_grpc(r, 200, RPC_OK);
    InteropInputSum *sum = message_at(t, INTEROP_INPUT_SUM_DESCRIPTOR, r, 0);
    assert_int_equal(sum->aggregated_payload_size, 6000);
    assert_grpc(stream_inputs(t, false), 200, RPC_INVALID_ARGUMENT);
}

/* --- responses --- */

static struct client_response *call_accepting(fixture *t, const char *path,
                                              const char *accepted,
                                              struct bytes body)
{
    const struct rpc_header headers[] = {{"grpc-accept-encoding", accepted},
                                         {NULL, NULL}};
    return wire_call(t, path, headers, body);
}

/* What `which` has made of the only message of a response. */
static EchoResponse *inflated(fixture *t, encoding which,
                              const struct client_response *r)
{
    struct compress *compress = compress_create();
    const uint8_t *plain;
    size_t size;
    struct codec_error error;
    assert_int_equal(r->body[0], 1);
    assert_int_equal(compress_inflate(compress, which, r->body + 5,
                                      r->body_size - 5, 10000, &plain, &size),
                     COMPRESS_DONE);
    EchoResponse *res = (EchoResponse *)codec_decode(
        t->arena, ECHO_RESPONSE_DESCRIPTOR, plain, size, &error);
    assert_non_null(res);
    compress_destroy(compress);
    return res;
}

static const struct {
    const char *accepted;
    encoding answered;
} wishes[] = {
    {"identity, deflate,gzip", ENCODING_GZIP},
    {"zstd,gzip", ENCODING_ZSTD},
    {"gzip,zstd", ENCODING_GZIP},
    {"br,zstd;q=0,gzip", ENCODING_GZIP},
};

static void a_long_answer_is_compressed_as_the_client_likes_best(void **state)
{
    fixture *t = *state;
    char *text = arena_alloc(t->arena, 5001);
    memset(text, 'z', 5000);
    text[5000] = '\0';
    for (size_t i = 0; i < COUNT(wishes); i++) {
        struct client_response *r = call_accepting(
            t, TEST_ECHO, wishes[i].accepted, echo_body(t, text));
        assert_grpc(r, 200, RPC_OK);
        assert_string_equal(client_field(r, "grpc-encoding"),
                            encoding_name(wishes[i].answered));
        assert_true(r->body_size < 200);
        assert_string_equal(inflated(t, wishes[i].answered, r)->text, text);
    }
}

static void who_takes_no_encoding_of_ours_gets_plain_messages(void **state)
{
    static const char *const strangers[] = {
        "identity", "br, deflate", "gzip;q=0", "gz", "gzipped", ""};
    fixture *t = *state;
    char *text = arena_alloc(t->arena, 5001);
    memset(text, 'z', 5000);
    text[5000] = '\0';
    for (size_t i = 0; i < COUNT(strangers); i++) {
        struct client_response *r =
            call_accepting(t, TEST_ECHO, strangers[i], echo_body(t, text));
        assert_echo(t, r, text);
        assert_null(client_field(r, "grpc-encoding"));
    }
}

static void a_short_answer_is_not_worth_compressing(void **state)
{
    fixture *t = *state;
    assert_echo(t, call_accepting(t, TEST_ECHO, "gzip", echo_body(t, "short")),
                "short");
}

static InteropOutput *output(fixture *t, bool compressed)
{
    InteropOutput *output = ARENA_NEW(t->arena, InteropOutput);
    *output = (InteropOutput)INTEROP_OUTPUT_INIT;
    output->size = 3000;
    output->compressed = ARENA_NEW(t->arena, InteropBool);
    *output->compressed = (InteropBool)INTEROP_BOOL_INIT;
    output->compressed->value = compressed;
    return output;
}

static size_t message_size(const uint8_t *prefix)
{
    return (size_t)prefix[1] << 24 | (size_t)prefix[2] << 16 |
           (size_t)prefix[3] << 8 | prefix[4];
}

static void a_handler_chooses_for_each_message(void **state)
{
    fixture *t = *state;
    InteropOutput *outputs[] = {output(t, true), output(t, false),
                                output(t, true)};
    InteropStreamRequest req = INTEROP_STREAM_REQUEST_INIT;
    req.n_response_parameters = COUNT(outputs);
    req.response_parameters = outputs;
    struct client_response *r =
        call_accepting(t, OUTPUT_CALL, "gzip", framed(t, &req));
    assert_grpc(r, 200, RPC_OK);
    const uint8_t *at = r->body;
    for (size_t i = 0; i < COUNT(outputs); i++) {
        assert_true(at + 5 <= r->body + r->body_size);
        assert_int_equal(at[0], i != 1);
        assert_true(at[0] == 1 ? message_size(at) < 200
                               : message_size(at) > 3000);
        at += 5 + message_size(at);
    }
    assert_ptr_equal(at, r->body + r->body_size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_compressed_request_is_inflated),
        cmocka_unit_test(what_only_looks_compressed_is_refused),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(a_message_out_of_proportion_is_told_so),
        cmocka_unit_test(who_speaks_of_encodings_is_told_which_we_take),
        cmocka_unit_test(a_compressed_flag_speaks_of_encodings),
        cmocka_unit_test(who_never_speaks_of_encodings_is_told_nothing_of_them),
        cmocka_unit_test(a_handler_sees_whether_a_request_came_compressed),
        cmocka_unit_test(each_message_of_a_stream_may_be_compressed_or_not),
        cmocka_unit_test(a_long_answer_is_compressed_as_the_client_likes_best),
        cmocka_unit_test(who_takes_no_encoding_of_ours_gets_plain_messages),
        cmocka_unit_test(a_short_answer_is_not_worth_compressing),
        cmocka_unit_test(a_handler_chooses_for_each_message),
    };
    return cmocka_run_group_tests(tests, start, wire_stop);
}
