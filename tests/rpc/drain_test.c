/* Handlers that would sleep through a drain are woken by it. */
#include "tests/wire/wire.h"

#include "rpc/stream.h"

#include <pthread.h>

static rpc_status say_goodbye(struct rpc_call *call, struct rpc_out *out,
                              const char *text)
{
    EchoResponse goodbye = ECHO_RESPONSE_INIT;
    goodbye.text = text;
    TRY(rpc_send(out, &goodbye));
    return rpc_fail_reason(call, RPC_UNAVAILABLE, "RESUME", "come back");
}

static rpc_status chat(struct rpc_call *call, struct rpc_in *in,
                       struct rpc_out *out)
{
    const EchoRequest *req;
    TRY(rpc_recv_or_drain(in, &req));
    while (req != NULL) {
        EchoResponse res = ECHO_RESPONSE_INIT;
        res.text = req->text;
        TRY(rpc_send(out, &res));
        TRY(rpc_recv_or_drain(in, &req));
    }
    return rpc_is_draining(call) ? say_goodbye(call, out, "goodbye")
                                 : RPC_SUCCESS;
}

static rpc_status watch(struct rpc_call *call, const void *req,
                        struct rpc_out *out)
{
    (void)req;
    bool never = false;
    EchoResponse hello = ECHO_RESPONSE_INIT;
    hello.text = "hello";
    TRY(rpc_send(out, &hello));
    TRY(rpc_wait_or_drain(call, &never));
    return say_goodbye(call, out, "goodbye");
}

static const struct rpc_method methods[] = {
    {.path = "/prbal.test.Drain/Chat",
     .kind = RPC_BIDI_STREAM,
     .access = RPC_ACCESS_OPEN,
     .request = &pb__echo_request__descriptor,
     .response = &pb__echo_response__descriptor,
     .bidi = chat},
    {.path = "/prbal.test.Drain/Watch",
     .kind = RPC_SERVER_STREAM,
     .access = RPC_ACCESS_OPEN,
     .request = &pb__echo_request__descriptor,
     .response = &pb__echo_response__descriptor,
     .server_stream = watch},
};
static const struct rpc_service service = {"prbal.test.Drain", methods, 2};
static const struct rpc_service *const services[] = {&service};
static const struct rpc_registry registry = {services, 1, NULL, 0, NULL, 0};
static const struct rpc_registry *const registries[] = {&registry, NULL};

/* The drain would take a minute if anyone slept through it. */
static fixture *start(uint32_t age_ms)
{
    return wire_start((struct rpc_server_options){.registries = registries,
                                                  .drain_ms = 60000,
                                                  .age_ms = age_ms,
                                                  .age_grace_ms = 60000});
}

static void finish(fixture *t)
{
    void *mine = t;
    wire_stop(&mine);
}

static void *stop_server(void *argument)
{
    wire_stop_server(argument);
    return NULL;
}

/* Opens both streams and waits until their handlers have answered once. */
static void open_both(fixture *t, struct client_response *streams[2])
{
    struct bytes body = echo_body(t, "hello");
    for (int i = 0; i < 2; i++) {
        streams[i] = client_request(t->client, methods[i].path, NULL, body.data,
                                    body.size, i == 1);
        client_wait_body(t->client, streams[i], body.size);
    }
}

static void assert_said_goodbye(fixture *t, struct client_response *stream)
{
    client_wait(t->client, stream);
    assert_grpc(stream, 200, RPC_UNAVAILABLE);
    EchoResponse *last = message_at(t, ECHO_RESPONSE_DESCRIPTOR, stream, 1);
    assert_string_equal(last->text, "goodbye");
}

static void a_server_that_drains_wakes_its_handlers(void **state)
{
    (void)state;
    fixture *t = start(0);
    struct client_response *streams[2];
    open_both(t, streams);
    pthread_t thread;
    pthread_create(&thread, NULL, stop_server, t);
    for (int i = 0; i < 2; i++)
        assert_said_goodbye(t, streams[i]);
    pthread_join(thread, NULL);
    finish(t);
}

static void a_connection_that_is_to_end_wakes_its_handlers(void **state)
{
    (void)state;
    fixture *t = start(500);
    struct client_response *streams[2];
    open_both(t, streams);
    for (int i = 0; i < 2; i++)
        assert_said_goodbye(t, streams[i]);
    client_wait_closed(t->client);
    finish(t);
}

static void a_half_closed_stream_ends_as_ever(void **state)
{
    (void)state;
    fixture *t = start(0);
    struct client_response *streams[2];
    open_both(t, streams);
    client_send(t->client, streams[0], NULL, 0, true);
    client_wait(t->client, streams[0]);
    assert_grpc(streams[0], 200, RPC_OK);
    finish(t);
}

static void send_echo(struct raw *raw)
{
    uint8_t block[256];
    size_t size = raw_headers(raw, block, sizeof block, TEST_ECHO, NULL, NULL);
    raw_frame(raw, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block, size);
    raw_frame(raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "\0\0\0\0", 5);
}

/* A call that the client sent before it heard of the drain is no failure. */
static void a_call_that_crosses_the_notice_is_served(void **state)
{
    (void)state;
    static const struct rpc_registry *const both[] = {&registry, &test_registry,
                                                      NULL};
    fixture *t = wire_start(
        (struct rpc_server_options){.registries = both, .drain_ms = 60000});
    struct raw *late = raw_connect(t->port); /* has not said a word */
    struct raw *raw = raw_connect(t->port);
    raw_greet(raw);
    raw_wait_frames(raw, NGHTTP2_SETTINGS, 2);
    pthread_t thread;
    pthread_create(&thread, NULL, stop_server, t);
    assert_true(raw_wait_frames(raw, NGHTTP2_GOAWAY, 1));
    raw_greet(late);
    struct raw *clients[] = {raw, late};
    for (int i = 0; i < 2; i++)
        send_echo(clients[i]);
    for (int i = 0; i < 2; i++) {
        struct raw_end end = raw_wait_closed(clients[i]);
        assert_int_equal(end.frames[NGHTTP2_HEADERS], 2);
        assert_int_equal(end.frames[NGHTTP2_DATA], 1);
        assert_int_equal(end.frames[NGHTTP2_GOAWAY], 2);
        assert_int_equal(end.goaway_code, NGHTTP2_NO_ERROR);
        raw_close(clients[i]);
    }
    pthread_join(thread, NULL);
    finish(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_drains_wakes_its_handlers),
        cmocka_unit_test(a_connection_that_is_to_end_wakes_its_handlers),
        cmocka_unit_test(a_half_closed_stream_ends_as_ever),
        cmocka_unit_test(a_call_that_crosses_the_notice_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
