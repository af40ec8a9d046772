/* gRPC's interop cases (grpc/grpc doc/interop-test-descriptions.md) from the
 * client's side, with our channel.
 *
 *   interopclient ADDRESS [--tls CA-FILE SERVER-NAME] [CASE]...
 *
 * A line for each case, and "N passed, N failed" at the end. */
#include "rpc/loop.h"
#include "tests/rpc/interopservice.client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct loop *loop;
    struct rpc_channel_options options;
    struct rpc_channel_tls tls;
    struct rpc_channel *channel;
    rpc_code code;
    char message[256];
    bool done;
    rpc_status (*fn)(struct rpc_call *call, struct run *run);
};

enum { TIMEOUT_MS = 20000 };
static const struct rpc_channel_call_options in_time = {.timeout_ms =
                                                            TIMEOUT_MS};

/* --- helpers --- */

static rpc_status expect(struct rpc_call *call, bool holds, const char *what)
{
    return holds ? RPC_SUCCESS : rpc_fail(call, RPC_INTERNAL, "%s", what);
}

static rpc_status expect_code(struct rpc_call *call, rpc_status status,
                              rpc_code code)
{
    if (status.code == code)
        return RPC_SUCCESS;
    return rpc_fail(
        call, RPC_INTERNAL, "%s (%s), not %s", rpc_code_name(status.code),
        status.message != NULL ? status.message : "", rpc_code_name(code));
}

static InteropPayload *zeros(struct rpc_call *call, size_t size)
{
    InteropPayload *payload = ARENA_NEW(call->arena, InteropPayload);
    *payload = (InteropPayload)INTEROP_PAYLOAD_INIT;
    payload->body.len = size;
    payload->body.data = arena_alloc(call->arena, size);
    return payload;
}

static InteropStreamRequest *ask_for(struct rpc_call *call,
                                     const int32_t *sizes, size_t count)
{
    InteropStreamRequest *req = ARENA_NEW(call->arena, InteropStreamRequest);
    *req = (InteropStreamRequest)INTEROP_STREAM_REQUEST_INIT;
    req->n_response_parameters = count;
    req->response_parameters =
        arena_array(call->arena, count, sizeof *req->response_parameters);
    for (size_t i = 0; i < count; i++) {
        InteropOutput *output = ARENA_NEW(call->arena, InteropOutput);
        *output = (InteropOutput)INTEROP_OUTPUT_INIT;
        output->size = sizes[i];
        req->response_parameters[i] = output;
    }
    return req;
}

static rpc_status receive(struct rpc_call *call,
                          struct rpc_channel_stream *stream, size_t size)
{
    const InteropStreamResponse *res;
    TRY(rpc_channel_recv(stream, &res));
    TRY(expect(call, res != NULL, "the stream ended early"));
    return expect(call, res->payload != NULL && res->payload->body.len == size,
                  "a payload of another size");
}

static rpc_status receive_end(struct rpc_call *call,
                              struct rpc_channel_stream *stream)
{
    const InteropStreamResponse *res;
    TRY(rpc_channel_recv(stream, &res));
    TRY(expect(call, res == NULL, "a message too many"));
    return rpc_channel_finish(stream);
}

static const int32_t response_sizes[] = {31415, 9, 2653, 58979};
static const int32_t request_sizes[] = {27182, 8, 1828, 45904};

/* --- unary --- */

static rpc_status empty_unary(struct rpc_call *call, struct run *run)
{
    InteropEmpty req = INTEROP_EMPTY_INIT, *res;
    return test_empty_call_call(call, run->channel, &req, &res, &in_time);
}

static rpc_status large_unary_with(struct rpc_call *call, struct run *run,
                                   const struct rpc_channel_call_options *o)
{
    InteropRequest req = INTEROP_REQUEST_INIT;
    InteropResponse *res;
    req.response_size = 314159;
    req.payload = zeros(call, 271828);
    TRY(test_unary_call_call(call, run->channel, &req, &res, o));
    return expect(call,
                  res->payload != NULL && res->payload->body.len == 314159,
                  "a payload of another size");
}

static rpc_status large_unary(struct rpc_call *call, struct run *run)
{
    return large_unary_with(call, run, &in_time);
}

static rpc_status server_compressed_unary(struct rpc_call *call,
                                          struct run *run)
{
    InteropBool yes = INTEROP_BOOL_INIT;
    struct rpc_channel_reply reply = {0};
    for (int wanted = 0; wanted <= 1; wanted++) {
        InteropRequest req = INTEROP_REQUEST_INIT;
        InteropResponse *res;
        yes.value = wanted;
        req.response_size = 314159;
        req.payload = zeros(call, 271828);
        req.response_compressed = &yes;
        TRY(test_unary_call_call(call, run->channel, &req, &res,
                                 &(struct rpc_channel_call_options){
                                     .timeout_ms = TIMEOUT_MS,
                                     .reply = &reply,
                                 }));
        TRY(expect(call, res->payload->body.len == 314159, "another size"));
        TRY(expect(call, reply.was_compressed == wanted,
                   "not packed as asked for"));
    }
    return RPC_SUCCESS;
}

/* --- streams --- */

static rpc_status client_streaming(struct rpc_call *call, struct run *run)
{
    struct rpc_channel_stream *stream =
        test_streaming_input_call_open(call, run->channel, &in_time);
    for (int i = 0; i < 4; i++) {
        InteropInput input = INTEROP_INPUT_INIT;
        input.payload = zeros(call, (size_t)request_sizes[i]);
        TRY(rpc_channel_send(stream, &input));
    }
    rpc_channel_half_close(stream);
    const InteropInputSum *sum;
    TRY(rpc_channel_recv(stream, &sum));
    TRY(expect(call, sum != NULL && sum->aggregated_payload_size == 74922,
               "another sum"));
    return rpc_channel_finish(stream);
}

static rpc_status server_streaming(struct rpc_call *call, struct run *run)
{
    struct rpc_channel_stream *stream =
        test_streaming_output_call_open(call, run->channel, &in_time);
    TRY(rpc_channel_send(stream, ask_for(call, response_sizes, 4)));
    rpc_channel_half_close(stream);
    for (int i = 0; i < 4; i++)
        TRY(receive(call, stream, (size_t)response_sizes[i]));
    return receive_end(call, stream);
}

static rpc_status play(struct rpc_call *call, struct rpc_channel_stream *stream,
                       int i)
{
    InteropStreamRequest *req = ask_for(call, &response_sizes[i], 1);
    req->payload = zeros(call, (size_t)request_sizes[i]);
    TRY(rpc_channel_send(stream, req));
    return receive(call, stream, (size_t)response_sizes[i]);
}

static rpc_status ping_pong(struct rpc_call *call, struct run *run)
{
    struct rpc_channel_stream *stream =
        test_full_duplex_call_open(call, run->channel, &in_time);
    for (int i = 0; i < 4; i++)
        TRY(play(call, stream, i));
    rpc_channel_half_close(stream);
    return receive_end(call, stream);
}

static rpc_status empty_stream(struct rpc_call *call, struct run *run)
{
    struct rpc_channel_stream *stream =
        test_full_duplex_call_open(call, run->channel, &in_time);
    rpc_channel_half_close(stream);
    return receive_end(call, stream);
}

/* --- metadata --- */

static const char initial[] = "x-grpc-test-echo-initial";
static const char trailing[] = "x-grpc-test-echo-trailing-bin";
static const char initial_value[] = "test_initial_metadata_value";
static const char trailing_value[] = "\xab\xab\xab";

static const struct rpc_channel_metadata echoed[] = {
    {initial, initial_value, 0}, {trailing, trailing_value, 3}, {0}};

static rpc_status check_echo(struct rpc_call *call,
                             const struct rpc_channel_reply *reply)
{
    size_t size = 0;
    const char *value = rpc_channel_field(reply->headers, initial, NULL);
    TRY(expect(call, value != NULL && strcmp(value, initial_value) == 0,
               "no initial metadata came back"));
    value = rpc_channel_field(reply->trailers, trailing, &size);
    return expect(call,
                  value != NULL && size == 3 &&
                      memcmp(value, trailing_value, 3) == 0,
                  "no trailing metadata came back");
}

static rpc_status custom_metadata(struct rpc_call *call, struct run *run)
{
    struct rpc_channel_reply reply = {0};
    const struct rpc_channel_call_options options = {
        .timeout_ms = TIMEOUT_MS, .metadata = echoed, .reply = &reply};
    TRY(large_unary_with(call, run, &options));
    TRY(check_echo(call, &reply));

    reply = (struct rpc_channel_reply){0};
    struct rpc_channel_stream *stream =
        test_full_duplex_call_open(call, run->channel, &options);
    TRY(play(call, stream, 0));
    rpc_channel_half_close(stream);
    TRY(receive_end(call, stream));
    return check_echo(call, &reply);
}

/* --- statuses --- */

static rpc_status expect_message(struct rpc_call *call, rpc_status status,
                                 const char *message)
{
    TRY(expect_code(call, status, RPC_UNKNOWN));
    return expect(call, strcmp(status.message, message) == 0,
                  "another message");
}

static rpc_status be_told(struct rpc_call *call, struct run *run,
                          const char *message)
{
    InteropStatus told = INTEROP_STATUS_INIT;
    InteropRequest req = INTEROP_REQUEST_INIT;
    InteropResponse *res;
    told.code = RPC_UNKNOWN;
    told.message = message;
    req.response_status = &told;
    return expect_message(
        call, test_unary_call_call(call, run->channel, &req, &res, &in_time),
        message);
}

static rpc_status status_code_and_message(struct rpc_call *call,
                                          struct run *run)
{
    static const char message[] = "test status message";
    TRY(be_told(call, run, message));

    InteropStatus told = INTEROP_STATUS_INIT;
    InteropStreamRequest req = INTEROP_STREAM_REQUEST_INIT;
    told.code = RPC_UNKNOWN;
    told.message = message;
    req.response_status = &told;
    struct rpc_channel_stream *stream =
        test_full_duplex_call_open(call, run->channel, &in_time);
    TRY(rpc_channel_send(stream, &req));
    return expect_message(call, rpc_channel_finish(stream), message);
}

static rpc_status special_status_message(struct rpc_call *call, struct run *run)
{
    return be_told(call, run,
                   "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba "
                   "and non-BMP \xf0\x9f\x98\x88\t\n");
}

static rpc_status call_nothing(struct rpc_call *call, struct run *run,
                               const char *path)
{
    const struct rpc_method method = {
        .path = path,
        .kind = RPC_UNARY,
        .request = INTEROP_EMPTY_DESCRIPTOR,
        .response = INTEROP_EMPTY_DESCRIPTOR,
    };
    InteropEmpty req = INTEROP_EMPTY_INIT, *res;
    return expect_code(
        call,
        rpc_channel_call(call, run->channel, &method, &req, &res, &in_time),
        RPC_UNIMPLEMENTED);
}

static rpc_status unimplemented_method(struct rpc_call *call, struct run *run)
{
    return call_nothing(call, run,
                        "/grpc.testing.TestService/UnimplementedCall");
}

static rpc_status unimplemented_service(struct rpc_call *call, struct run *run)
{
    return call_nothing(call, run,
                        "/grpc.testing.UnimplementedService/UnimplementedCall");
}

/* --- early ends --- */

static rpc_status cancel_after_begin(struct rpc_call *call, struct run *run)
{
    struct rpc_channel_stream *stream =
        test_streaming_input_call_open(call, run->channel, &in_time);
    rpc_channel_cancel(stream);
    return expect_code(call, rpc_channel_finish(stream), RPC_CANCELLED);
}

static rpc_status cancel_after_first_response(struct rpc_call *call,
                                              struct run *run)
{
    struct rpc_channel_stream *stream =
        test_full_duplex_call_open(call, run->channel, &in_time);
    TRY(play(call, stream, 0));
    rpc_channel_cancel(stream);
    return expect_code(call, rpc_channel_finish(stream), RPC_CANCELLED);
}

static rpc_status timeout_on_sleeping_server(struct rpc_call *call,
                                             struct run *run)
{
    struct rpc_channel_stream *stream = test_full_duplex_call_open(
        call, run->channel,
        &(struct rpc_channel_call_options){.timeout_ms = 1});
    InteropStreamRequest req = INTEROP_STREAM_REQUEST_INIT;
    req.payload = zeros(call, 27182);
    rpc_channel_send(stream, &req);
    const InteropStreamResponse *res;
    return expect_code(call, rpc_channel_recv(stream, &res),
                       RPC_DEADLINE_EXCEEDED);
}

/* --- many --- */

enum { SOAK_CALLS = 100, SOAK_CHANNELS = 30 };

static rpc_status rpc_soak(struct rpc_call *call, struct run *run)
{
    for (int i = 0; i < SOAK_CALLS; i++)
        TRY(large_unary(call, run));
    return RPC_SUCCESS;
}

static rpc_status channel_soak(struct rpc_call *call, struct run *run)
{
    for (int i = 0; i < SOAK_CHANNELS; i++) {
        char error[256];
        struct run own = *run;
        own.channel =
            rpc_channel_create(run->loop, &run->options, error, sizeof error);
        if (own.channel == NULL)
            return rpc_fail(call, RPC_INTERNAL, "%s", error);
        rpc_status status = large_unary(call, &own);
        rpc_channel_destroy(own.channel);
        TRY(status);
    }
    return RPC_SUCCESS;
}

/* --- running them --- */

#define CASE(name)  \
    {               \
#name, name \
    }
static const struct {
    const char *name;
    rpc_status (*fn)(struct rpc_call *call, struct run *run);
} cases[] = {
    CASE(empty_unary),
    CASE(large_unary),
    CASE(server_compressed_unary),
    CASE(client_streaming),
    CASE(server_streaming),
    CASE(ping_pong),
    CASE(empty_stream),
    CASE(custom_metadata),
    CASE(status_code_and_message),
    CASE(special_status_message),
    CASE(unimplemented_method),
    CASE(unimplemented_service),
    CASE(cancel_after_begin),
    CASE(cancel_after_first_response),
    CASE(timeout_on_sleeping_server),
    CASE(rpc_soak),
    CASE(channel_soak),
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

static void run_main(struct rpc_call *call, void *argument)
{
    struct run *run = argument;
    rpc_status status = run->fn(call, run);
    run->code = status.code;
    snprintf(run->message, sizeof run->message, "%s",
             status.message != NULL ? status.message : "");
    run->done = true;
}

static bool run_case(struct run *run, int index)
{
    run->done = false;
    run->fn = cases[index].fn;
    if (rpc_task(NULL, run->loop, run_main, run) == NULL)
        abort();
    loop_run_until(run->loop, &run->done);
    if (run->code == RPC_OK)
        printf("ok      %s\n", cases[index].name);
    else
        printf("FAILED  %s: %s: %s\n", cases[index].name,
               rpc_code_name(run->code), run->message);
    return run->code == RPC_OK;
}

static bool is_wanted(const char *name, char **wanted)
{
    if (*wanted == NULL)
        return true;
    for (; *wanted != NULL; wanted++)
        if (strcmp(*wanted, name) == 0)
            return true;
    return false;
}

static int run_all(struct run *run, char **wanted)
{
    int passed = 0, failed = 0;
    for (int i = 0; i < CASE_COUNT; i++)
        if (is_wanted(cases[i].name, wanted))
            *(run_case(run, i) ? &passed : &failed) += 1;
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0 || passed == 0;
}

int main(int count, char **arguments)
{
    struct run run = {0};
    char error[256];
    if (count < 2) {
        fprintf(stderr, "usage: interopclient ADDRESS [--tls CA-FILE "
                        "SERVER-NAME] [CASE]...\n");
        return 2;
    }
    run.options.target = arguments[1];
    char **wanted = arguments + 2;
    if (count >= 5 && strcmp(arguments[2], "--tls") == 0) {
        run.tls.ca_path = arguments[3];
        run.tls.server_name = arguments[4];
        run.options.tls = &run.tls;
        wanted += 3;
    }
    run.loop = loop_create();
    run.channel =
        rpc_channel_create(run.loop, &run.options, error, sizeof error);
    if (run.channel == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int outcome = run_all(&run, wanted);
    rpc_channel_destroy(run.channel);
    loop_destroy(run.loop);
    arena_thread_finish();
    return outcome;
}
