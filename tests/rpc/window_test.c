/* Flow control and the memory behind it: fast clients get room, greedy ones
 * none that is others'. */
#include "tests/wire/wire.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static fixture *start(uint64_t memory_bytes, uint32_t shares)
{
    return wire_start((struct rpc_server_options){
        .memory_bytes_max = memory_bytes, .memory_shares = shares});
}

static void finish(fixture *t)
{
    void *mine = t;
    wire_stop(&mine);
}

/* A message with so many bytes of payload. */
static struct bytes message_of(fixture *t, size_t size)
{
    ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
    req.payload.len = size;
    req.payload.data = arena_alloc(t->arena, size);
    memset(req.payload.data, 'x', size);
    return framed(t, &req);
}

static struct client_response *upload(fixture *t, struct client *client,
                                      int count)
{
    struct bytes body = message_of(t, 256 * KIB);
    struct client_response *r =
        client_request(client, TEST_CLIENT_STREAM, NULL, NULL, 0, false);
    for (int i = 0; i < count; i++)
        client_send(client, r, body.data, body.size, i == count - 1);
    client_wait(client, r);
    return r;
}

/* Most of a message, so that the server holds it in memory. */
static struct client_response *begin_message(fixture *t, struct client *client,
                                             size_t size)
{
    struct bytes body = message_of(t, size);
    struct client_response *r = client_request(
        client, TEST_CLIENT_STREAM, NULL, body.data, body.size - 100, false);
    client_wait_sent(client, r);
    client_ping(client); /* and it has arrived */
    return r;
}

static int64_t payload_bytes(fixture *t, struct client_response *r)
{
    assert_grpc(r, 200, RPC_OK);
    ClientStreamResponse *sum =
        message_at(t, CLIENT_STREAM_RESPONSE_DESCRIPTOR, r, 0);
    return sum->payload_bytes;
}

/* --- windows --- */

static void a_large_upload_widens_the_windows(void **state)
{
    (void)state;
    fixture *t = start(0, 1);
    assert_int_equal(client_peer_window(t->client), 65535);
    struct client_response *r = upload(t, t->client, 64);
    assert_int_equal(payload_bytes(t, r), 16 * MIB);
    assert_true(client_peer_window(t->client) > 65535);
    assert_true(client_peer_window(t->client) <= 4 * MIB);
    assert_still_serves(t);
    finish(t);
}

static void small_calls_are_not_measured(void **state)
{
    (void)state;
    fixture *t = start(0, 1);
    for (int i = 0; i < 200; i++)
        assert_echo(t, wire_call(t, TEST_ECHO, NULL, echo_body(t, "x")), "x");
    assert_int_equal(client_pings(t->client), 0);
    assert_int_equal(client_peer_window(t->client), 65535);
    finish(t);
}

static void no_window_grows_while_memory_is_short(void **state)
{
    (void)state;
    fixture *t = start(6 * MIB, 1);
    struct client *holder = client_connect(t->port);
    begin_message(t, holder, 3 * MIB + 512 * KIB);
    struct client_response *r = upload(t, t->client, 16);
    assert_int_equal(payload_bytes(t, r), 4 * MIB);
    assert_int_equal(client_peer_window(t->client), 65535);
    client_close(holder);
    finish(t);
}

static void a_wide_window_shrinks_when_memory_gets_short(void **state)
{
    (void)state;
    fixture *t = start(6 * MIB, 1);
    upload(t, t->client, 32);
    assert_true(client_peer_window(t->client) > 65535);
    struct client *holder = client_connect(t->port);
    begin_message(t, holder, 3 * MIB + 512 * KIB);
    client_wait_window(t->client, 65535);
    struct client_response *r = upload(t, t->client, 2);
    assert_int_equal(payload_bytes(t, r), 512 * KIB);
    client_close(holder);
    finish(t);
}

/* --- shares --- */

static void one_address_cannot_take_all_memory(void **state)
{
    (void)state;
    fixture *t = start(32 * MIB, 4);
    struct client *greedy = client_connect(t->port);
    for (int i = 0; i < 2; i++)
        begin_message(t, greedy, 3 * MIB + 512 * KIB);
    struct bytes large = message_of(t, MIB);
    struct client_response *refused = client_request(
        greedy, TEST_CLIENT_STREAM, NULL, large.data, large.size, true);
    client_wait(greedy, refused);
    assert_grpc(refused, 200, RPC_RESOURCE_EXHAUSTED);

    struct client *other = client_open(
        (struct client_options){.port = t->port, .from = "127.0.0.7"});
    struct client_response *served = client_request(
        other, TEST_CLIENT_STREAM, NULL, large.data, large.size, true);
    client_wait(other, served);
    assert_int_equal(payload_bytes(t, served), MIB);
    client_close(other);
    client_close(greedy);
    finish(t);
}

static void what_one_address_held_is_given_back(void **state)
{
    (void)state;
    fixture *t = start(16 * MIB, 4);
    for (int i = 0; i < 10; i++) {
        struct client *client = client_connect(t->port);
        begin_message(t, client, 3 * MIB + 512 * KIB);
        client_close(client);
        client_ping(t->client);
    }
    struct bytes large = message_of(t, MIB);
    struct client_response *r = NULL;
    for (int i = 0; i < 400; i++) {
        r = client_request(t->client, TEST_CLIENT_STREAM, NULL, large.data,
                           large.size, true);
        client_wait(t->client, r);
        if (client_status(r) == RPC_OK)
            break; /* the last of them is noticed by now */
    }
    assert_int_equal(payload_bytes(t, r), MIB);
    finish(t);
}

/* --- answers --- */

/* Nobody reads them, and there is no memory to keep them in. */
static void an_answer_that_does_not_fit_is_reset(void **state)
{
    (void)state;
    fixture *t = start(2 * MIB, 1);
    struct client *idle = client_open(
        (struct client_options){.port = t->port, .window_bytes = 10});
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1;
    req.payload_bytes = 300 * KIB;
    struct bytes body = framed(t, &req);
    struct client_response *r[16];
    int resets = 0;
    for (int i = 0; i < 16; i++)
        r[i] = client_request(idle, TEST_SERVER_STREAM, NULL, body.data,
                              body.size, true);
    for (int i = 6; i < 16; i++)
        client_wait(idle, r[i]);
    for (int i = 0; i < 16; i++) {
        resets +=
            r[i]->reset_code == NGHTTP2_ENHANCE_YOUR_CALM ||
            (r[i]->is_closed && client_status(r[i]) == RPC_RESOURCE_EXHAUSTED);
    }
    assert_true(resets >= 10);
    assert_true(client_is_open(idle));
    client_close(idle);
    assert_still_serves(t);
    finish(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_upload_widens_the_windows),
        cmocka_unit_test(small_calls_are_not_measured),
        cmocka_unit_test(no_window_grows_while_memory_is_short),
        cmocka_unit_test(a_wide_window_shrinks_when_memory_gets_short),
        cmocka_unit_test(one_address_cannot_take_all_memory),
        cmocka_unit_test(what_one_address_held_is_given_back),
        cmocka_unit_test(an_answer_that_does_not_fit_is_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
