/* The reader of HTTP/1.1: what it accepts, what it refuses and why, and that it
 * does not matter how the bytes were cut. */
#include "rpc/h1_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { HEADER_BYTES_MAX = 8192, TOLD_BYTES = 64 * 1024 };

/* All that one reader tells of the bytes, as text. */
struct told {
    char text[TOLD_BYTES];
    size_t size;
    size_t used;
    const struct h1_refusal *refusal;
};

static void add(struct told *told, const char *text, size_t size)
{
    assert_true(told->size + size < sizeof told->text);
    memcpy(told->text + told->size, text, size);
    told->size += size;
    told->text[told->size] = '\0';
}

static void add_pair(struct told *told, const struct h1_piece *piece)
{
    add(told, piece->name, piece->name_size);
    add(told, "=", 1);
    add(told, piece->value, piece->value_size);
    add(told, ";", 1);
}

static void note(struct told *told, h1_event event,
                 const struct h1_piece *piece)
{
    if (event == H1_REQUEST || event == H1_FIELD)
        add_pair(told, piece);
    else if (event == H1_HEAD)
        add(told, "|", 1);
    else if (event == H1_BODY)
        add(told, piece->value, piece->value_size);
    else if (event == H1_END)
        add(told, "$", 1);
}

/* Gives the reader `cut` bytes more at a time, and each time what it left. */
static void tell(struct told *told, const char *bytes, size_t size, size_t cut)
{
    struct h1_reader reader;
    struct h1_piece piece;
    h1_event event = H1_MORE;
    char *copy = malloc(size + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    *told = (struct told){.size = 0};
    h1_reader_init(&reader, HEADER_BYTES_MAX);
    for (size_t have = 0; event == H1_MORE && have < size;) {
        have = size - have < cut ? size : have + cut;
        do {
            event =
                h1_read(&reader, copy + told->used, have - told->used, &piece);
            told->used += piece.used;
            note(told, event, &piece);
        } while (event != H1_MORE && event != H1_END && event != H1_REFUSED);
    }
    told->refusal = event == H1_REFUSED ? reader.refusal : NULL;
    free(copy);
}

#define HEAD "POST /a HTTP/1.1\r\nHost: h\r\n"
#define TOLD "POST=/a;host=h;"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define TOLD_CHUNKED TOLD "transfer-encoding=chunked;|"

static const struct {
    const char *bytes;
    const char *told;
} good[] = {
    {HEAD "\r\n", TOLD "|$"},
    {"GET /a?b=%20c HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
     "GET=/a?b=%20c;host=[::1]:8080;|$"},
    {"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS=*;host=h;|$"},
    {HEAD "Content-Length: 3\r\n\r\nabc", TOLD "content-length=3;|abc$"},
    {HEAD "Content-Length: 0\r\n\r\n", TOLD "content-length=0;|$"},
    {HEAD "Content-Length: 003\r\n\r\nabc", TOLD "content-length=003;|abc$"},
    {HEAD "Content-Length:3\r\n\r\nabc", TOLD "content-length=3;|abc$"},
    {HEAD "X-Empty:\r\nY: \t a b \t\r\n\r\n", TOLD "x-empty=;y=a b;|$"},
    {HEAD "X: \xc3\xa9\r\n\r\n", TOLD "x=\xc3\xa9;|$"},
    {HEAD "A: 1\r\nA: 2\r\n\r\n", TOLD "a=1;a=2;|$"},
    {CHUNKED "0\r\n\r\n", TOLD_CHUNKED "$"},
    {CHUNKED "3\r\nabc\r\n0000000A\r\n0123456789\r\n0\r\n\r\n",
     TOLD_CHUNKED "abc0123456789$"},
    {CHUNKED "1\r\na\r\n0\r\nX: 1\r\nContent-Length: 9\r\n\r\n",
     TOLD_CHUNKED "a$"},
    {HEAD "transfer-encoding: ChunkeD\r\n\r\n0\r\n\r\n",
     TOLD "transfer-encoding=ChunkeD;|$"},
};

static const size_t cuts[] = {1, 2, 3, 7, 16, 1 << 20};

static void a_request_is_read_alike_however_it_is_cut(void **state)
{
    (void)state;
    static struct told told;
    for (size_t i = 0; i < COUNT(good); i++) {
        for (size_t c = 0; c < COUNT(cuts); c++) {
            tell(&told, good[i].bytes, strlen(good[i].bytes), cuts[c]);
            assert_null(told.refusal);
            assert_string_equal(told.text, good[i].told);
            assert_int_equal(told.used, strlen(good[i].bytes));
        }
    }
}

/* Every way of smuggling a request that was ever published begins with one of
 * these (RFC 9112 11.2). */
static const struct {
    const char *bytes;
    const char *status; /* NULL: closed without an answer */
    const char *reason;
} bad[] = {
    /* lines */
    {"POST /a HTTP/1.1\nHost: h\r\n\r\n", "400", "http1_bare_line_feed"},
    {HEAD "X: 1\n\r\n", "400", "http1_bare_line_feed"},
    {HEAD "\n", "400", "http1_bare_line_feed"},
    {"\r\nPOST /a HTTP/1.1\r\n", "400", "http1_request_line"},
    {"\n", "400", "http1_bare_line_feed"},
    {HEAD "X: a\rb\r\n\r\n", "400", "http1_field"},
    {HEAD "X: a\r\r\n\r\n", "400", "http1_field"},
    {"POST /a HTTP/1.1\r\r\n", "400", "http1_request_line"},
    /* the request line */
    {"POST /a\r\n", NULL, "http1_not_http"},
    {"POST  /a HTTP/1.1\r\n", "400", "http1_request_line"},
    {"POST /a  HTTP/1.1\r\n", "400", "http1_request_line"},
    {"POST\t/a\tHTTP/1.1\r\n", "400", "http1_request_line"},
    {" POST /a HTTP/1.1\r\n", "400", "http1_request_line"},
    {"PO(ST /a HTTP/1.1\r\n", "400", "http1_request_line"},
    {"POST /a HTTP/1.1 \r\n", "400", "http1_request_line"},
    {"POST /a http/1.1\r\n", NULL, "http1_not_http"},
    {"POST /a HTTP/1.11\r\n", "400", "http1_request_line"},
    {"SSH-2.0-OpenSSH_9.2\r\n", NULL, "http1_not_http"},
    {"INVALID CONNECTION PREFACE\r\n", NULL, "http1_not_http"},
    {"POST /a HTTP/1.0\r\n", "505", "http1_version"},
    {"POST /a HTTP/0.9\r\n", "505", "http1_version"},
    {"POST /a HTTP/2.0\r\n", "505", "http1_version"},
    {"PRI * HTTP/2.0\r\n", "505", "http1_version"},
    {"POST http://h/a HTTP/1.1\r\n", "400", "http1_target"},
    {"CONNECT h:443 HTTP/1.1\r\n", "400", "http1_target"},
    {"POST * HTTP/1.1\r\n", "400", "http1_target"},
    {"POST a HTTP/1.1\r\n", "400", "http1_target"},
    {"POST /a#b HTTP/1.1\r\n", "400", "http1_target"},
    {"POST /\x01 HTTP/1.1\r\n", "400", "http1_target"},
    {"POST /\xc3\xa9 HTTP/1.1\r\n", "400", "http1_target"},
    /* fields */
    {HEAD "X : 1\r\n\r\n", "400", "http1_field"},
    {HEAD "X\t: 1\r\n\r\n", "400", "http1_field"},
    {HEAD " X: 1\r\n\r\n", "400", "http1_field"},
    {HEAD "X: 1\r\n folded\r\n\r\n", "400", "http1_field"},
    {HEAD "X: 1\r\n\tfolded\r\n\r\n", "400", "http1_field"},
    {HEAD ": 1\r\n\r\n", "400", "http1_field"},
    {HEAD ":path: /b\r\n\r\n", "400", "http1_field"},
    {HEAD "X\r\n\r\n", "400", "http1_field"},
    {HEAD "X\x80: 1\r\n\r\n", "400", "http1_field"},
    {HEAD "X: \x01\r\n\r\n", "400", "http1_field"},
    {HEAD "X: \x7f\r\n\r\n", "400", "http1_field"},
    /* Host */
    {"POST /a HTTP/1.1\r\n\r\n", "400", "http1_host"},
    {HEAD "Host: h\r\n\r\n", "400", "http1_host"},
    {"POST /a HTTP/1.1\r\nHost:\r\n\r\n", "400", "http1_host"},
    {"POST /a HTTP/1.1\r\nHost: a b\r\n\r\n", "400", "http1_host"},
    {"POST /a HTTP/1.1\r\nHost: a/b\r\n\r\n", "400", "http1_host"},
    {"POST /a HTTP/1.1\r\nHost: a@b\r\n\r\n", "400", "http1_host"},
    /* lengths */
    {HEAD "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "400",
     "http1_two_lengths"},
    {HEAD "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", "400",
     "http1_two_lengths"},
    {HEAD "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", "400",
     "http1_content_length"},
    {HEAD "Content-Length: 3, 3\r\n\r\n", "400", "http1_content_length"},
    {HEAD "Content-Length: +3\r\n\r\n", "400", "http1_content_length"},
    {HEAD "Content-Length: -3\r\n\r\n", "400", "http1_content_length"},
    {HEAD "Content-Length: 0x3\r\n\r\n", "400", "http1_content_length"},
    {HEAD "Content-Length: 3 3\r\n\r\n", "400", "http1_content_length"},
    {HEAD "Content-Length:\r\n\r\n", "400", "http1_content_length"},
    {HEAD "Content-Length: 1000000000000000000\r\n\r\n", "413",
     "http1_content_too_large"},
    {HEAD "Content-Length: 18446744073709551617\r\n\r\n", "413",
     "http1_content_too_large"},
    /* codings */
    {HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n", "501",
     "http1_transfer_encoding"},
    {HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n", "501",
     "http1_transfer_encoding"},
    {HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
     "501", "http1_transfer_encoding"},
    {HEAD "Transfer-Encoding: identity\r\n\r\n", "501",
     "http1_transfer_encoding"},
    {HEAD "Transfer-Encoding: xchunked\r\n\r\n", "501",
     "http1_transfer_encoding"},
    {HEAD "Transfer-Encoding: \"chunked\"\r\n\r\n", "501",
     "http1_transfer_encoding"},
    {HEAD "Transfer-Encoding: chunked;x\r\n\r\n", "501",
     "http1_transfer_encoding"},
    {HEAD "Transfer-Encoding:\x0b"
          "chunked\r\n\r\n",
     "400", "http1_field"},
    {HEAD "Expect: 200-ok\r\n\r\n", "417", "http1_expect"},
    /* chunks */
    {CHUNKED "3\nabc\r\n", "400", "http1_bare_line_feed"},
    {CHUNKED "3\r\nabc\n", "400", "http1_bare_line_feed"},
    {CHUNKED "3\r\nabcd\r\n", "400", "http1_chunk"},
    {CHUNKED "3\r\nabcX\n", "400", "http1_bare_line_feed"},
    {CHUNKED "3\r\nab\r\n0\r\n\r\n", "400", "http1_bare_line_feed"},
    {CHUNKED "\r\n", "400", "http1_chunk"},
    {CHUNKED "g\r\n", "400", "http1_chunk"},
    {CHUNKED "0x3\r\nabc\r\n", "400", "http1_chunk"},
    {CHUNKED " 3\r\nabc\r\n", "400", "http1_chunk"},
    {CHUNKED "3 \r\nabc\r\n", "400", "http1_chunk"},
    {CHUNKED "-3\r\nabc\r\n", "400", "http1_chunk"},
    {CHUNKED "3;x\r\nabc\r\n", "400", "http1_chunk"},
    {CHUNKED "3;\nx\r\nabc\r\n", "400", "http1_bare_line_feed"},
    {CHUNKED "100000003\r\nabc\r\n", "400", "http1_chunk"},
    {CHUNKED "00000000000000003\r\n", "400", "http1_chunk"},
    {CHUNKED "0\r\nX : 1\r\n\r\n", "400", "http1_field"},
    {CHUNKED "0\r\nX: 1\n\r\n", "400", "http1_bare_line_feed"},
    {CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n", "400", "http1_field"},
};

static void what_readers_could_take_differently_is_refused(void **state)
{
    (void)state;
    static struct told told;
    for (size_t i = 0; i < COUNT(bad); i++) {
        for (size_t c = 0; c < COUNT(cuts); c++) {
            tell(&told, bad[i].bytes, strlen(bad[i].bytes), cuts[c]);
            if (told.refusal == NULL)
                fail_msg("accepted: %s", bad[i].bytes);
            assert_string_equal(told.refusal->reason, bad[i].reason);
            if (bad[i].status == NULL)
                assert_null(told.refusal->status);
            else
                assert_memory_equal(told.refusal->status, bad[i].status, 3);
        }
    }
}

static void a_nul_is_refused_everywhere(void **state)
{
    (void)state;
    static struct told told;
    static const char request[] = CHUNKED "3\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n";
    size_t size = sizeof request - 1;
    size_t body = strlen(CHUNKED "3\r\n");
    for (size_t at = 0; at < size; at++) {
        char copy[sizeof request];
        memcpy(copy, request, sizeof request);
        copy[at] = '\0';
        tell(&told, copy, size, size);
        if (at >= body && at < body + 3)
            assert_null(told.refusal); /* a body has any bytes */
        else if (told.refusal == NULL && told.used == size)
            fail_msg("accepted a NUL at %zu", at);
    }
}

static void what_follows_a_request_is_left(void **state)
{
    (void)state;
    static struct told told;
    static const char two[] =
        HEAD "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n";
    tell(&told, two, sizeof two - 1, sizeof two);
    assert_string_equal(told.text, TOLD "content-length=3;|abc$");
    assert_int_equal(told.used, sizeof two - 1 - strlen("GET / HTTP/1.1\r\n"));
}

/* `before`, so many times `unit`, `after`. */
static void tell_long(struct told *told, const char *before, const char *unit,
                      size_t times, const char *after)
{
    size_t size = strlen(before) + times * strlen(unit) + strlen(after);
    char *bytes = malloc(size + 1);
    assert_non_null(bytes);
    char *at = bytes + sprintf(bytes, "%s", before);
    for (size_t i = 0; i < times; i++)
        at += sprintf(at, "%s", unit);
    sprintf(at, "%s", after);
    tell(told, bytes, size, 1000);
    free(bytes);
}

static const struct {
    const char *before, *unit;
    size_t times;
    const char *after;
    const char *status; /* NULL = none */
} sizes[] = {
    {"GET /", "a", 8000, " HTTP/1.1\r\nHost: h\r\n\r\n", NULL},
    {"GET /", "a", 8192, " HTTP/1.1\r\nHost: h\r\n\r\n", "414"},
    {"GET /", "a", 10000, "", "414"},
    {"", "a", 10000, "", "414"},
    {HEAD "X: ", "a", 7000, "\r\n\r\n", NULL},
    {HEAD "X: ", "a", 8192, "\r\n\r\n", "431"},
    {HEAD "X: ", "a", 10000, "", "431"},
    {HEAD, "A: b\r\n", 196, "\r\n", NULL},
    {HEAD, "A: b\r\n", 200, "\r\n", "431"},
    {HEAD, "A: 0123456789\r\n", 190, "\r\n", "431"},
    {CHUNKED "0\r\n", "A: b\r\n", 200, "\r\n", NULL},
    {CHUNKED "0\r\n", "A: b\r\n", 201, "\r\n", "431"},
    {CHUNKED "0\r\nX: ", "a", 10000, "", "431"},
    {CHUNKED, "0", 100000, "", "400"},
};

static void heads_have_a_limit(void **state)
{
    (void)state;
    static struct told told;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        tell_long(&told, sizes[i].before, sizes[i].unit, sizes[i].times,
                  sizes[i].after);
        if (sizes[i].status == NULL)
            assert_null(told.refusal);
        else
            assert_memory_equal(told.refusal->status, sizes[i].status, 3);
    }
}

static void fields_of_the_hop_are_known(void **state)
{
    (void)state;
    static const char *const of_the_hop[] = {
        "connection", "keep-alive",       "te",
        "upgrade",    "http2-settings",   "transfer-encoding",
        "trailer",    "proxy-connection", "proxy-authorization"};
    static const char *const of_the_request[] = {
        "authorization", "tea", "proxy", "x-upgrade", "content-length"};
    for (size_t i = 0; i < COUNT(of_the_hop); i++)
        assert_true(h1_is_hop_by_hop(of_the_hop[i], strlen(of_the_hop[i])));
    for (size_t i = 0; i < COUNT(of_the_request); i++)
        assert_false(
            h1_is_hop_by_hop(of_the_request[i], strlen(of_the_request[i])));
}

static void the_client_says_what_becomes_of_the_connection(void **state)
{
    (void)state;
    static const struct {
        const char *field;
        bool closes;
    } rows[] = {
        {"Connection: close", true},
        {"Connection: keep-alive, Close", true},
        {"Connection: ,,close", true},
        {"Connection: keep-alive", false},
        {"Connection: closed", false},
        {"Connection: Upgrade, HTTP2-Settings", false},
        {"Connection:", false},
        {"X: close", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct h1_reader reader;
        struct h1_piece piece;
        char head[256];
        size_t size = (size_t)sprintf(head, HEAD "%s\r\n\r\n", rows[i].field);
        size_t used = 0;
        h1_event event;
        h1_reader_init(&reader, HEADER_BYTES_MAX);
        do {
            event = h1_read(&reader, head + used, size - used, &piece);
            used += piece.used;
        } while (event != H1_END && event != H1_REFUSED);
        assert_int_equal(event, H1_END);
        assert_int_equal(reader.wants_close, rows[i].closes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_read_alike_however_it_is_cut),
        cmocka_unit_test(what_readers_could_take_differently_is_refused),
        cmocka_unit_test(a_nul_is_refused_everywhere),
        cmocka_unit_test(what_follows_a_request_is_left),
        cmocka_unit_test(heads_have_a_limit),
        cmocka_unit_test(fields_of_the_hop_are_known),
        cmocka_unit_test(the_client_says_what_becomes_of_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
