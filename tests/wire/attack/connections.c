#include "tests/wire/attack/attack.h"

#include <openssl/ssl.h>
#include <poll.h>

static uint32_t next_random(void)
{
    static uint32_t x = 2463534242;
    x ^= x << 13;
    x ^= x >> 17;
    return x ^= x << 5;
}

/* A third into the bare attack_port, a third as TLS records, a third behind a
 * greeting. */
static void make_noise(int round)
{
    uint8_t noise[1500];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)next_random();
    /* From so many addresses that those which the server has not closed yet
     * are no limit for the greeted ones. */
    char from[24];
    snprintf(from, sizeof from, "127.0.1.%d", 1 + round % 16);
    struct raw *raw =
        round % 3 == 2 ? attack_greeted() : raw_connect_from(attack_port, from);
    if (round % 3 == 1)
        memcpy(noise, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    raw_send(raw, noise, 11 + next_random() % (sizeof noise - 11));
    raw_close(raw);
}

static void noise(void)
{
    for (int round = 0; round < 500; round++)
        make_noise(round);
}

/* The first byte of what a client hears that speaks HTTP/2; -1: it gets no
 * connection. */
enum { OF_SETTINGS = 0, OF_HTTP_1 = 'H' };
static int tls_hears(int version, const char *alpn)
{
    struct raw *bare = raw_connect(attack_port);
    raw_close(bare);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    BIO *bio = BIO_new_ssl_connect(context);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", attack_port);
    BIO_set_conn_hostname(bio, address);
    SSL *ssl;
    BIO_get_ssl(bio, &ssl);
    if (alpn != NULL)
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
                            (unsigned)strlen(alpn));
    unsigned char byte;
    bool hears =
        BIO_do_connect(bio) == 1 &&
        BIO_write(bio, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) > 0 &&
        BIO_read(bio, &byte, 1) == 1;
    BIO_free_all(bio);
    SSL_CTX_free(context);
    return hears ? byte : -1;
}

static void old_tls(void)
{
    assert_int_equal(tls_hears(TLS1_3_VERSION, "\2h2"), OF_SETTINGS);
    assert_int_equal(tls_hears(TLS1_2_VERSION, "\10http/1.1\2h2"), OF_SETTINGS);
    assert_int_equal(tls_hears(TLS1_1_VERSION, "\2h2"), -1);
    assert_int_equal(tls_hears(TLS1_3_VERSION, "\10http/1.1"), OF_HTTP_1);
    assert_int_equal(tls_hears(TLS1_3_VERSION, "\10http/1.0"), -1);
    assert_int_equal(tls_hears(TLS1_3_VERSION, NULL), OF_HTTP_1);
}

static void http1(void)
{
    static const char talk[] =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    struct raw *raw =
        attack_tls ? raw_connect_tls(attack_port) : raw_connect(attack_port);
    raw_send(raw, talk, sizeof talk - 1);
    if (attack_tls) {
        attack_assert_refused(raw, NGHTTP2_PROTOCOL_ERROR, "preface");
        return;
    }
    char text[512];
    raw_wait_text(raw, text, sizeof text);
    assert_non_null(strstr(text, "HTTP/1.1 404 "));
    raw_close(raw);
}

/* How many of these the server has closed by now. */
static int count_closed(struct raw *const *raws, int count)
{
    int closed = 0;
    for (int i = 0; i < count; i++)
        closed += !raw_read_available(raws[i]);
    return closed;
}

static void wait_closed(struct raw *const *raws, int count, int wanted)
{
    enum { PATIENCE = 150 };
    for (int tries = 0; tries < PATIENCE && count_closed(raws, count) < wanted;
         tries++)
        poll(NULL, 0, 100);
    assert_true(count_closed(raws, count) >= wanted);
}

/* The server was started with this limit for one address; the client with
 * manners has one of them. */
enum { LIMIT = 64 - 1 };

/* Those above the limit are closed at once; those below, which say half a
 * greeting, within the ten seconds of a handshake. */
static void half_open(void)
{
    enum { HALF_OPEN = LIMIT + 40 };
    static const char *const halves[] = {"", "PRI * HT", NGHTTP2_CLIENT_MAGIC,
                                         "\x16\x03"};
    struct raw *raws[HALF_OPEN];
    for (int i = 0; i < HALF_OPEN; i++) {
        raws[i] = raw_connect(attack_port);
        raw_send(raws[i], halves[i % 4], strlen(halves[i % 4]));
    }
    /* Which ones is chance: those of the attack before may still be going. */
    wait_closed(raws, HALF_OPEN, HALF_OPEN - LIMIT - 1);
    assert_true(count_closed(raws, HALF_OPEN) < HALF_OPEN);
    wait_closed(raws, HALF_OPEN, HALF_OPEN);
    for (int i = 0; i < HALF_OPEN; i++)
        raw_close(raws[i]);
}

/* Whoever knows the port can watch its health, until there are enough of
 * them. */
static void watchers(void)
{
    enum { CONNECTIONS = 50, WATCHERS = 100 };
    struct client *clients[CONNECTIONS];
    int refused = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
        struct client_response *r[WATCHERS];
        clients[i] = attack_connected();
        for (int n = 0; n < WATCHERS; n++)
            r[n] = client_request(clients[i], WATCH, NULL, "\0\0\0\0", 5, true);
        for (int n = 0; n < WATCHERS; n++) {
            client_wait_body(clients[i], r[n], 7);
            refused += r[n]->is_closed;
            if (r[n]->is_closed)
                assert_int_equal(client_status(r[n]), RESOURCE_EXHAUSTED);
        }
    }
    assert_true(refused > CONNECTIONS * WATCHERS / 2);
    for (int i = 0; i < CONNECTIONS; i++)
        client_close(clients[i]);
}

/* A response that is asked for again and again and never read. */
static void dribble(void)
{
    enum { STREAMS = 100 };
    struct client *client = client_open((struct client_options){
        .port = attack_port, .tls = attack_tls, .window_bytes = 1});
    struct client_response *last = NULL;
    for (int i = 0; i < STREAMS; i++)
        last = client_request(client, HEALTH, NULL, "\0\0\0\0", 5, true);
    client_wait_body(client, last, 1);
    client_close(client);
}

const struct attack attacks_by_connections[] = {
    {"noise_does_no_harm", noise, ATTACK_ONCE},
    {"http1_finds_no_page_here", http1, ATTACK_QUICK},
    {"tls_is_1_2_or_newer_and_speaks_h2", old_tls, ATTACK_ONCE},
    {"half_open_connections_are_few_and_end", half_open, ATTACK_ONCE},
    {"watchers_are_few", watchers, ATTACK_ONCE},
    {"windows_of_one_byte_hold_little", dribble, ATTACK_QUICK},
    {0},
};
