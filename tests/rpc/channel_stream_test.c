#include "tests/rpc/channelkit.h"

#include "rpc/hash.h"

static int setup(void **state)
{
    *state = kit_start((struct rpc_server_options){0},
                       (struct rpc_channel_options){0});
    return 0;
}

struct streaming {
    fixture *t;
    ServerStreamRequest request;
    struct rpc_channel_call_options options;
    int count;    /* messages to send, or to receive before stopping */
    size_t bytes; /* of each payload that is sent */
    int sent, received;
    int out_of_order;
    size_t received_bytes;
    int64_t sum;
    rpc_code code;
    char message[256];
};

static void keep(struct streaming *s, rpc_status status)
{
    s->code = status.code;
    snprintf(s->message, sizeof s->message, "%s",
             status.message != NULL ? status.message : "");
}

/* --- server streams --- */

static rpc_status receive_all(struct rpc_channel_stream *stream,
                              struct streaming *s)
{
    for (;;) {
        const ServerStreamResponse *message;
        TRY(rpc_channel_recv(stream, &message));
        if (message == NULL)
            return rpc_channel_finish(stream);
        s->out_of_order += message->index != s->received;
        s->received++;
        s->received_bytes += message->payload.len;
    }
}

static struct rpc_channel_stream *open_server_stream(struct rpc_call *call,
                                                     struct streaming *s)
{
    struct rpc_channel_stream *stream = rpc_channel_open(
        call, s->t->channel, TEST_METHOD("ServerStream"), &s->options);
    rpc_channel_send(stream, &s->request);
    rpc_channel_half_close(stream);
    return stream;
}

static void read_server_stream(struct rpc_call *call, void *argument)
{
    struct streaming *s = argument;
    keep(s, receive_all(open_server_stream(call, s), s));
}

static struct streaming server_stream(fixture *t, int count, int bytes)
{
    struct streaming s = {.t = t, .request = SERVER_STREAM_REQUEST_INIT};
    s.request.count = count;
    s.request.payload_bytes = bytes;
    return s;
}

static void messages_come_in_order_and_then_the_end(void **state)
{
    fixture *t = *state;
    struct streaming s = server_stream(t, 2000, 1000);
    kit_run(t, read_server_stream, &s);
    assert_code(s, RPC_OK);
    assert_int_equal(s.received, 2000);
    assert_int_equal(s.out_of_order, 0);
    assert_int_equal(s.received_bytes, 2000 * 1000);
}

static void messages_larger_than_the_window_arrive(void **state)
{
    fixture *t = *state;
    struct streaming s = server_stream(t, 5, 900000);
    kit_run(t, read_server_stream, &s);
    assert_code(s, RPC_OK);
    assert_int_equal(s.received_bytes, 5 * 900000);
}

static void a_failure_comes_after_the_messages_before_it(void **state)
{
    fixture *t = *state;
    struct streaming s = server_stream(t, 3, 10);
    s.request.code = RPC_DATA_LOSS;
    kit_run(t, read_server_stream, &s);
    assert_code(s, RPC_DATA_LOSS);
    assert_string_equal(s.message, "as asked for");
    assert_int_equal(s.received, 3);
}

static void finish_only(struct rpc_call *call, void *argument)
{
    struct streaming *s = argument;
    keep(s, rpc_channel_finish(open_server_stream(call, s)));
}

static void what_is_not_received_can_be_dropped(void **state)
{
    fixture *t = *state;
    struct streaming s = server_stream(t, 500, 10000);
    kit_run(t, finish_only, &s);
    assert_code(s, RPC_OK);
}

static bool servers_calls_are(void *argument)
{
    metric in_flight = metrics_gauge("grpc_server_calls_in_flight",
                                     "Calls that have a handler now.", NULL);
    return metrics_value(in_flight) == *(int *)argument;
}

static void read_one_and_return(struct rpc_call *call, void *argument)
{
    struct streaming *s = argument;
    const ServerStreamResponse *message;
    struct rpc_channel_stream *stream = open_server_stream(call, s);
    keep(s, rpc_channel_recv(stream, &message));
    s->received = message != NULL;
}

static void a_stream_that_is_left_is_cancelled_at_the_server(void **state)
{
    fixture *t = *state;
    int none = 0;
    struct streaming s = server_stream(t, 1000000, 1000);
    kit_run(t, read_one_and_return, &s);
    assert_code(s, RPC_OK);
    assert_int_equal(s.received, 1);
    kit_run_until(t, servers_calls_are, &none);
}

static void a_stream_has_a_deadline(void **state)
{
    fixture *t = *state;
    struct streaming s = server_stream(t, 10, 10);
    s.request.interval_ms = 60000;
    s.options.timeout_ms = 700; /* the first message comes before */
    kit_run(t, read_server_stream, &s);
    assert_code(s, RPC_DEADLINE_EXCEEDED);
    assert_int_equal(s.received, 1);
}

static void wait_for_headers(struct rpc_call *call, void *argument)
{
    struct streaming *s = argument;
    struct rpc_channel_stream *stream = open_server_stream(call, s);
    keep(s, rpc_channel_wait_headers(stream));
    rpc_channel_cancel(stream);
}

static void headers_can_be_waited_for(void **state)
{
    fixture *t = *state;
    struct streaming s = server_stream(t, 2, 10);
    s.request.interval_ms = 60000;
    kit_run(t, wait_for_headers, &s);
    assert_code(s, RPC_OK);
}

/* --- client streams --- */

static rpc_status send_all(struct rpc_channel_stream *stream,
                           struct streaming *s)
{
    ClientStreamRequest message = CLIENT_STREAM_REQUEST_INIT;
    message.payload.len = s->bytes;
    message.payload.data = calloc(1, s->bytes + 1);
    rpc_status status = RPC_SUCCESS;
    for (s->sent = 0; s->sent < s->count && status.code == RPC_OK; s->sent++) {
        message.number = s->sent;
        status = rpc_channel_send(stream, &message);
    }
    free(message.payload.data);
    return status;
}

static rpc_status sum_up(struct rpc_call *call, struct streaming *s)
{
    struct rpc_channel_stream *stream = rpc_channel_open(
        call, s->t->channel, TEST_METHOD("ClientStream"), &s->options);
    TRY(send_all(stream, s));
    rpc_channel_half_close(stream);
    const ClientStreamResponse *sum;
    TRY(rpc_channel_recv(stream, &sum));
    s->sum = sum->sum;
    s->received = (int)sum->message_count;
    s->received_bytes = (size_t)sum->payload_bytes;
    return rpc_channel_finish(stream);
}

static void client_stream(struct rpc_call *call, void *argument)
{
    keep(argument, sum_up(call, argument));
}

static void a_client_streams_and_is_answered_once(void **state)
{
    fixture *t = *state;
    struct streaming s = {.t = t, .count = 1000, .bytes = 5000};
    kit_run(t, client_stream, &s);
    assert_code(s, RPC_OK);
    assert_int_equal(s.sum, 999 * 1000 / 2);
    assert_int_equal(s.received_bytes, 1000 * 5000);
}

static void a_stream_of_no_messages_is_one(void **state)
{
    fixture *t = *state;
    struct streaming s = {.t = t};
    kit_run(t, client_stream, &s);
    assert_code(s, RPC_OK);
    assert_int_equal(s.received, 0);
}

/* --- both ways --- */

static rpc_status ping_pong(struct rpc_call *call, struct streaming *s)
{
    struct rpc_channel_stream *stream = rpc_channel_open(
        call, s->t->channel, TEST_METHOD("BidiStream"), &s->options);
    for (; s->sent < s->count; s->sent++) {
        BidiStreamRequest ball = BIDI_STREAM_REQUEST_INIT;
        const BidiStreamResponse *back;
        ball.text = arena_printf(call->arena, "ball %d", s->sent);
        TRY(rpc_channel_send(stream, &ball));
        TRY(rpc_channel_recv(stream, &back));
        s->received += back != NULL && strcmp(back->text, ball.text) == 0;
    }
    return rpc_channel_finish(stream);
}

static void play(struct rpc_call *call, void *argument)
{
    keep(argument, ping_pong(call, argument));
}

static void both_sides_talk_in_turn(void **state)
{
    fixture *t = *state;
    struct streaming s = {.t = t, .count = 200};
    kit_run(t, play, &s);
    assert_code(s, RPC_OK);
    assert_int_equal(s.received, 200);
}

/* The server sends everything back, and nobody reads it: in the end it does not
 * read either. */
static void send_without_reading(struct rpc_call *call, void *argument)
{
    struct streaming *s = argument;
    BidiStreamRequest message = BIDI_STREAM_REQUEST_INIT;
    struct rpc_channel_stream *stream = rpc_channel_open(
        call, s->t->channel, TEST_METHOD("BidiStream"), &s->options);
    message.payload.len = s->bytes;
    message.payload.data = arena_alloc(call->arena, s->bytes);
    for (size_t i = 0; i < s->bytes; i++) /* that no encoding makes smaller */
        message.payload.data[i] = (uint8_t)hash_random();
    rpc_status status = RPC_SUCCESS;
    for (; s->sent < s->count && status.code == RPC_OK; s->sent++)
        status = rpc_channel_send(stream, &message);
    keep(s, status);
}

struct stillness {
    struct streaming *s;
    int last, looks;
};

static bool has_come_to_rest(void *argument)
{
    struct stillness *still = argument;
    still->looks = still->s->sent == still->last ? still->looks + 1 : 0;
    still->last = still->s->sent;
    return still->s->sent > 0 && still->looks > 100;
}

static void a_sender_waits_for_who_does_not_read(void **state)
{
    fixture *t = *state;
    struct streaming s = {.t = t, .count = 1000, .bytes = 64 * 1024};
    struct stillness still = {.s = &s};
    struct kit_task task;
    kit_spawn(t, &task, send_without_reading, &s);
    kit_run_until(t, has_come_to_rest, &still);
    if (task.done)
        fail_msg("%d: %s", s.sent, s.message);
    /* 16 MiB: TCP's buffers, ours, theirs, and the windows. */
    assert_true(s.sent < 256);
    rpc_end(task.call, RPC_CANCELLED, "enough");
    kit_wait(t, &task);
    assert_code(s, RPC_CANCELLED);
}

static void a_stream_of_a_closed_channel_tells_so(void **state)
{
    fixture *t = *state;
    struct streaming s = server_stream(t, 10, 10);
    struct kit_task task;
    int one = 1;
    s.request.interval_ms = 60000;
    kit_spawn(t, &task, read_server_stream, &s);
    kit_run_until(t, servers_calls_are, &one);
    rpc_channel_destroy(t->channel);
    t->channel = NULL;
    kit_wait(t, &task);
    assert_code(s, RPC_CANCELLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, kit_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(messages_come_in_order_and_then_the_end),
        TEST(messages_larger_than_the_window_arrive),
        TEST(a_failure_comes_after_the_messages_before_it),
        TEST(what_is_not_received_can_be_dropped),
        TEST(a_stream_that_is_left_is_cancelled_at_the_server),
        TEST(a_stream_has_a_deadline),
        TEST(headers_can_be_waited_for),
        TEST(a_client_streams_and_is_answered_once),
        TEST(a_stream_of_no_messages_is_one),
        TEST(both_sides_talk_in_turn),
        TEST(a_sender_waits_for_who_does_not_read),
        TEST(a_stream_of_a_closed_channel_tells_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
