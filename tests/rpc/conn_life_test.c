/* Connections: how long they live, where they come from, and how they end. */
#include "rpc/address.h"
#include "rpc/net.h"
#include "rpc/peers.h"
#include "tests/rpc/conn_kit.h"
#include "tests/wire/certificate.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>

/* --- time limits --- */

static void an_idle_connection_is_told_to_go(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.idle_ms = 100});
    assert_echo(t, wire_call(t, TEST_ECHO, NULL, echo_body(t, "x")), "x");
    struct raw *raw = greeted(t);
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.frames[NGHTTP2_GOAWAY], 2);
    assert_int_equal(end.goaway_code, NGHTTP2_NO_ERROR);
    assert_string_equal(end.goaway_text, "max_idle");
    raw_close(raw);
    client_wait_closed(t->client);
    assert_int_equal(client_goaway_code(t->client), NGHTTP2_NO_ERROR);
    finish(t);
}

static void a_silent_connection_is_pinged_and_kept(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.keepalive_ms = 50});
    client_wait_pings(t->client, 3);
    assert_echo(t, wire_call(t, TEST_ECHO, NULL, echo_body(t, "x")), "x");
    finish(t);
}

static void a_connection_that_answers_no_ping_is_closed(void **state)
{
    (void)state;
    int64_t before = ended("keepalive_timeout");
    fixture *t = wire_start((struct rpc_server_options){
        .keepalive_ms = 50, .keepalive_timeout_ms = 50});
    struct raw *raw = raw_connect(t->port);
    raw_greet(raw);
    struct raw_end end = raw_wait_closed(raw);
    assert_true(end.frames[NGHTTP2_PING] >= 1);
    assert_int_equal(end.goaway_code, -1);
    assert_true(ended("keepalive_timeout") > before);
    raw_close(raw);
    finish(t);
}

static void a_stream_whose_window_stays_shut_is_reset(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.stall_ms = 100});
    client_close(t->client);
    t->client = client_open(
        (struct client_options){.port = t->port, .window_bytes = 10});
    struct bytes body = echo_body(t, "this does not fit the window");
    struct client_response *r =
        client_request(t->client, TEST_ECHO, NULL, body.data, body.size, true);
    client_wait(t->client, r);
    assert_int_equal(r->reset_code, NGHTTP2_CANCEL);
    assert_int_equal(r->body_size, 10);
    assert_true(client_is_open(t->client));
    finish(t);
}

static void a_window_that_opens_byte_by_byte_is_as_good_as_shut(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.stall_ms = 400});
    client_close(t->client);
    t->client = client_open(
        (struct client_options){.port = t->port, .window_bytes = 1});
    static char text[8000];
    memset(text, 'a', sizeof text - 1);
    struct bytes body = echo_body(t, text);
    struct client_response *r =
        client_request(t->client, TEST_ECHO, NULL, body.data, body.size, true);
    size_t got = 0;
    for (client_wait_body(t->client, r, 1); !r->is_closed; got = r->body_size) {
        assert_true(r->body_size < sizeof text / 2);
        client_grant(t->client, r, 1);
        client_wait_body(t->client, r, r->body_size + 1);
        poll(NULL, 0, 5); /* too slow, but never for long */
    }
    assert_int_equal(r->reset_code, NGHTTP2_CANCEL);
    assert_true(got > 1);
    assert_true(client_is_open(t->client));
    finish(t);
}

static void a_request_that_is_no_call_has_little_time(void **state)
{
    (void)state;
    static const struct rpc_header headers[] = {{"content-type", "text/html"},
                                                {NULL, NULL}};
    fixture *t = wire_start((struct rpc_server_options){.stall_ms = 100});
    struct client_response *r =
        client_request(t->client, "/", headers, NULL, 0, false);
    client_wait(t->client, r);
    assert_int_equal(r->reset_code, NGHTTP2_CANCEL);
    assert_true(client_is_open(t->client));
    finish(t);
}

static void wait_until_ended(const char *reason, int64_t count)
{
    for (int i = 0; i < CLIENT_PATIENCE_MS && ended(reason) < count; i += 5)
        poll(NULL, 0, 5);
    assert_int_equal(ended(reason), count);
}

static void a_peer_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    int64_t before = ended("write_stalled");
    fixture *t = wire_start((struct rpc_server_options){.stall_ms = 100});
    struct raw *raw = raw_connect(t->port);
    raw_send(raw, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    raw_frame(raw, NGHTTP2_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6);
    raw_frame(raw, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
    raw_frame(raw, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\0\0\0", 4);
    ServerStreamRequest req = SERVER_STREAM_REQUEST_INIT;
    req.count = 1000;
    req.payload_bytes = 100000;
    struct bytes body = framed(t, &req);
    uint8_t block[256];
    size_t size =
        raw_headers(raw, block, sizeof block, TEST_SERVER_STREAM, NULL, NULL);
    raw_frame(raw, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, block, size);
    raw_frame(raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, body.data,
              body.size);
    wait_until_ended("write_stalled", before + 1);
    raw_close(raw);
    assert_still_serves(t);
    finish(t);
}

/* --- places --- */

static void one_address_has_a_limit_of_connections(void **state)
{
    (void)state;
    fixture *t =
        wire_start((struct rpc_server_options){.connections_per_ip_max = 3});
    int64_t before = ended("too_many_connections_of_peer");
    struct client *others[2] = {client_connect(t->port),
                                client_connect(t->port)};
    client_ping(others[0]);
    client_ping(others[1]);
    struct raw *raw = raw_connect(t->port);
    raw_wait_closed(raw);
    raw_close(raw);
    assert_int_equal(ended("too_many_connections_of_peer"), before + 1);
    client_close(others[0]);
    client_close(others[1]);
    finish(t);
}

static void connections_spread_evenly_over_loops(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.loop_count = 2});
    struct client *clients[7];
    uint32_t counts[2];
    for (int i = 0; i < 7; i++) {
        clients[i] = client_connect(t->port);
        client_ping(clients[i]);
    }
    for (int i = 0; i < 2; i++)
        counts[i] =
            atomic_load(&atomic_load(&t->server->net->workers[i])->conn_count);
    assert_int_equal(counts[0], 4);
    assert_int_equal(counts[1], 4);
    for (int i = 0; i < 7; i++) {
        struct bytes body = echo_body(t, "either loop");
        struct client_response *r = client_request(clients[i], TEST_ECHO, NULL,
                                                   body.data, body.size, true);
        client_wait(clients[i], r);
        assert_echo(t, r, "either loop");
        client_close(clients[i]);
    }
    finish(t);
}

static void a_used_port_is_explained_in_a_sentence(void **state)
{
    fixture *t = *state;
    char error[256], address[32], expected[128];
    snprintf(address, sizeof address, "127.0.0.1:%d", t->port);
    assert_int_equal(address_listen(address, error, sizeof error), -1);
    snprintf(expected, sizeof expected,
             "cannot listen on %s: another program uses that port", address);
    assert_string_equal(error, expected);
    assert_int_equal(address_listen("nonsense", error, sizeof error), -1);
    assert_string_equal(
        error, "\"nonsense\" is not HOST:PORT, [V6]:PORT or unix:/path");
}

static void a_unix_socket_serves_and_is_cleaned_up(void **state)
{
    (void)state;
    static const struct rpc_registry *const registries[] = {&test_registry,
                                                            NULL};
    const struct rpc_server_options options = {.registries = registries,
                                               .loop_count = 1};
    char error[256], path[] = "/tmp/prbal-sock-XXXXXX", address[64];
    int fd = mkstemp(path);
    close(fd);
    unlink(path);
    snprintf(address, sizeof address, "unix:%s", path);
    struct rpc_server *server = rpc_server_create(&options);
    assert_int_equal(
        rpc_server_listen(server, address, RPC_LISTEN_H2C, error, sizeof error),
        0);
    assert_int_equal(rpc_server_start(server).code, RPC_OK);
    struct client *client =
        client_open((struct client_options){.unix_path = path});
    struct client_response *r =
        client_request(client, TEST_ECHO, NULL, "\0\0\0\0", 5, true);
    client_wait(client, r);
    assert_grpc(r, 200, RPC_OK);
    client_close(client);
    rpc_server_stop(server);
    rpc_server_destroy(server);
    assert_int_equal(access(path, F_OK), -1);
}

static void an_ipv6_household_is_one_peer(void **state)
{
    (void)state;
    struct sockaddr_storage a = {0}, b = {0};
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&a;
    six->sin6_family = AF_INET6;
    inet_pton(AF_INET6, "2001:db8:1:2::7", &six->sin6_addr);
    memcpy(&b, &a, sizeof b);
    ((struct sockaddr_in6 *)&b)->sin6_addr.s6_addr[15] = 9;
    assert_true(peer_key(&a) == peer_key(&b));
    ((struct sockaddr_in6 *)&b)->sin6_addr.s6_addr[7] ^= 1;
    assert_true(peer_key(&a) != peer_key(&b));

    struct sockaddr_storage four = {.ss_family = AF_INET};
    inet_pton(AF_INET, "192.0.2.1", &((struct sockaddr_in *)&four)->sin_addr);
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &six->sin6_addr);
    assert_true(peer_key(&a) == peer_key(&four));
    char text[PEER_TEXT_BYTES];
    peer_format(&a, text);
    assert_string_equal(text, "[::ffff:192.0.2.1]:0");
}

/* --- TLS --- */

static void one_port_takes_tls_and_clear_text(void **state)
{
    fixture *t = *state;
    struct certificate certificate = certificate_make();
    char error[256];
    assert_true(rpc_server_use_tls(t->server, certificate.certificate_path,
                                   certificate.key_path, error, sizeof error));
    struct client *client =
        client_open((struct client_options){.port = t->port, .tls = true});
    for (int i = 0; i < 3; i++) {
        EchoRequest req = ECHO_REQUEST_INIT;
        req.payload.len = (size_t)i * 300000;
        req.payload.data = arena_alloc(t->arena, req.payload.len + 1);
        struct bytes body = framed(t, &req);
        struct client_response *r =
            client_request(client, TEST_ECHO, NULL, body.data, body.size, true);
        client_wait(client, r);
        assert_grpc(r, 200, RPC_OK);
        assert_true(r->body_size >= req.payload.len);
    }
    client_close(client);
    certificate_remove(&certificate);
    assert_still_serves(t);
}

static struct client *tls_client(fixture *t)
{
    return client_open((struct client_options){.port = t->port, .tls = true});
}

static void a_new_certificate_takes_over_while_old_connections_live(
    void **state)
{
    fixture *t = *state;
    struct certificate first = certificate_make(), second = certificate_make();
    char error[256];
    assert_true(rpc_server_use_tls(t->server, first.certificate_path,
                                   first.key_path, error, sizeof error));
    struct client *early = tls_client(t);
    assert_true(client_sees_certificate(early, first.certificate_path));
    assert_true(rpc_server_use_tls(t->server, second.certificate_path,
                                   second.key_path, error, sizeof error));
    assert_false(rpc_server_use_tls(t->server, second.certificate_path,
                                    first.key_path, error, sizeof error));
    struct client *late = tls_client(t);
    assert_true(client_sees_certificate(late, second.certificate_path));
    struct client_response *r =
        client_request(early, TEST_ECHO, NULL, "\0\0\0\0", 5, true);
    client_wait(early, r);
    assert_grpc(r, 200, RPC_OK);
    client_close(early);
    client_close(late);
    certificate_remove(&first);
    certificate_remove(&second);
}

/* --- draining --- */

static void *stop_server(void *argument)
{
    wire_stop_server(argument);
    return NULL;
}

static void a_running_call_survives_the_drain(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.drain_ms = 8000});
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 300;
    struct bytes body = framed(t, &req);
    struct client_response *r =
        client_request(t->client, TEST_SLEEP, NULL, body.data, body.size, true);
    client_ping(t->client);
    pthread_t thread;
    pthread_create(&thread, NULL, stop_server, t);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_OK);
    client_wait_closed(t->client);
    assert_int_equal(client_goaway_count(t->client), 2);
    assert_int_equal(client_goaway_code(t->client), NGHTTP2_NO_ERROR);
    assert_int_equal(client_goaway_last_stream(t->client), r->id);
    pthread_join(thread, NULL);
    finish(t);
}

/* A watch of the server's health is a stream without a coroutine: it must hear
 * of the drain and not hold it up. */
static void an_idle_stream_says_goodbye_and_ends(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.drain_ms = 60000});
    struct client_response *r = client_request(
        t->client, "/grpc.health.v1.Health/Watch", NULL, "\0\0\0\0", 5, true);
    client_wait_body(t->client, r, 7);
    assert_memory_equal(r->body, "\0\0\0\0\2\x8\1", 7); /* SERVING */
    pthread_t thread;
    pthread_create(&thread, NULL, stop_server, t);
    client_wait(t->client, r);
    assert_int_equal(r->body_size, 14);
    assert_memory_equal(r->body + 7, "\0\0\0\0\2\x8\2", 7);
    assert_true(client_status(r) >= 0);
    pthread_join(thread, NULL);
    finish(t);
}

static void the_drain_ends_what_does_not_end(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.drain_ms = 100});
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct bytes body = framed(t, &req);
    struct client_response *r =
        client_request(t->client, TEST_SLEEP, NULL, body.data, body.size, true);
    client_ping(t->client);
    wire_stop_server(t);
    client_wait(t->client, r);
    assert_false(client_is_open(t->client));
    finish(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_is_told_to_go),
        cmocka_unit_test(a_silent_connection_is_pinged_and_kept),
        cmocka_unit_test(a_connection_that_answers_no_ping_is_closed),
        cmocka_unit_test(a_stream_whose_window_stays_shut_is_reset),
        cmocka_unit_test(a_window_that_opens_byte_by_byte_is_as_good_as_shut),
        cmocka_unit_test(a_request_that_is_no_call_has_little_time),
        cmocka_unit_test(a_peer_that_does_not_read_is_dropped),
        cmocka_unit_test(one_address_has_a_limit_of_connections),
        cmocka_unit_test(connections_spread_evenly_over_loops),
        cmocka_unit_test(a_used_port_is_explained_in_a_sentence),
        cmocka_unit_test(a_unix_socket_serves_and_is_cleaned_up),
        cmocka_unit_test(an_ipv6_household_is_one_peer),
        cmocka_unit_test(one_port_takes_tls_and_clear_text),
        cmocka_unit_test(
            a_new_certificate_takes_over_while_old_connections_live),
        cmocka_unit_test(a_running_call_survives_the_drain),
        cmocka_unit_test(an_idle_stream_says_goodbye_and_ends),
        cmocka_unit_test(the_drain_ends_what_does_not_end),
    };
    return cmocka_run_group_tests(tests, start, wire_stop);
}
