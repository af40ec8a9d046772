/* Clients that take their time.  The server was started with stall=1s,
 * handshake=2s and unary_deadline=2s, so that this does not last minutes. */
#include "tests/wire/attack/attack.h"

#include <poll.h>

enum { STEP_MS = 200, PATIENCE_STEPS = 60 };

/* For the file of a symbol: an answer of tens of kilobytes. */
static size_t ask(uint8_t *out)
{
    static const char symbol[] = "prbal.v1.ListingService";
    uint8_t message[2 + sizeof symbol];
    message[0] = 4 << 3 | 2;
    message[1] = sizeof symbol - 1;
    memcpy(message + 2, symbol, sizeof symbol - 1);
    return client_frame(out, 0, message, 2 + sizeof symbol - 1);
}

static void open_question(struct raw *raw, uint32_t stream)
{
    uint8_t block[1024], body[64];
    size_t size = raw_headers(raw, block, sizeof block, REFLECTION, NULL, NULL);
    raw_frame(raw, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream, block,
              size);
    raw_frame(raw, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, stream, body,
              ask(body));
}

/* Many answers are asked for, and no window is opened for any. */
static void zero_window(void)
{
    enum { STREAMS = 40 };
    struct raw *raw = attack_greeted();
    raw_frame(raw, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    for (uint32_t i = 0; i < STREAMS; i++)
        open_question(raw, 2 * i + 1);
    assert_true(raw_wait_frames(raw, NGHTTP2_RST_STREAM, STREAMS));
    raw_close(raw);
}

/* The window is opened by a byte each time the server might lose patience: a
 * little progress is not enough for ever. */
static void dribbled_window(void)
{
    struct raw *raw = attack_greeted();
    raw_frame(raw, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
    open_question(raw, 1);
    int steps = 0;
    while (raw_read_available(raw) &&
           raw_frames(raw, NGHTTP2_RST_STREAM) == 0 && steps < PATIENCE_STEPS) {
        raw_frame(raw, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
        poll(NULL, 0, STEP_MS);
        steps++;
    }
    assert_int_equal(raw_frames(raw, NGHTTP2_RST_STREAM), 1);
    assert_true(raw_frames(raw, NGHTTP2_DATA) > 0);
    raw_close(raw);
}

/* --- a request that does not come --- */

static const struct {
    const char *type;
    int http_status;
    int status; /* of gRPC; -1 = Connect says it in its own way */
} kinds[] = {
    {"application/grpc", 200, DEADLINE_EXCEEDED},
    {"application/grpc-web", 200, DEADLINE_EXCEEDED},
    {"application/json", 504, -1},
    {"application/proto", 504, -1},
};

struct slow {
    struct client *client;
    struct client_response *response;
};

static void assert_late(struct slow *slow, size_t kind)
{
    client_wait(slow->client, slow->response);
    assert_int_equal(slow->response->http_status, kinds[kind].http_status);
    if (kinds[kind].status >= 0)
        assert_int_equal(client_status(slow->response), kinds[kind].status);
    assert_true(client_is_open(slow->client));
    client_close(slow->client);
}

/* Each kind twice: one that sends nothing more, and one a byte each time, of a
 * message of 64 KiB. */
static void slow_bodies(void)
{
    enum { SLOW = 2 * COUNT(kinds), BYTES = 7 };
    struct slow slow[SLOW];
    for (size_t i = 0; i < SLOW; i++) {
        const struct rpc_header type[] = {{"content-type", kinds[i / 2].type},
                                          {0}};
        slow[i].client = attack_connected();
        client_ping(slow[i].client); /* has greeted: only the body is slow */
        slow[i].response = client_request(slow[i].client, HEALTH, type,
                                          "\0\0\1\0\0", 5, false);
    }
    for (int n = 0; n < BYTES; n++) {
        for (size_t i = 0; i < SLOW; i += 2)
            client_send(slow[i].client, slow[i].response, "\0", 1, false);
        poll(NULL, 0, STEP_MS);
    }
    for (size_t i = 0; i < SLOW; i++)
        assert_late(&slow[i], i / 2);
}

#define POST "POST " HEALTH " HTTP/1.1\r\nHost: x\r\n"
#define WEB "Content-Type: application/grpc-web+proto\r\n"
#define JSON "Content-Type: application/json\r\n"

/* What is said at once, whether more of it follows byte by byte, how the answer
 * begins or what is in it.  The time for a head begins with the connection: a
 * first one that does not come has no answer. */
static const struct {
    const char *begin;
    bool dribbles;
    const char *answer, *within;
} rows[] = {
    {POST WEB "Content-Length: 100\r\n\r\n", false, "HTTP/1.1 200 ",
     "grpc-status: 4"},
    {POST WEB "Transfer-Encoding: chunked\r\n\r\n5\r\n", false, "HTTP/1.1 200 ",
     "grpc-status: 4"},
    {POST JSON "Content-Length: 100\r\n\r\n", false, "HTTP/1.1 504 ",
     "deadline_exceeded"},
    {POST JSON "Content-Length: 100\r\n\r\n", true, "HTTP/1.1 504 ",
     "deadline_exceeded"},
    {"GET / HTTP/1.1\r\nHost: x\r\n", false, "", ""},
    {"GET / HTTP/1.1\r\nHost: x\r\nX: ", true, "", ""},
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET", false, "HTTP/1.1 404 ",
     "HTTP/1.1 408 "},
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /", true, "HTTP/1.1 404 ",
     "HTTP/1.1 408 "},
};

static void assert_ended(struct raw *raw, size_t row)
{
    char text[2048];
    raw_wait_text(raw, text, sizeof text);
    raw_close(raw);
    if (strncmp(text, rows[row].answer, strlen(rows[row].answer)) != 0 ||
        strstr(text, rows[row].within) == NULL ||
        (*rows[row].answer == '\0') != (*text == '\0'))
        fail_msg("row %zu: %.300s", row, text);
}

static void slow_http1(void)
{
    enum { BYTES = 12 };
    struct raw *raws[COUNT(rows)];
    for (size_t i = 0; i < COUNT(rows); i++) {
        raws[i] = raw_connect_http1(attack_port, attack_tls);
        raw_send(raws[i], rows[i].begin, strlen(rows[i].begin));
    }
    for (int n = 0; n < BYTES; n++) {
        for (size_t i = 0; i < COUNT(rows); i++)
            if (rows[i].dribbles)
                raw_send(raws[i], "x", 1);
        poll(NULL, 0, STEP_MS);
    }
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_ended(raws[i], i);
}

const struct attack attacks_by_slowness[] = {
    {"windows_that_stay_shut_hold_answers_for_a_while", zero_window,
     ATTACK_ONCE},
    {"windows_that_open_byte_by_byte_as_well", dribbled_window, ATTACK_ONCE},
    {"a_request_comes_within_its_deadline", slow_bodies, ATTACK_ONCE},
    {"http1_comes_in_time_or_not_at_all", slow_http1, ATTACK_ONCE},
    {0},
};
