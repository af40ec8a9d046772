/* Clients on their way to HTTP: there are many of them after a restart, and
 * some that only pretend. */
#include "rpc/metrics.h"
#include "tests/wire/certificate.h"
#include "tests/wire/wire.h"

#include <stdio.h>

enum { PLACES = 4 };

static int64_t count(const char *name, const char *label)
{
    return metrics_value(metrics_counter(name, "", label));
}

static int64_t ended(const char *reason)
{
    char label[64];
    snprintf(label, sizeof label, "reason=\"%s\"", reason);
    return count("grpc_server_connections_ended_total", label);
}

static int64_t shaken(const char *result)
{
    char label[64];
    snprintf(label, sizeof label, "result=\"%s\"", result);
    return count("grpc_server_tls_handshakes_total", label);
}

static void finish(fixture *t)
{
    void *mine = t;
    wire_stop(&mine);
}

/* All places are held by clients that say nothing.  Whoever comes then is not
 * turned away, and does not wait for their ten seconds. */
static void a_newcomer_gets_the_place_of_one_that_dawdles(void **state)
{
    (void)state;
    int64_t evicted = ended("handshake_crowded");
    int64_t pauses = count("grpc_server_accept_pauses_total", NULL);
    fixture *t = wire_start((struct rpc_server_options){
        .handshakes_max = PLACES, .handshake_ms = 600000});
    struct raw *silent[PLACES];
    for (int i = 0; i < PLACES; i++)
        silent[i] = raw_connect(t->port);
    assert_still_serves(t);
    assert_true(ended("handshake_crowded") > evicted);
    assert_true(count("grpc_server_accept_pauses_total", NULL) > pauses);
    for (int i = 0; i < PLACES; i++)
        raw_close(silent[i]);
    finish(t);
}

/* The places are for strangers only. */
static void who_talks_takes_up_no_place(void **state)
{
    (void)state;
    int64_t pauses = count("grpc_server_accept_pauses_total", NULL);
    fixture *t =
        wire_start((struct rpc_server_options){.handshakes_max = PLACES});
    struct client *clients[4 * PLACES];
    for (int i = 0; i < 4 * PLACES; i++) {
        clients[i] = client_connect(t->port);
        client_ping(clients[i]);
    }
    assert_int_equal(count("grpc_server_accept_pauses_total", NULL), pauses);
    for (int i = 0; i < 4 * PLACES; i++)
        client_close(clients[i]);
    /* Nor does who has gone, however he went. */
    for (int i = 0; i < 4 * PLACES; i++)
        raw_close(raw_connect(t->port));
    assert_still_serves(t);
    finish(t);
}

static void handshakes_are_counted_by_how_they_ended(void **state)
{
    (void)state;
    fixture *t = wire_start((struct rpc_server_options){.tickets = 1});
    struct certificate certificate = certificate_make();
    char error[256];
    assert_true(rpc_server_use_tls(t->server, certificate.certificate_path,
                                   certificate.key_path, error, sizeof error));
    int64_t full = shaken("full"), failed = shaken("failed");
    struct raw *good = raw_connect_tls(t->port);
    raw_greet(good);
    raw_wait_frames(good, NGHTTP2_SETTINGS, 2);
    raw_close(good);
    struct raw *bad = raw_connect(t->port);
    raw_send(bad, "\x16\x03\x01\x00\x05hello", 10);
    raw_wait_closed(bad);
    raw_close(bad);
    assert_int_equal(shaken("full"), full + 1);
    assert_int_equal(shaken("failed"), failed + 1);
    certificate_remove(&certificate);
    finish(t);
}

static void clear_text_is_no_way_round_required_certificates(void **state)
{
    (void)state;
    static const rpc_listen_mode modes[] = {RPC_LISTEN_H2C, RPC_LISTEN_BOTH};
    const struct rpc_server_options options = {.client_auth =
                                                   RPC_CLIENT_AUTH_REQUIRED};
    struct rpc_server *server = rpc_server_create(&options);
    for (int i = 0; i < 2; i++) {
        char error[256];
        assert_int_equal(rpc_server_listen(server, "127.0.0.1:0", modes[i],
                                           error, sizeof error),
                         -1);
        assert_string_equal(error,
                            "cannot listen on 127.0.0.1:0: clear text is a way "
                            "round the required client certificates");
    }
    rpc_server_destroy(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_newcomer_gets_the_place_of_one_that_dawdles),
        cmocka_unit_test(who_talks_takes_up_no_place),
        cmocka_unit_test(handshakes_are_counted_by_how_they_ended),
        cmocka_unit_test(clear_text_is_no_way_round_required_certificates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
