/* What TLS offers beyond a connection: renegotiation, early data, tickets. */
#include "tests/wire/attack/attack.h"

#include <openssl/ssl.h>
#include <poll.h>

static const unsigned char h2[] = "\2h2";

static SSL_SESSION *last_ticket;

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(last_ticket);
    last_ticket = session;
    return 1;
}

static BIO *dial(SSL_CTX *context, SSL **ssl)
{
    char address[32];
    BIO *bio = BIO_new_ssl_connect(context);
    snprintf(address, sizeof address, "127.0.0.1:%d", attack_port);
    BIO_set_conn_hostname(bio, address);
    BIO_get_ssl(bio, ssl);
    SSL_set_alpn_protos(*ssl, h2, sizeof h2 - 1);
    return bio;
}

static SSL_CTX *context_of(int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket);
    return context;
}

/* The server's SETTINGS, and with them the tickets, have come. */
static bool hears_http2(BIO *bio)
{
    char byte;
    return BIO_write(bio, NGHTTP2_CLIENT_MAGIC "\0\0\0\4\0\0\0\0\0",
                     NGHTTP2_CLIENT_MAGIC_LEN + 9) > 0 &&
           BIO_read(bio, &byte, 1) == 1;
}

static void renegotiation(void)
{
    SSL_CTX *context = context_of(TLS1_2_VERSION);
    SSL *ssl;
    BIO *bio = dial(context, &ssl);
    assert_int_equal(BIO_do_connect(bio), 1);
    assert_true(hears_http2(bio));
    assert_int_equal(SSL_renegotiate(ssl), 1);
    assert_true(SSL_do_handshake(ssl) <= 0);
    BIO_free_all(bio);
    SSL_CTX_free(context);
}

/* A ticket of the server's, as the client was given it. */
static SSL_SESSION *take_ticket(SSL_CTX *context)
{
    SSL *ssl;
    BIO *bio = dial(context, &ssl);
    assert_int_equal(BIO_do_connect(bio), 1);
    assert_true(hears_http2(bio));
    BIO_free_all(bio);
    assert_non_null(last_ticket);
    SSL_SESSION *ticket = last_ticket;
    last_ticket = NULL;
    return ticket;
}

/* What can be sent again by whoever recorded it must not be believed. */
static void early_data(void)
{
    SSL_CTX *context = context_of(TLS1_3_VERSION);
    SSL_SESSION *ticket = take_ticket(context);
    assert_int_equal(SSL_SESSION_get_max_early_data(ticket), 0);
    SSL_SESSION_set_max_early_data(ticket, 16384);
    SSL *ssl;
    BIO *bio = dial(context, &ssl);
    size_t written;
    SSL_set_session(ssl, ticket);
    BIO *socket = BIO_next(bio);
    assert_int_equal(BIO_do_connect(socket), 1);
    assert_int_equal(SSL_write_early_data(ssl, NGHTTP2_CLIENT_MAGIC,
                                          NGHTTP2_CLIENT_MAGIC_LEN, &written),
                     1);
    assert_int_equal(SSL_do_handshake(ssl), 1);
    assert_int_equal(SSL_get_early_data_status(ssl), SSL_EARLY_DATA_REJECTED);
    assert_true(hears_http2(bio));
    BIO_free_all(bio);
    SSL_SESSION_free(ticket);
    SSL_CTX_free(context);
}

/* The same session, with its ticket's bytes changed. */
static SSL_SESSION *spoilt(SSL_SESSION *session, uint8_t change)
{
    const unsigned char *ticket;
    size_t size;
    unsigned char *bytes = NULL;
    SSL_SESSION_get0_ticket(session, &ticket, &size);
    int length = i2d_SSL_SESSION(session, &bytes);
    assert_true(length > 0 && size > 0);
    unsigned char *at = memmem(bytes, (size_t)length, ticket, size);
    assert_non_null(at);
    for (size_t i = 0; i < size; i++)
        at[i] ^= (uint8_t)(change * (i + 1));
    const unsigned char *from = bytes;
    SSL_SESSION *other = d2i_SSL_SESSION(NULL, &from, length);
    OPENSSL_free(bytes);
    assert_non_null(other);
    return other;
}

static bool is_resumed_with(SSL_CTX *context, SSL_SESSION *session)
{
    SSL *ssl;
    BIO *bio = dial(context, &ssl);
    SSL_set_session(ssl, session);
    assert_int_equal(BIO_do_connect(bio), 1);
    assert_true(hears_http2(bio));
    bool is_resumed = SSL_session_reused(ssl);
    BIO_free_all(bio);
    return is_resumed;
}

/* A ticket that was forged opens nothing, and costs a handshake as any. */
static void forged_tickets(void)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < COUNT(versions); i++) {
        SSL_CTX *context = context_of(versions[i]);
        SSL_SESSION *ticket = take_ticket(context);
        for (int n = 1; n < 5; n++) {
            SSL_SESSION *other = spoilt(ticket, (uint8_t)n);
            assert_false(is_resumed_with(context, other));
            SSL_SESSION_free(other);
        }
        assert_true(is_resumed_with(context, ticket));
        SSL_SESSION_free(ticket);
        SSL_CTX_free(context);
    }
    SSL_SESSION_free(last_ticket);
    last_ticket = NULL;
}

/* One ClientHello, good enough to be signed for. */
static size_t client_hello(uint8_t *out, size_t room)
{
    SSL_CTX *context = context_of(TLS1_3_VERSION);
    SSL *ssl = SSL_new(context);
    BIO *wire = BIO_new(BIO_s_mem());
    SSL_set_alpn_protos(ssl, h2, sizeof h2 - 1);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), wire);
    SSL_connect(ssl);
    int size = BIO_read(wire, out, (int)room);
    assert_true(size > 0);
    SSL_free(ssl);
    SSL_CTX_free(context);
    return (size_t)size;
}

/* The server signs, the client has nothing to do for it.  There is nothing to
 * flood in clear text, and no honest client there whose handshakes would be a
 * measure. */
static void handshake_flood(void)
{
    enum { AT_ONCE = 40 };
    if (!attack_tls)
        return;
    uint8_t hello[2048];
    size_t size = client_hello(hello, sizeof hello);
    struct raw *raws[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) {
        char from[24];
        snprintf(from, sizeof from, "127.0.2.%d", 1 + i % 8);
        raws[i] = raw_connect_from(attack_port, from);
        raw_send(raws[i], hello, size);
    }
    attack_assert_still_serves();
    for (int i = 0; i < AT_ONCE; i++)
        raw_close(raws[i]);
}

const struct attack attacks_by_tls[] = {
    {"nothing_is_negotiated_twice", renegotiation, ATTACK_QUICK},
    {"early_data_is_not_accepted", early_data, ATTACK_QUICK},
    {"a_forged_ticket_opens_nothing", forged_tickets, ATTACK_QUICK},
    /* It takes processor time, a quarter of a millisecond each, and on two
     * cores the kernel shares that out in slices: 12 ms measured. */
    {"handshakes_that_are_left_hold_nobody_up", handshake_flood, ATTACK_QUICK,
     .unfelt_us = 40 * 1000},
    {0},
};
