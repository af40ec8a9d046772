/* HTTP/1.1 on the port of HTTP/2: what two readers might understand
 * differently.  A second request stands behind each trick: it is answered where
 * the connection goes on, and by nobody where it does not. */
#include "tests/wire/attack/attack.h"

#define PLAIN(method, target) method " " target " HTTP/1.1\r\nHost: x\r\n"
#define WEB PLAIN("POST", HEALTH) "Content-Type: application/grpc-web+proto\r\n"
#define JSON PLAIN("POST", HEALTH) "Content-Type: application/json\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define LENGTH "Content-Length: 5\r\n"
#define END "\r\n"

static const char smuggled[] =
    PLAIN("GET", "/smuggled") "Connection: close\r\n\r\n";

struct trick {
    const char *request;
    int status; /* 0 = not even that */
    bool goes_on;
};

static const struct trick tricks[] = {
    /* where the body ends */
    {PLAIN("POST", "/") LENGTH CHUNKED END "0\r\n\r\n", 400, false},
    {PLAIN("POST", "/") CHUNKED LENGTH END "0\r\n\r\n", 400, false},
    {PLAIN("POST", "/") LENGTH "Content-Length: 6\r\n\r\nhello", 400, false},
    {PLAIN("POST", "/") LENGTH LENGTH END "hello", 400, false},
    {PLAIN("POST", "/") "Content-Length: 5, 5\r\n\r\nhello", 400, false},
    {PLAIN("POST", "/") "Content-Length: +5\r\n\r\nhello", 400, false},
    {PLAIN("POST", "/") "Content-Length: 0x5\r\n\r\nhello", 400, false},
    {PLAIN("POST", "/") "Content-Length: -1\r\n\r\n", 400, false},
    {PLAIN("POST", "/") "Content-Length: \r\n\r\n", 400, false},
    {PLAIN("POST", "/") "Content-Length: 99999999999999999999\r\n\r\n", 413,
     false},
    {PLAIN("POST", "/") "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501,
     false},
    {PLAIN("POST", "/") "Transfer-Encoding: chunked, identity\r\n\r\n", 501,
     false},
    {PLAIN("POST", "/") CHUNKED CHUNKED END "0\r\n\r\n", 501, false},
    {PLAIN("POST", "/") "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400,
     false},
    /* where a chunk ends */
    {WEB CHUNKED END "fffffffffffffffff\r\n", 400, false},
    {WEB CHUNKED END "100000005\r\nhello\r\n", 400, false},
    {WEB CHUNKED END "-5\r\nhello\r\n0\r\n\r\n", 400, false},
    {WEB CHUNKED END "0x5\r\nhello\r\n0\r\n\r\n", 400, false},
    {WEB CHUNKED END " 5\r\nhello\r\n0\r\n\r\n", 400, false},
    {WEB CHUNKED END "5\nhello\n0\n\n", 400, false},
    {WEB CHUNKED END "5;a=b\r\nhello\r\n0\r\n\r\n", 400, false},
    {JSON CHUNKED END "5\r\n     XX0\r\n\r\n", 400, false},
    /* where a line ends */
    {"GET / HTTP/1.1\nHost: x\n\n", 400, false},
    {PLAIN("GET", "/") "X: y\nTransfer-Encoding: chunked\r\n\r\n", 400, false},
    {PLAIN("GET", "/") "X: y\rTransfer-Encoding: chunked\r\n\r\n", 400, false},
    {PLAIN("GET", "/") "X: y\r\n z\r\n\r\n", 400, false},
    {PLAIN("GET", "/") " X: y\r\n\r\n", 400, false},
    {PLAIN("GET", "/") "X : y\r\n\r\n", 400, false},
    {PLAIN("GET", "/") ": y\r\n\r\n", 400, false},
    {"\r\n" PLAIN("GET", "/") "\r\n", 400, false},
    /* for whom it is */
    {PLAIN("GET", "/") "Host: y\r\n\r\n", 400, false},
    {"GET / HTTP/1.1\r\n\r\n", 400, false},
    {"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400, false},
    {"GET / HTTP/1.0\r\nHost: x\r\n\r\n", 505, false},
    {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, false},
    /* no other protocol, and no way into one */
    {PLAIN("GET", "/") "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                       "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
     404, true},
    {PLAIN("GET", "/") "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 404,
     true},
    {PLAIN("POST", "/") "Expect: 200-ok\r\n\r\n", 417, false},
    {PLAIN("GET", "/") "Connection: content-length\r\n\r\n", 404, true},
};

static int count_of(const char *text, const char *word)
{
    int count = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        count++;
    return count;
}

static void try_one(const struct trick *trick)
{
    static char text[8192];
    char expected[32];
    struct raw *raw = raw_connect_http1(attack_port, attack_tls);
    raw_send(raw, trick->request, strlen(trick->request));
    raw_send(raw, smuggled, sizeof smuggled - 1);
    raw_wait_text(raw, text, sizeof text);
    raw_close(raw);
    snprintf(expected, sizeof expected, "HTTP/1.1 %d ", trick->status);
    if (strncmp(text, expected, strlen(expected)) != 0)
        fail_msg("row %d: not %s: %.100s", (int)(trick - tricks), expected,
                 text);
    if (count_of(text, "HTTP/1.1 ") != (trick->goes_on ? 2 : 1))
        fail_msg("row %d smuggled: %s", (int)(trick - tricks), text);
}

static void smuggling(void)
{
    for (size_t i = 0; i < COUNT(tricks); i++)
        try_one(&tricks[i]);
}

/* A beginning, then more and more of the same, to its bitter end. */
static const struct {
    const char *begin;
    const char *more;
    int status;
} endless[] = {
    {"GET /", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 414},
    {PLAIN("GET", "/"), "X: y\r\n", 431},
    {PLAIN("GET", "/") "X: ", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", 431},
    {WEB CHUNKED END "5;", "ext=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;", 400},
    {WEB CHUNKED END "5", "00000000000000000000000000000000000000000", 400},
    {WEB CHUNKED END "0\r\n", "X: y\r\n", 431},
    {"\r\n", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 400},
};

static void say_endlessly(size_t row)
{
    enum { TIMES = 5000 };
    static char text[4096];
    char expected[32];
    struct raw *raw = raw_connect_http1(attack_port, attack_tls);
    size_t size = strlen(endless[row].more);
    char *talk = malloc(size * TIMES);
    assert_non_null(talk);
    for (int i = 0; i < TIMES; i++)
        memcpy(talk + (size_t)i * size, endless[row].more, size);
    raw_send(raw, endless[row].begin, strlen(endless[row].begin));
    raw_send(raw, talk, size * TIMES);
    raw_wait_text(raw, text, sizeof text);
    snprintf(expected, sizeof expected, "HTTP/1.1 %d ", endless[row].status);
    if (strncmp(text, expected, strlen(expected)) != 0)
        fail_msg("row %zu: not %s: %.100s", row, expected, text);
    free(talk);
    raw_close(raw);
}

static void endless_heads(void)
{
    for (size_t i = 0; i < COUNT(endless); i++)
        say_endlessly(i);
}

/* Requests without waiting for answers, and all of them answered in order: the
 * last one is another. */
static void pipelining(void)
{
    enum { REQUESTS = 2000, ROOM = 1024 * 1024 };
    static const char request[] = PLAIN("GET", "/") "\r\n";
    static char text[ROOM];
    struct raw *raw = raw_connect_http1(attack_port, attack_tls);
    size_t size = sizeof request - 1;
    char *talk = malloc(size * REQUESTS);
    assert_non_null(talk);
    for (int i = 0; i < REQUESTS; i++)
        memcpy(talk + (size_t)i * size, request, size);
    raw_send(raw, talk, size * REQUESTS);
    raw_send(raw, smuggled, sizeof smuggled - 1);
    assert_true(raw_wait_text(raw, text, sizeof text) < ROOM - 1);
    assert_int_equal(count_of(text, "HTTP/1.1 404 "), REQUESTS + 1);
    assert_int_equal(count_of(text, "\r\nconnection: close"), 1);
    free(talk);
    raw_close(raw);
}

const struct attack attacks_by_http1[] = {
    {"a_request_ends_where_every_reader_sees_its_end", smuggling, ATTACK_QUICK},
    {"a_head_without_end_is_refused", endless_heads, ATTACK_QUICK},
    {"requests_sent_ahead_wait_in_the_socket", pipelining, ATTACK_QUICK},
    {0},
};
