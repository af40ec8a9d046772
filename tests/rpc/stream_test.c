#include "tests/rpc/here.h"

#include "rpc/stream.h"

static int setup(void **state)
{
    *state = here_start((struct rpc_server_options){0});
    return 0;
}

static void a_server_stream_arrives_in_order_and_ends(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 100;
    req.payload_bytes = 10;
    struct rpc_local *local =
        rpc_local_open(t->server, TEST_SERVER_STREAM, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    for (int i = 0; i < 100; i++) {
        ServerStreamResponse *res =
            (ServerStreamResponse *)rpc_local_next(local, t->arena, 5000);
        assert_non_null(res);
        assert_int_equal(res->index, i);
        assert_int_equal(res->payload.len, 10);
    }
    assert_null(rpc_local_next(local, t->arena, 5000));
    assert_code(rpc_local_reply(local), RPC_OK);
    rpc_local_free(local);
}

/* 1,000 messages of 4 KiB are 4 MB; the handler may run ahead by 256 KiB. */
static void a_slow_reader_holds_the_sender_back(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1000;
    req.payload_bytes = 4096;
    struct rpc_local *local =
        rpc_local_open(t->server, TEST_SERVER_STREAM, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    assert_non_null(rpc_local_next(local, t->arena, 5000));
    size_t queued = rpc_local_queued(local);
    assert_in_range(queued, RPC_OUT_BYTES_MAX - 4200, RPC_OUT_BYTES_MAX + 8400);
    int count = 1;
    while (rpc_local_next(local, t->arena, 5000) != NULL) {
        assert_true(rpc_local_queued(local) <= RPC_OUT_BYTES_MAX + 8400);
        arena_reset(t->arena);
        count++;
    }
    assert_int_equal(count, 1000);
    rpc_local_free(local);
}

static void a_status_after_messages_keeps_them(void **state)
{
    fixture *t = *state;
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 2;
    req.code = RPC_ABORTED;
    struct rpc_local *local =
        rpc_local_open(t->server, TEST_SERVER_STREAM, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    assert_non_null(rpc_local_next(local, t->arena, 5000));
    assert_non_null(rpc_local_next(local, t->arena, 5000));
    assert_null(rpc_local_next(local, t->arena, 5000));
    assert_code(rpc_local_reply(local), RPC_ABORTED);
    rpc_local_free(local);
}

static void a_client_stream_is_added_up_at_its_end(void **state)
{
    fixture *t = *state;
    struct rpc_local *local =
        rpc_local_open(t->server, TEST_CLIENT_STREAM, NULL);
    for (int i = 1; i <= 10; i++) {
        ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
        req.number = i;
        rpc_local_send(local, &req);
    }
    assert_null(rpc_local_next(local, t->arena, 1));
    assert_true(rpc_local_is_open(local));
    rpc_local_close_send(local);
    ClientStreamResponse *res =
        (ClientStreamResponse *)rpc_local_next(local, t->arena, 5000);
    assert_non_null(res);
    assert_int_equal(res->sum, 55);
    assert_int_equal(res->message_count, 10);
    assert_code(rpc_local_reply(local), RPC_OK);
    rpc_local_free(local);
}

static void both_directions_of_a_bidi_stream_run_by_turns(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = rpc_local_open(t->server, TEST_BIDI_STREAM, NULL);
    static const char *const texts[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        BidiStreamRequest req = BIDI_STREAM_REQUEST_INIT;
        req.text = texts[i];
        rpc_local_send(local, &req);
        BidiStreamResponse *res =
            (BidiStreamResponse *)rpc_local_next(local, t->arena, 5000);
        assert_non_null(res);
        assert_string_equal(res->text, texts[i]);
    }
    rpc_local_close_send(local);
    assert_code(rpc_local_reply(local), RPC_OK);
    rpc_local_free(local);
}

static void a_message_that_is_none_ends_the_stream(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = rpc_local_open(t->server, TEST_BIDI_STREAM, NULL);
    rpc_local_send_bytes(local, "\x0a\x05zz", 4);
    assert_code(rpc_local_reply(local), RPC_INVALID_ARGUMENT);
    rpc_local_free(local);
}

static void a_cancelled_stream_unwinds_with_messages_waiting(void **state)
{
    fixture *t = *state;
    struct rpc_local *local =
        rpc_local_open(t->server, TEST_CLIENT_STREAM, NULL);
    ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
    rpc_local_send(local, &req);
    rpc_local_send(local, &req);
    rpc_local_cancel(local);
    assert_code(rpc_local_reply(local), RPC_CANCELLED);
    rpc_local_free(local);
}

static void a_request_that_never_comes_is_not_waited_for(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){.unary_ms_max = 20});
    struct rpc_local *local =
        rpc_local_open(t->server, TEST_SERVER_STREAM, NULL);
    assert_code(rpc_local_reply(local), RPC_DEADLINE_EXCEEDED);
    rpc_local_free(local);
    here_stop((void **)&t);
}

/* The limit is on the request's coming, not on the stream. */
static void a_stream_may_last_longer_than_a_unary_call(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){.unary_ms_max = 20});
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 3;
    req.interval_ms = 30;
    struct rpc_local *local =
        rpc_local_open(t->server, TEST_SERVER_STREAM, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    assert_code(rpc_local_reply(local), RPC_OK);
    rpc_local_free(local);
    here_stop((void **)&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
        CASE(a_server_stream_arrives_in_order_and_ends),
        CASE(a_slow_reader_holds_the_sender_back),
        CASE(a_status_after_messages_keeps_them),
        CASE(a_client_stream_is_added_up_at_its_end),
        CASE(both_directions_of_a_bidi_stream_run_by_turns),
        CASE(a_message_that_is_none_ends_the_stream),
        CASE(a_cancelled_stream_unwinds_with_messages_waiting),
        cmocka_unit_test(a_request_that_never_comes_is_not_waited_for),
        cmocka_unit_test(a_stream_may_last_longer_than_a_unary_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
