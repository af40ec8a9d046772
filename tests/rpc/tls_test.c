#include "rpc/tls.h"

#include "tests/rpc/tls_pair.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct certificate certificate;

static int make_certificate(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    certificate = certificate_make();
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    certificate_remove(&certificate);
    return 0;
}

static struct pair *pair_open(void)
{
    return pair_open_with(
        pair_identity(&certificate, (struct tls_options){.ticket_count = 0}));
}

static void a_client_that_offers_h2_is_served(void **state)
{
    (void)state;
    struct pair *p = pair_open();
    offer(p, "\x8http/1.1\2h2");
    int client;
    assert_int_equal(shake_hands(p, &client), TLS_DONE);
    assert_int_equal(client, 1);

    size_t count;
    char text[16];
    assert_int_equal(tls_read(p->server, text, sizeof text, &count),
                     TLS_WANT_READ);
    assert_int_equal(SSL_write(p->client, "ping", 4), 4);
    assert_int_equal(tls_read(p->server, text, 3, &count), TLS_DONE);
    assert_int_equal(count, 3);
    assert_true(tls_has_pending(p->server));
    assert_int_equal(tls_read(p->server, text + 3, 13, &count), TLS_DONE);
    assert_memory_equal(text, "ping", 4);
    assert_false(tls_has_pending(p->server));

    assert_int_equal(tls_write(p->server, "pong", 4, &count), TLS_DONE);
    assert_int_equal(SSL_read(p->client, text, sizeof text), 4);
    assert_memory_equal(text, "pong", 4);
    pair_close(p);
}

/* Node's https and Python's http.client are such. */
static void a_client_without_alpn_speaks_http_1(void **state)
{
    (void)state;
    struct pair *p = pair_open();
    int client;
    assert_int_equal(shake_hands(p, &client), TLS_DONE);
    assert_int_equal(client, 1);
    assert_true(tls_is_http_1(p->server));
    pair_close(p);
}

static void http_2_is_chosen_where_the_client_knows_it(void **state)
{
    (void)state;
    static const struct {
        const char *offer;
        bool is_http_1;
    } rows[] = {
        {"\2h2", false},
        {"\x8http/1.1", true},
        {"\x8http/1.1\2h2", false},
        {"\x8http/1.0\x8http/1.1", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pair *p = pair_open();
        offer(p, rows[i].offer);
        int client;
        assert_int_equal(shake_hands(p, &client), TLS_DONE);
        assert_int_equal(tls_is_http_1(p->server), rows[i].is_http_1);
        pair_close(p);
    }
}

static void a_client_of_another_protocol_is_refused(void **state)
{
    (void)state;
    static const char *const offers[] = {"\x8http/1.0", "\6spdy/3", "\3ftp"};
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        struct pair *p = pair_open();
        offer(p, offers[i]);
        int client;
        assert_int_equal(shake_hands(p, &client), TLS_FAILED);
        assert_int_not_equal(client, 1);
        pair_close(p);
    }
}

static void tls_1_1_is_refused(void **state)
{
    (void)state;
    struct pair *p = pair_open();
    offer(p, "\2h2");
    SSL_set_security_level(p->client, 0);
    SSL_set_min_proto_version(p->client, TLS1_VERSION);
    SSL_set_max_proto_version(p->client, TLS1_1_VERSION);
    int client;
    assert_int_equal(shake_hands(p, &client), TLS_FAILED);
    assert_string_equal(tls_failure(p->server), "unsupported protocol");
    pair_close(p);
}

static void tls_1_2_is_served_with_forward_secrecy(void **state)
{
    (void)state;
    struct pair *p = pair_open();
    offer(p, "\2h2");
    SSL_set_max_proto_version(p->client, TLS1_2_VERSION);
    int client;
    assert_int_equal(shake_hands(p, &client), TLS_DONE);
    const SSL_CIPHER *cipher = SSL_get_current_cipher(p->client);
    assert_int_equal(SSL_CIPHER_is_aead(cipher), 1);
    assert_int_equal(SSL_CIPHER_get_kx_nid(cipher), NID_kx_ecdhe);
    pair_close(p);
}

static void cbc_ciphers_are_refused(void **state)
{
    (void)state;
    struct pair *p = pair_open();
    offer(p, "\2h2");
    SSL_set_max_proto_version(p->client, TLS1_2_VERSION);
    assert_int_equal(
        SSL_set_cipher_list(p->client, "ECDHE-ECDSA-AES128-SHA256"), 1);
    int client;
    assert_int_equal(shake_hands(p, &client), TLS_FAILED);
    assert_string_equal(tls_failure(p->server), "no shared cipher");
    pair_close(p);
}

static void a_client_cannot_renegotiate(void **state)
{
    (void)state;
    struct pair *p = pair_open();
    offer(p, "\2h2");
    SSL_set_max_proto_version(p->client, TLS1_2_VERSION);
    int client;
    assert_int_equal(shake_hands(p, &client), TLS_DONE);
    assert_int_equal(SSL_renegotiate(p->client), 1);
    assert_int_not_equal(SSL_do_handshake(p->client), 1);
    size_t count;
    char text[16];
    assert_int_not_equal(tls_read(p->server, text, sizeof text, &count),
                         TLS_DONE);
    assert_int_not_equal(SSL_do_handshake(p->client), 1);
    assert_int_equal(SSL_get_state(p->client) == TLS_ST_OK, 0);
    pair_close(p);
}

static void random_bytes_fail_and_a_vanished_peer_is_closed(void **state)
{
    (void)state;
    struct pair *p = pair_open();
    assert_int_equal(write(p->fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
    assert_int_equal(tls_handshake(p->server), TLS_FAILED);
    assert_true(strlen(tls_failure(p->server)) > 0);
    pair_close(p);

    p = pair_open();
    assert_int_equal(shutdown(p->fds[1], SHUT_RDWR), 0);
    assert_int_equal(tls_handshake(p->server), TLS_CLOSED);
    pair_close(p);
}

static void no_session_is_resumed_unless_it_is_asked_for(void **state)
{
    (void)state;
    struct pair *p = pair_open();
    offer(p, "\2h2");
    int client;
    assert_int_equal(shake_hands(p, &client), TLS_DONE);
    size_t count;
    char text[4];
    assert_int_equal(tls_write(p->server, "x", 1, &count), TLS_DONE);
    assert_int_equal(SSL_read(p->client, text, 1), 1);
    assert_int_equal(SSL_SESSION_is_resumable(SSL_get0_session(p->client)), 0);
    pair_close(p);
}

static struct tls_identity *load(const char *certificate_path,
                                 const char *key_path, char error[256])
{
    const struct tls_options options = {.certificate_path = certificate_path,
                                        .key_path = key_path};
    return tls_identity_load(&options, error, 256);
}

static void bad_files_are_explained(void **state)
{
    (void)state;
    char error[256];
    assert_null(load("/nonexistent.pem", certificate.key_path, error));
    assert_non_null(strstr(error, "/nonexistent.pem"));
    assert_non_null(strstr(error, "No such file"));

    struct certificate other = certificate_make();
    assert_null(load(certificate.certificate_path, other.key_path, error));
    assert_non_null(strstr(error, other.key_path));
    assert_non_null(strstr(error, "mismatch"));
    certificate_remove(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_that_offers_h2_is_served),
        cmocka_unit_test(a_client_without_alpn_speaks_http_1),
        cmocka_unit_test(http_2_is_chosen_where_the_client_knows_it),
        cmocka_unit_test(a_client_of_another_protocol_is_refused),
        cmocka_unit_test(tls_1_1_is_refused),
        cmocka_unit_test(tls_1_2_is_served_with_forward_secrecy),
        cmocka_unit_test(cbc_ciphers_are_refused),
        cmocka_unit_test(a_client_cannot_renegotiate),
        cmocka_unit_test(random_bytes_fail_and_a_vanished_peer_is_closed),
        cmocka_unit_test(no_session_is_resumed_unless_it_is_asked_for),
        cmocka_unit_test(bad_files_are_explained),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
