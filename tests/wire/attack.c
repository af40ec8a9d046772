/* usage: PRBAL_ATTACK_PORT=PORT PRBAL_ATTACK_PROCESS=PID attack
 *
 * What a hostile client sends to a real prbald with listen_mode=both: each
 * attack over TLS and in clear text, and after each a client with manners is
 * served.  tests/wire/attack_test starts the server and reads its last words.
 */
#include "tests/wire/client.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define INFO "/prbal.v1.SystemService/GetServerInfo"
#define HEALTH "/grpc.health.v1.Health/Check"
#define REGISTER "/prbal.v1.AuthService/Register"

/* gRPC's numbers. */
enum {
    OK = 0,
    INVALID_ARGUMENT = 3,
    RESOURCE_EXHAUSTED = 8,
    UNIMPLEMENTED = 12,
    INTERNAL = 13,
    UNAUTHENTICATED = 16,
};

static int port, process;
static bool tls; /* of the attack that runs */

/* --- what is measured ------------------------------------------------------
 */

static double resident_mb(void)
{
    char path[40];
    long pages = 0, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", process);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &pages, &resident), 2);
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

/* A call that no limit counts: the attacks have used up their address's. */
static void assert_still_serves(void)
{
    struct client *client =
        client_open((struct client_options){.port = port, .tls = true});
    struct client_response *r =
        client_request(client, HEALTH, NULL, "\0\0\0\0", 5, true);
    client_wait(client, r);
    assert_int_equal(r->http_status, 200);
    assert_int_equal(client_status(r), OK);
    client_close(client);
}

/* Over both wires; the numbers are for who reads along. */
static void over_both(void (*attack)(void))
{
    double before = resident_mb();
    for (int wire = 0; wire < 2; wire++) {
        tls = wire == 0;
        attack();
        assert_still_serves();
    }
    double after = resident_mb();
    printf("             %5.0f MB resident, %+.1f\n", after, after - before);
}

/* --- what is sent ----------------------------------------------------------
 */

static struct raw *greeted(void)
{
    struct raw *raw = tls ? raw_connect_tls(port) : raw_connect(port);
    raw_greet(raw);
    return raw;
}

static void send_request(struct raw *raw, uint32_t stream, uint8_t flags,
                         const char *name, const char *value)
{
    uint8_t block[1024];
    size_t size = raw_headers(raw, block, sizeof block, INFO, name, value);
    raw_frame(raw, NGHTTP2_HEADERS, flags | NGHTTP2_FLAG_END_HEADERS, stream,
              block, size);
}

static void assert_refused(struct raw *raw, int64_t code, const char *reason)
{
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.goaway_code, code);
    assert_string_equal(end.goaway_text, reason);
    raw_close(raw);
}

static struct client *connected(void)
{
    return client_open((struct client_options){.port = port, .tls = tls});
}

static void assert_answer(const char *path, const struct rpc_header *headers,
                          const void *body, size_t size, int status)
{
    struct client *client = connected();
    struct client_response *r =
        client_request(client, path, headers, body, size, true);
    client_wait(client, r);
    assert_int_equal(client_status(r), status);
    assert_true(client_is_open(client));
    client_close(client);
}

/* --- noise -----------------------------------------------------------------
 */

static uint32_t next_random(void)
{
    static uint32_t x = 2463534242;
    x ^= x << 13;
    x ^= x >> 17;
    return x ^= x << 5;
}

/* A third into the bare port, a third as TLS records, a third behind a
 * greeting. */
static void make_noise(int round)
{
    uint8_t noise[1500];
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)next_random();
    struct raw *raw = round % 3 == 2 ? greeted() : raw_connect(port);
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

static void a_thousand_connections_of_noise_do_no_harm(void **state)
{
    (void)state;
    over_both(noise);
}

static void http1(void)
{
    static const char talk[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    struct raw *raw = tls ? raw_connect_tls(port) : raw_connect(port);
    raw_send(raw, talk, sizeof talk - 1);
    if (tls) {
        assert_refused(raw, NGHTTP2_PROTOCOL_ERROR, "preface");
        return;
    }
    char text[512];
    raw_wait_text(raw, text, sizeof text);
    assert_non_null(strstr(text, "HTTP/1.1 505 "));
    raw_close(raw);
}

static void http1_is_told_that_this_is_http2(void **state)
{
    (void)state;
    over_both(http1);
}

/* A client that offers another protocol, or an old TLS, gets no connection. */
static bool tls_agrees(int version, const char *alpn)
{
    struct raw *bare = raw_connect(port);
    raw_close(bare);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    BIO *bio = BIO_new_ssl_connect(context);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    BIO_set_conn_hostname(bio, address);
    SSL *ssl;
    BIO_get_ssl(bio, &ssl);
    if (alpn != NULL)
        SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
                            (unsigned)strlen(alpn));
    char byte;
    bool agrees =
        BIO_do_connect(bio) == 1 &&
        BIO_write(bio, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) > 0 &&
        BIO_read(bio, &byte, 1) == 1;
    BIO_free_all(bio);
    SSL_CTX_free(context);
    return agrees;
}

static void tls_is_1_2_or_newer_and_speaks_h2(void **state)
{
    (void)state;
    assert_true(tls_agrees(TLS1_3_VERSION, "\2h2"));
    assert_true(tls_agrees(TLS1_2_VERSION, "\10http/1.1\2h2"));
    assert_false(tls_agrees(TLS1_1_VERSION, "\2h2"));
    assert_false(tls_agrees(TLS1_3_VERSION, "\10http/1.1"));
    assert_false(tls_agrees(TLS1_3_VERSION, NULL));
    assert_still_serves();
}

/* --- messages --------------------------------------------------------------
 */

static void messages_with(const struct rpc_header *type)
{
    static uint8_t groups[5 + 50000];
    memset(groups, 0x0b, sizeof groups); /* field 1: a group begins */
    client_frame(groups, 0, groups + 5, 50000);

    assert_answer(INFO, type, "\0\0\0\0\12abc", 8, INTERNAL);
    assert_answer(INFO, type, "\0\0\0", 3, INTERNAL);
    assert_answer(INFO, type, "\0\xff\xff\xff\xff", 5, RESOURCE_EXHAUSTED);
    assert_answer(INFO, type, "\0\0\x40\0\1", 5, RESOURCE_EXHAUSTED);
    assert_answer(INFO, type, "\2\0\0\0\0", 5, INTERNAL);
    assert_answer(INFO, type, "\1\0\0\0\0", 5, INTERNAL);
    assert_answer(INFO, type, "\0\0\0\0\0\0\0\0\0\0", 10, UNIMPLEMENTED);
    assert_answer(INFO, type, "", 0, UNIMPLEMENTED);
    assert_answer(INFO, type, groups, sizeof groups, INVALID_ARGUMENT);
    assert_answer(INFO, type, "\0\0\0\0\2\x0a\xff", 7, INVALID_ARGUMENT);
    assert_answer(REGISTER, type, "\0\0\0\0\3\x0a\1\xff", 8, INVALID_ARGUMENT);
    assert_answer(REGISTER, type, "\0\0\0\0\4\x0a\2a\0", 9, INVALID_ARGUMENT);
}

static void messages(void)
{
    static const struct rpc_header web[] = {
        {"content-type", "application/grpc-web"}, {0}};
    messages_with(NULL);
    messages_with(web);
}

static void broken_messages_have_their_codes(void **state)
{
    (void)state;
    over_both(messages);
}

/* 64 MB of zeros as one gzip member. */
static size_t make_bomb(uint8_t *out, size_t room)
{
    static uint8_t zeros[1 << 16];
    z_stream z = {.next_out = out, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, 0), Z_OK);
    for (int i = 0; i < 1024; i++) {
        z.next_in = zeros;
        z.avail_in = sizeof zeros;
        assert_int_equal(deflate(&z, i == 1023 ? Z_FINISH : Z_NO_FLUSH),
                         i == 1023 ? Z_STREAM_END : Z_OK);
    }
    deflateEnd(&z);
    return z.total_out;
}

static void gzip_bomb(void)
{
    static uint8_t body[5 + (1 << 17)];
    static const struct rpc_header gzip[] = {{"grpc-encoding", "gzip"}, {0}};
    size_t size = make_bomb(body + 5, sizeof body - 5);
    client_frame(body, 1, body + 5, size);
    for (int i = 0; i < 20; i++)
        assert_answer(INFO, gzip, body, size + 5, RESOURCE_EXHAUSTED);
}

static void a_gzip_bomb_is_refused(void **state)
{
    (void)state;
    over_both(gzip_bomb);
}

/* --- headers ---------------------------------------------------------------
 */

static size_t literal(uint8_t *out, const char *name, const char *value)
{
    size_t name_size = strlen(name), value_size = strlen(value), at = 0;
    out[at++] = 0;
    out[at++] = (uint8_t)name_size;
    memcpy(out + at, name, name_size);
    at += name_size;
    out[at++] = (uint8_t)value_size;
    memcpy(out + at, value, value_size);
    return at + value_size;
}

/* Each a request that HTTP/2 forbids: "name=value" pairs behind a good
 * :authority. */
static const char *const malformed[][8] = {
    {":method=POST", ":scheme=http"},
    {":method=POST", ":path=" INFO},
    {":scheme=http", ":path=" INFO},
    {":method=POST", ":method=POST", ":scheme=http", ":path=" INFO},
    {":method=POST", ":scheme=http", ":path=" INFO, ":path=/other"},
    {":method=POST", ":scheme=http", "te=trailers", ":path=" INFO},
    {":method=POST", ":scheme=http", ":path=" INFO, ":status=200"},
    {":method=POST", ":scheme=http", ":path=" INFO, ":secret=1"},
    {":method=POST", ":scheme=http", ":path="},
    {":method=POST", ":scheme=http", ":path=relative"},
    {":method=POST", ":scheme=http", ":path=*"},
    {":method=POST", ":scheme=http", ":path=" INFO, "X-Upper=1"},
    {":method=POST", ":scheme=http", ":path=" INFO, "connection=close"},
    {":method=POST", ":scheme=http", ":path=" INFO, "transfer-encoding=a"},
    {":method=POST", ":scheme=http", ":path=" INFO, "te=gzip"},
    {":method=POST", ":scheme=http", ":path=" INFO, "x=a\rb"},
    {":method=POST", ":scheme=http", ":path=" INFO, "content-length=x"},
};

static const char *const well_formed[8] = {":method=POST", ":scheme=http",
                                           ":path=" INFO,
                                           "content-type=application/grpc"};

static size_t write_block(uint8_t *out, const char *const *pairs)
{
    size_t size = literal(out, ":authority", "localhost");
    for (int i = 0; i < 8 && pairs[i] != NULL; i++) {
        char name[64];
        const char *sign = strchr(pairs[i] + 1, '=');
        snprintf(name, sizeof name, "%.*s", (int)(sign - pairs[i]), pairs[i]);
        size += literal(out + size, name, sign + 1);
    }
    return size;
}

/* A malformed request is the stream's error (RFC 9113 8.1.1): those on other
 * streams of the connection go on. */
static void malformed_requests(void)
{
    struct raw *raw = greeted();
    uint32_t stream = 1;
    for (size_t i = 0; i < COUNT(malformed); i++, stream += 2) {
        uint8_t block[512];
        size_t size = write_block(block, malformed[i]);
        raw_frame(raw, NGHTTP2_HEADERS,
                  NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, stream,
                  block, size);
        if (!raw_wait_frames(raw, NGHTTP2_RST_STREAM, (int)i + 1))
            fail_msg("row %zu ended the connection", i);
    }
    uint8_t good[512];
    size_t size = write_block(good, well_formed);
    raw_frame(raw, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, good,
              size);
    raw_frame(raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, "\0\0\0\0",
              5);
    assert_true(raw_wait_frames(raw, NGHTTP2_DATA, 1));
    raw_close(raw);
}

static void malformed_requests_are_reset_one_by_one(void **state)
{
    (void)state;
    over_both(malformed_requests);
}

static void paths(void)
{
    static const char *const tricks[] = {
        "/",
        "/prbal.v1.SystemService/",
        "/prbal.v1.SystemService/getserverinfo",
        "/PRBAL.V1.SystemService/GetServerInfo",
        INFO "/",
        INFO "?x=1",
        INFO "#x",
        "/" INFO,
        "/x/.." INFO,
        "/prbal.v1.SystemService/%47etServerInfo",
        "/prbal.v1.SystemService/GetServerInf",
        "/prbal.v1.SystemService/GetServerInfoo",
        "/http://localhost" INFO,
    };
    for (size_t i = 0; i < COUNT(tricks); i++)
        assert_answer(tricks[i], NULL, "\0\0\0\0", 5, UNIMPLEMENTED);
}

static void a_path_is_a_method_or_nothing(void **state)
{
    (void)state;
    over_both(paths);
}

static void content_types(void)
{
    static const struct {
        const char *type;
        int http_status;
    } rows[] = {
        {"application/grpc", 200},
        {"application/grpc+proto", 200},
        {"application/grpc;x=y", 200},
        {"application/grpc-web-text-of-mine", 415},
        {"application/grpc+json", 415},
        {"application/grpcx", 415},
        {"application/grp", 415},
        {"application/json", 415},
        {"text/html, application/grpc", 415},
        {"", 415},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client *client = connected();
        const struct rpc_header type[] = {{"content-type", rows[i].type}, {0}};
        struct client_response *r =
            client_request(client, INFO, type, "\0\0\0\0", 5, true);
        client_wait(client, r);
        assert_int_equal(r->http_status, rows[i].http_status);
        client_close(client);
    }
}

static void only_grpc_is_taken_for_grpc(void **state)
{
    (void)state;
    over_both(content_types);
}

static void huge_metadata(void)
{
    static char value[60000];
    memset(value, 'a', sizeof value - 1);
    const struct rpc_header large[] = {{"x-large", value}, {0}};
    for (int i = 0; i < 3; i++) {
        static const size_t sizes[] = {9000, 30000, 59999};
        value[sizes[i]] = '\0';
        assert_answer(INFO, large, "\0\0\0\0", 5, RESOURCE_EXHAUSTED);
        value[sizes[i]] = 'a';
    }
}

static void huge_metadata_is_refused_with_a_status(void **state)
{
    (void)state;
    over_both(huge_metadata);
}

/* Each comma of a "-bin" field begins a value, and each value has a name: 4 KB
 * would become 4 MB, and the dynamic table repeats them in a byte. */
static void joined_metadata(void)
{
    struct raw *raw = greeted();
    static uint8_t block[9 + 4300];
    size_t size = 9 + write_block(block + 9, well_formed);
    memcpy(block + size, "\x40\x7f\xd1\x0e", 4); /* a name of 2000 bytes */
    memset(block + size + 4, 'x', 1996);
    memcpy(block + size + 2000, "-bin\x7f\xd1\x0e", 7);
    memset(block + size + 2007, ',', 2000);
    size += 4007;
    for (uint32_t stream = 1; stream < 200; stream += 2) {
        const uint8_t header[9] = {0,
                                   (uint8_t)((size - 9) >> 8),
                                   (uint8_t)(size - 9),
                                   NGHTTP2_HEADERS,
                                   NGHTTP2_FLAG_END_HEADERS,
                                   0,
                                   0,
                                   0,
                                   (uint8_t)stream};
        memcpy(block, header, sizeof header);
        raw_send(raw, block, size);
        size = 9 + write_block(block + 9, well_formed);
        block[size++] = 0xbe; /* the same field again */
    }
    double before = resident_mb();
    assert_true(raw_wait_frames(raw, NGHTTP2_HEADERS, 1));
    assert_still_serves();
    assert_true(resident_mb() - before < 20);
    raw_close(raw);
}

static void joined_metadata_takes_no_more_than_it_brings(void **state)
{
    (void)state;
    over_both(joined_metadata);
}

/* One frame of 16 KiB that decodes to 50 MB of fields. */
static void header_bomb(void)
{
    struct raw *raw = greeted();
    static uint8_t frame[9 + 16384];
    size_t size = 9;
    size += raw_headers(raw, frame + 9, 1024, INFO, NULL, NULL);
    memcpy(frame + size, "\x40\1x\x7f\xa1\x1e", 6);
    size += 6;
    memset(frame + size, 'a', 4000);
    size += 4000;
    memset(frame + size, 0xbe, sizeof frame - size);
    memcpy(frame, "\0\x40\0\1\5\0\0\0\1", 9);
    raw_send(raw, frame, sizeof frame);
    assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "header_flood");
}

static void a_header_bomb_is_refused(void **state)
{
    (void)state;
    over_both(header_bomb);
}

/* --- floods ----------------------------------------------------------------
 */

static void rapid_reset(void)
{
    struct raw *raw = greeted();
    for (uint32_t stream = 1; stream < 20000; stream += 2) {
        send_request(raw, stream, 0, NULL, NULL);
        raw_frame(raw, NGHTTP2_RST_STREAM, 0, stream, "\0\0\0\x8", 4);
        if (stream % 64 == 1 && !raw_read_available(raw))
            break;
    }
    assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "rapid_reset");
}

static void ten_thousand_resets_end_the_connection(void **state)
{
    (void)state;
    over_both(rapid_reset);
}

static const struct {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    size_t size;
    const char *reason;
} floods[] = {
    {NGHTTP2_PING, 0, 0, 8, "too_many_pings"},
    {NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, 8, "ping_flood"},
    {NGHTTP2_SETTINGS, 0, 0, 6, "settings_flood"},
    {NGHTTP2_PRIORITY, 0, 3, 5, "odd_frame_flood"},
    {0x77, 0, 0, 2000, "odd_frame_flood"},
    {NGHTTP2_WINDOW_UPDATE, 0, 0, 4, "window_update_flood"},
    {NGHTTP2_DATA, 0, 1, 0, "empty_data_flood"},
    {NGHTTP2_DATA, 0, 1, 1, "tiny_data_flood"},
};

static void flood(void)
{
    static const uint8_t zeros[2000] = {0, 0, 0, 1};
    for (size_t i = 0; i < COUNT(floods); i++) {
        struct raw *raw = greeted();
        send_request(raw, 1, 0, NULL, NULL);
        for (int n = 0; n < 10000 && raw_read_available(raw); n++)
            raw_frame(raw, floods[i].type, floods[i].flags, floods[i].stream,
                      zeros, floods[i].size);
        assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, floods[i].reason);
    }
}

static void floods_end_the_connection_with_a_reason(void **state)
{
    (void)state;
    over_both(flood);
}

static void continuations(void)
{
    struct raw *raw = greeted();
    uint8_t block[512];
    size_t size = raw_headers(raw, block, sizeof block, INFO, NULL, NULL);
    raw_frame(raw, NGHTTP2_HEADERS, 0, 1, block, size);
    for (int n = 0; n < 10000 && raw_read_available(raw); n++)
        raw_frame(raw, NGHTTP2_CONTINUATION, 0, 1, "\0\1x\1y", 5);
    assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "continuation_flood");
}

static void a_header_block_has_an_end(void **state)
{
    (void)state;
    over_both(continuations);
}

/* MadeYouReset: the client makes the server reset its streams. */
static void provoked(void)
{
    struct raw *raw = greeted();
    int resets = 0;
    for (uint32_t stream = 1; resets < 200; stream += 2) {
        send_request(raw, stream, 0, NULL, NULL);
        raw_frame(raw, NGHTTP2_WINDOW_UPDATE, 0, stream, "\x7f\xff\xff\xff", 4);
        if (!raw_wait_frames(raw, NGHTTP2_RST_STREAM, ++resets))
            break;
    }
    assert_refused(raw, NGHTTP2_ENHANCE_YOUR_CALM, "provoked_resets");
}

static void provoked_resets_end_the_connection(void **state)
{
    (void)state;
    over_both(provoked);
}

/* --- connections -----------------------------------------------------------
 */

/* How many of these the server has closed by now. */
static int count_closed(struct raw *const *raws, int count)
{
    int closed = 0;
    for (int i = 0; i < count; i++)
        closed += !raw_read_available(raws[i]);
    return closed;
}

/* 256 is the limit of one address.  Those above it are closed at once; those
 * below, which say half a greeting, within the ten seconds of a handshake. */
static void half_open_connections_are_few_and_end(void **state)
{
    (void)state;
    enum { HALF_OPEN = 300, LIMIT = 256 };
    static const char *const halves[] = {"", "PRI * HT", NGHTTP2_CLIENT_MAGIC,
                                         "\x16\x03"};
    struct raw *raws[HALF_OPEN];
    double before = resident_mb();
    for (int i = 0; i < HALF_OPEN; i++) {
        raws[i] = raw_connect(port);
        raw_send(raws[i], halves[i % 4], strlen(halves[i % 4]));
    }
    for (int i = LIMIT; i < HALF_OPEN; i++)
        raw_wait_closed(raws[i]);
    assert_int_equal(count_closed(raws, LIMIT), 0);
    double during = resident_mb();
    for (int tries = 0; tries < 150 && count_closed(raws, LIMIT) < LIMIT;
         tries++)
        poll(NULL, 0, 100);
    assert_int_equal(count_closed(raws, LIMIT), LIMIT);
    for (int i = 0; i < HALF_OPEN; i++)
        raw_close(raws[i]);
    assert_still_serves();
    printf("             %5.0f MB resident, %+.1f\n", during, during - before);
}

/* Whoever knows the port can watch its health, as often as streams and
 * connections allow: 100 times on each of 200, all dropped at once. */
static void twenty_thousand_watchers_come_and_go(void **state)
{
    (void)state;
    enum { CONNECTIONS = 200, WATCHERS = 100 };
    struct client *clients[CONNECTIONS];
    double before = resident_mb();
    for (int i = 0; i < CONNECTIONS; i++) {
        struct client_response *last = NULL;
        clients[i] = client_open((struct client_options){.port = port});
        for (int n = 0; n < WATCHERS; n++)
            last = client_request(clients[i], "/grpc.health.v1.Health/Watch",
                                  NULL, "\0\0\0\0", 5, true);
        client_wait_body(clients[i], last, 7);
    }
    double during = resident_mb();
    assert_still_serves();
    for (int i = 0; i < CONNECTIONS; i++)
        client_close(clients[i]);
    assert_still_serves();
    printf("             %5.0f MB resident, %+.1f: %.0f bytes a watcher\n",
           during, during - before,
           (during - before) * 1e6 / (CONNECTIONS * WATCHERS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_connections_of_noise_do_no_harm),
        cmocka_unit_test(http1_is_told_that_this_is_http2),
        cmocka_unit_test(tls_is_1_2_or_newer_and_speaks_h2),
        cmocka_unit_test(broken_messages_have_their_codes),
        cmocka_unit_test(a_gzip_bomb_is_refused),
        cmocka_unit_test(malformed_requests_are_reset_one_by_one),
        cmocka_unit_test(a_path_is_a_method_or_nothing),
        cmocka_unit_test(only_grpc_is_taken_for_grpc),
        cmocka_unit_test(huge_metadata_is_refused_with_a_status),
        cmocka_unit_test(joined_metadata_takes_no_more_than_it_brings),
        cmocka_unit_test(a_header_bomb_is_refused),
        cmocka_unit_test(ten_thousand_resets_end_the_connection),
        cmocka_unit_test(floods_end_the_connection_with_a_reason),
        cmocka_unit_test(a_header_block_has_an_end),
        cmocka_unit_test(provoked_resets_end_the_connection),
        cmocka_unit_test(half_open_connections_are_few_and_end),
        cmocka_unit_test(twenty_thousand_watchers_come_and_go),
    };
    const char *where = getenv("PRBAL_ATTACK_PORT");
    const char *who = getenv("PRBAL_ATTACK_PROCESS");
    if (where == NULL || who == NULL)
        return 2;
    port = atoi(where);
    process = atoi(who);
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
