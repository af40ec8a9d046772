#include "tests/rpc/channelkit.h"

#include "rpc/log.h"
#include "tests/rpc/interopservice.rpc.h"
#include "tests/rpc/testservice.client.h"

#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>

static int setup(void **state)
{
    *state = kit_start((struct rpc_server_options){0},
                       (struct rpc_channel_options){0});
    return 0;
}

static void an_answer_comes_back_as_the_server_made_it(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = "hello";
    req.number = -7;
    struct unary u = kit_call(t, TEST_METHOD("Echo"), &req, plain);
    assert_echoed(u, "hello");
    assert_int_equal(((const EchoResponse *)u.response)->number, -7);
    assert_string_equal(u.peer, t->address);
    assert_int_equal(u.reply.attempts, 1);
}

static void calls_share_one_connection(void **state)
{
    fixture *t = *state;
    struct kit_task tasks[50];
    struct unary calls[50];
    metric connected = metrics_counter("grpc_client_connected_total",
                                       "Connections that were made.", NULL);
    int64_t before = metrics_value(connected);
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = "one of many";
    for (int i = 0; i < 50; i++) {
        calls[i] = unary_of(t, TEST_METHOD("Echo"), &req);
        kit_spawn(t, &tasks[i], unary_task, &calls[i]);
    }
    for (int i = 0; i < 50; i++) {
        kit_wait(t, &tasks[i]);
        assert_echoed(calls[i], "one of many");
    }
    assert_int_equal(metrics_value(connected) - before, 1);
}

static void every_status_comes_with_its_message(void **state)
{
    fixture *t = *state;
    for (int code = 1; code < RPC_CODE_COUNT; code++) {
        FailRequest req = FAIL_REQUEST_INIT;
        req.code = code;
        req.message = "because: 100% \t \xc3\xa4\xf0\x9f\x98\x88";
        struct unary u = kit_call(t, TEST_METHOD("Fail"), &req, plain);
        assert_code(u, (rpc_code)code);
        assert_null(u.response);
        if (code == RPC_INTERNAL) /* our server keeps that to itself */
            assert_string_equal(u.message, "internal error");
        else
            assert_string_equal(u.message, req.message);
    }
}

static void the_details_of_a_status_can_be_read(void **state)
{
    fixture *t = *state;
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = RPC_FAILED_PRECONDITION;
    req.message = "no";
    req.reason = "TOO_LATE";
    struct unary u = kit_call(t, TEST_METHOD("Fail"), &req, plain);
    struct codec_error error;
    const Google__Rpc__Status *status = (Google__Rpc__Status *)codec_decode(
        t->arena, &google__rpc__status__descriptor, u.details, u.details_size,
        &error);
    assert_non_null(status);
    assert_int_equal(status->n_details, 1);
    const Google__Rpc__ErrorInfo *info = (Google__Rpc__ErrorInfo *)codec_decode(
        t->arena, &google__rpc__error_info__descriptor,
        status->details[0]->value.data, status->details[0]->value.len, &error);
    assert_string_equal(info->reason, "TOO_LATE");
}

static void metadata_goes_there_and_back(void **state)
{
    fixture *t = *state;
    static const uint8_t bytes[] = {0xab, 0, 0xba, 0xff, 0};
    const struct rpc_channel_metadata metadata[] = {
        {KIT_HEADER, "a value, with blanks", 0},
        {KIT_TRAILER, bytes, sizeof bytes},
        {0}};
    InteropRequest req = INTEROP_REQUEST_INIT;
    struct unary u =
        kit_call(t, INTEROP_METHOD("UnaryCall"), &req,
                 (struct rpc_channel_call_options){.metadata = metadata});
    assert_code(u, RPC_OK);
    assert_string_equal(u.header, "a value, with blanks");
    assert_memory_equal(u.trailer, bytes, 2); /* up to its NUL */
}

/* What came with an answer, once a call has sent this (NULL: nothing). */
static const char *answered(fixture *t, struct rpc_channel *channel,
                            const char *value)
{
    const struct rpc_channel_metadata metadata[] = {
        {value != NULL ? KIT_HEADER : NULL, value, 0}, {0}};
    InteropRequest req = INTEROP_REQUEST_INIT;
    struct unary u = unary_of(t, INTEROP_METHOD("UnaryCall"), &req);
    u.channel = channel;
    u.options.metadata = metadata;
    kit_run(t, unary_task, &u);
    assert_code(u, RPC_OK);
    return arena_strdup(t->arena, u.header);
}

static void a_channel_sends_back_the_greatest_that_it_was_told(void **state)
{
    fixture *t = *state;
    struct rpc_channel *channel =
        kit_channel(t, (struct rpc_channel_options){.echoes = KIT_HEADER});
    assert_string_equal(answered(t, channel, NULL), "");
    assert_string_equal(answered(t, channel, "0002"), "0002");
    assert_string_equal(answered(t, channel, NULL), "0002");
    assert_string_equal(answered(t, channel, "0001"), "0001");
    assert_string_equal(answered(t, channel, NULL), "0002");
    assert_string_equal(answered(t, channel, "0003"), "0003");
    assert_string_equal(answered(t, channel, NULL), "0003");
    rpc_channel_destroy(channel);
}

static void a_method_that_is_not_there_is_unimplemented(void **state)
{
    fixture *t = *state;
    struct rpc_method method = *TEST_METHOD("Echo");
    method.path = "/prbal.test.TestService/Nothing";
    EchoRequest req = ECHO_REQUEST_INIT;
    struct unary u = kit_call(t, &method, &req, plain);
    assert_code(u, RPC_UNIMPLEMENTED);
}

static void a_deadline_is_kept_and_told_to_the_server(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct unary u =
        kit_call(t, TEST_METHOD("Sleep"), &req,
                 (struct rpc_channel_call_options){.timeout_ms = 30});
    assert_code(u, RPC_DEADLINE_EXCEEDED);
    assert_echoed(kit_echo(t, "still here", plain), "still here");
}

static void call_with_little_time(struct rpc_call *call, void *argument)
{
    call->deadline_us = loop_now_us(call->loop) + 30000;
    unary_task(call, argument);
}

static void the_deadline_of_the_calling_call_is_the_earlier_one(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct unary u = unary_of(t, TEST_METHOD("Sleep"), &req);
    u.options.timeout_ms = 50000;
    kit_run(t, call_with_little_time, &u);
    assert_code(u, RPC_DEADLINE_EXCEEDED);
}

static bool server_is_busy(void *argument)
{
    metric in_flight = metrics_gauge("grpc_server_calls_in_flight",
                                     "Calls that have a handler now.", NULL);
    return metrics_value(in_flight) == *(int *)argument;
}

static void the_end_of_the_calling_call_cancels_at_the_server(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct unary u = unary_of(t, TEST_METHOD("Sleep"), &req);
    struct kit_task task;
    int one = 1, none = 0;
    kit_spawn(t, &task, unary_task, &u);
    kit_run_until(t, server_is_busy, &one);
    rpc_end(task.call, RPC_CANCELLED, "nobody wants it");
    kit_wait(t, &task);
    assert_code(u, RPC_CANCELLED);
    assert_string_equal(u.message, "nobody wants it");
    kit_run_until(t, server_is_busy, &none);
}

static void a_large_message_goes_both_ways(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    req.payload.len = 3 * 1024 * 1024;
    req.payload.data = arena_alloc(t->arena, req.payload.len);
    memset(req.payload.data, 'x', req.payload.len);
    struct unary u = kit_call(t, TEST_METHOD("Echo"), &req, plain);
    assert_code(u, RPC_OK);
    const EchoResponse *res = u.response;
    assert_int_equal(res->payload.len, req.payload.len);
    assert_memory_equal(res->payload.data, req.payload.data, req.payload.len);
}

/* Bytes that shrink to about a tenth. */
static ProtobufCBinaryData compressible(fixture *t, size_t size)
{
    uint8_t *bytes = arena_alloc(t->arena, size);
    uint32_t seed = 1;
    for (size_t i = 0; i < size; i++) {
        if (i % 10 == 0)
            seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return (ProtobufCBinaryData){size, bytes};
}

static void messages_are_compressed_as_asked_for(void **state)
{
    fixture *t = *state;
    static const encoding encodings[] = {ENCODING_GZIP, ENCODING_ZSTD};
    EchoRequest req = ECHO_REQUEST_INIT;
    req.payload = compressible(t, 100000);
    for (int i = 0; i < 2; i++) {
        struct unary u = kit_call(
            t, TEST_METHOD("Echo"), &req,
            (struct rpc_channel_call_options){.encoding = encodings[i]});
        assert_code(u, RPC_OK);
        assert_int_equal(((const EchoResponse *)u.response)->payload.len,
                         100000);
        assert_true(u.reply.was_compressed);
    }
}

/* The server would refuse it as a bomb if it came compressed. */
static void a_message_that_shrinks_to_nothing_goes_as_it_is(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    req.payload.len = 1000000;
    req.payload.data = arena_alloc(t->arena, req.payload.len);
    struct unary u =
        kit_call(t, TEST_METHOD("Echo"), &req,
                 (struct rpc_channel_call_options){.encoding = ENCODING_GZIP});
    assert_code(u, RPC_OK);
    assert_int_equal(((const EchoResponse *)u.response)->payload.len, 1000000);
    assert_true(u.reply.was_compressed); /* the answer may be one */
}

static void a_response_that_is_too_large_is_refused(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    req.payload = compressible(t, 100000);
    static const encoding encodings[] = {ENCODING_IDENTITY, ENCODING_GZIP};
    for (int i = 0; i < 2; i++) {
        struct unary u = kit_call(t, TEST_METHOD("Echo"), &req,
                                  (struct rpc_channel_call_options){
                                      .response_bytes_max = 99999,
                                      .encoding = encodings[i],
                                  });
        assert_code(u, RPC_RESOURCE_EXHAUSTED);
        assert_says(u, "99999");
    }
    assert_echoed(kit_echo(t, "still here", plain), "still here");
}

struct typed {
    struct rpc_channel *channel;
    char text[32];
    int64_t index;
};

static rpc_status call_by_name(struct rpc_call *call, struct typed *typed)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    EchoResponse *res;
    req.text = "typed";
    TRY(test_echo_call(call, typed->channel, &req, &res, NULL));
    snprintf(typed->text, sizeof typed->text, "%s", res->text);

    struct rpc_channel_stream *stream =
        test_server_stream_open(call, typed->channel, NULL);
    ServerStreamRequest many = SERVER_STREAM_REQUEST_INIT;
    many.count = 3;
    TRY(rpc_channel_send(stream, &many));
    rpc_channel_half_close(stream);
    for (;;) {
        const ServerStreamResponse *message;
        TRY(rpc_channel_recv(stream, &message));
        if (message == NULL)
            return rpc_channel_finish(stream);
        typed->index = message->index;
    }
}

static void call_typed(struct rpc_call *call, void *argument)
{
    struct typed *typed = argument;
    if (call_by_name(call, typed).code != RPC_OK)
        typed->index = -1;
}

static void each_method_has_a_typed_call(void **state)
{
    fixture *t = *state;
    struct typed typed = {.channel = t->channel};
    kit_run(t, call_typed, &typed);
    assert_string_equal(typed.text, "typed");
    assert_int_equal(typed.index, 2);
}

struct two_calls {
    fixture *t;
    char ids[2][128];
};

static void call_and_keep_id(struct rpc_call *call, void *argument)
{
    struct two_calls *two = argument;
    EchoRequest req = ECHO_REQUEST_INIT;
    struct rpc_channel_reply reply;
    EchoResponse *res;
    rpc_channel_call(call, two->t->channel, TEST_METHOD("Echo"), &req, &res,
                     &(struct rpc_channel_call_options){.reply = &reply});
    snprintf(two->ids[0], 128, "%s", call->request_id);
    keep_field(reply.headers, "x-request-id", two->ids[1]);
}

static void the_request_id_is_handed_on(void **state)
{
    fixture *t = *state;
    struct two_calls two = {.t = t};
    kit_run(t, call_and_keep_id, &two);
    assert_true(strlen(two.ids[0]) > 0);
    assert_string_equal(two.ids[0], two.ids[1]);
}

struct traced {
    fixture *t;
    char trace_id[TRACE_ID_SIZE + 1], span[TRACE_SPAN_SIZE + 1];
};

static void call_and_keep_span(struct rpc_call *call, void *argument)
{
    struct traced *traced = argument;
    EchoRequest req = ECHO_REQUEST_INIT;
    EchoResponse *res;
    trace_write_id(&call->trace, traced->trace_id);
    trace_write_span(call->trace.span, traced->span);
    rpc_channel_call(call, traced->t->channel, TEST_METHOD("Echo"), &req, &res,
                     NULL);
}

/* The server's log line names the task as the parent of its span. */
static void a_call_belongs_to_the_trace_of_its_caller(void **state)
{
    struct traced traced = {.t = *state};
    char path[] = "/tmp/prbal-channel-XXXXXX", error[200], line[2048];
    char wanted[128];
    close(mkstemp(path));
    assert_true(
        log_open(&(struct log_options){.path = path}, error, sizeof error));
    kit_run(traced.t, call_and_keep_span, &traced);
    log_close();
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    unlink(path);
    snprintf(wanted, sizeof wanted, "\"trace_id\":\"%s\"", traced.trace_id);
    assert_non_null(strstr(line, wanted));
    snprintf(wanted, sizeof wanted, "\"parent_span_id\":\"%s\"", traced.span);
    assert_non_null(strstr(line, wanted));
}

static void a_target_that_is_none_is_refused_with_a_sentence(void **state)
{
    fixture *t = *state;
    char error[256];
    assert_null(rpc_channel_create(
        t->loop, &(struct rpc_channel_options){.target = "nowhere"}, error,
        sizeof error));
    assert_string_equal(
        error, "\"nowhere\" is not HOST:PORT, [V6]:PORT or unix:/path");
}

static void a_channel_that_goes_ends_its_calls(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct unary u = unary_of(t, TEST_METHOD("Sleep"), &req);
    struct kit_task task;
    int one = 1;
    kit_spawn(t, &task, unary_task, &u);
    kit_run_until(t, server_is_busy, &one);
    rpc_channel_destroy(t->channel);
    t->channel = NULL;
    kit_wait(t, &task);
    assert_code(u, RPC_CANCELLED);
    assert_string_equal(u.message, "the channel was closed");
}

static void calls_are_counted_by_method_and_status(void **state)
{
    fixture *t = *state;
    const char *method = "grpc_method=\"prbal.test.TestService/Echo\"";
    metric started =
        metrics_rare_counter("grpc_client_attempt_started_total", "", method);
    metric ended = metrics_histogram(
        "grpc_client_call_duration_seconds", "",
        "grpc_method=\"prbal.test.TestService/Echo\",grpc_status=\"OK\"");
    int64_t started_before = metrics_value(started);
    int64_t ended_before = metrics_duration_count(ended);
    kit_echo(t, "counted", plain);
    assert_int_equal(metrics_value(started) - started_before, 1);
    assert_int_equal(metrics_duration_count(ended) - ended_before, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, kit_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_answer_comes_back_as_the_server_made_it),
        TEST(calls_share_one_connection),
        TEST(every_status_comes_with_its_message),
        TEST(the_details_of_a_status_can_be_read),
        TEST(metadata_goes_there_and_back),
        TEST(a_channel_sends_back_the_greatest_that_it_was_told),
        TEST(a_method_that_is_not_there_is_unimplemented),
        TEST(a_deadline_is_kept_and_told_to_the_server),
        TEST(the_deadline_of_the_calling_call_is_the_earlier_one),
        TEST(the_end_of_the_calling_call_cancels_at_the_server),
        TEST(a_large_message_goes_both_ways),
        TEST(messages_are_compressed_as_asked_for),
        TEST(a_message_that_shrinks_to_nothing_goes_as_it_is),
        TEST(a_response_that_is_too_large_is_refused),
        TEST(each_method_has_a_typed_call),
        TEST(the_request_id_is_handed_on),
        TEST(a_call_belongs_to_the_trace_of_its_caller),
        TEST(a_target_that_is_none_is_refused_with_a_sentence),
        TEST(a_channel_that_goes_ends_its_calls),
        TEST(calls_are_counted_by_method_and_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
