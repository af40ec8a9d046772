#ifndef PRBAL_TESTS_WIRE_HTTP1_H
#define PRBAL_TESTS_WIRE_HTTP1_H

/* A client of HTTP/1.1 for tests, on a blocking socket, and gRPC-Web on it.
 * Nothing of rpc/ is in it. */

#include "rpc/metrics.h"
#include "tests/wire/wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A server of the test's own. */
static inline void finish(fixture *t)
{
    void *mine = t;
    wire_stop(&mine);
}

static inline int64_t ended(const char *reason)
{
    char label[64];
    snprintf(label, sizeof label, "reason=\"%s\"", reason);
    return metrics_value(
        metrics_counter("grpc_server_connections_ended_total", "", label));
}

/* --- a client --- */

enum { ANSWER_BYTES = 512 * 1024 };

struct peer {
    int fd;
    char bytes[ANSWER_BYTES]; /* received, and not yet looked at */
    size_t size;
};

struct answer {
    int status; /* 0 = closed without one */
    char head[4096];
    char body[ANSWER_BYTES];
    size_t body_size;
};

static inline struct peer *dial(fixture *t)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)t->port)};
    struct peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(peer->fd >= 0);
    assert_int_equal(connect(peer->fd, (struct sockaddr *)&at, sizeof at), 0);
    int on = 1;
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return peer;
}

static inline void hang_up(struct peer *peer)
{
    close(peer->fd);
    free(peer);
}

/* A server that refuses stops reading: what cannot be sent is dropped. */
static inline void say_bytes(struct peer *peer, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t put = send(peer->fd, at, size, MSG_NOSIGNAL);
        if (put <= 0)
            return;
        at += put;
        size -= (size_t)put;
    }
}

static inline void say(struct peer *peer, const char *text)
{
    say_bytes(peer, text, strlen(text));
}

/* False when the server has closed. */
static inline bool hear(struct peer *peer)
{
    struct pollfd readable = {.fd = peer->fd, .events = POLLIN};
    if (poll(&readable, 1, CLIENT_PATIENCE_MS) != 1)
        fail_msg("no answer in time; so far: %.*s", (int)peer->size,
                 peer->bytes);
    assert_true(peer->size < ANSWER_BYTES);
    ssize_t got =
        recv(peer->fd, peer->bytes + peer->size, ANSWER_BYTES - peer->size, 0);
    if (got > 0)
        peer->size += (size_t)got;
    return got > 0;
}

static inline void take(struct peer *peer, void *to, size_t size)
{
    while (peer->size < size)
        assert_true(hear(peer));
    if (to != NULL)
        memcpy(to, peer->bytes, size);
    peer->size -= size;
    memmove(peer->bytes, peer->bytes + size, peer->size);
}

/* Up to and with the CR LF or the empty line; 0 when closed before. */
static inline size_t take_until(struct peer *peer, const char *end, char *to,
                                size_t room)
{
    const char *at;
    while ((at = memmem(peer->bytes, peer->size, end, strlen(end))) == NULL)
        if (!hear(peer))
            return 0;
    size_t size = (size_t)(at - peer->bytes) + strlen(end);
    assert_true(size < room);
    take(peer, to, size);
    to[size] = '\0';
    return size;
}

static inline const char *header(const struct answer *answer, const char *name)
{
    static char value[512];
    char line[64];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strstr(answer->head, line);
    if (at == NULL)
        return NULL;
    at += strlen(line);
    snprintf(value, sizeof value, "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

static inline void take_chunks(struct peer *peer, struct answer *answer)
{
    char line[32];
    size_t size;
    do {
        assert_true(take_until(peer, "\r\n", line, sizeof line) > 0);
        size = strtoul(line, NULL, 16);
        take(peer, answer->body + answer->body_size, size);
        answer->body_size += size;
        take(peer, line, 2);
        assert_memory_equal(line, "\r\n", 2);
    } while (size > 0);
}

static inline struct answer *answer_of(struct peer *peer)
{
    static struct answer answer;
    answer.body_size = 0;
    answer.status = 0;
    if (take_until(peer, "\r\n\r\n", answer.head, sizeof answer.head) == 0)
        return &answer;
    assert_int_equal(sscanf(answer.head, "HTTP/1.1 %d", &answer.status), 1);
    const char *length = header(&answer, "content-length");
    if (length != NULL) {
        answer.body_size = strtoul(length, NULL, 10);
        take(peer, answer.body, answer.body_size);
    } else if (header(&answer, "transfer-encoding") != NULL) {
        take_chunks(peer, &answer);
    }
    answer.body[answer.body_size] = '\0';
    return &answer;
}

static inline void assert_closed(struct peer *peer)
{
    while (hear(peer))
        continue;
    assert_int_equal(peer->size, 0);
    hang_up(peer);
}

/* --- calls, by gRPC-Web --- */

#define WEB_HEAD(path)                      \
    "POST " path " HTTP/1.1\r\nHost: x\r\n" \
    "Content-Type: application/grpc-web+proto\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n\r\n"

static inline void say_body(struct peer *peer, struct bytes body)
{
    char line[64];
    snprintf(line, sizeof line, "Content-Length: %zu\r\n\r\n", body.size);
    say(peer, line);
    say_bytes(peer, body.data, body.size);
}

static inline void say_echo(fixture *t, struct peer *peer, const char *text)
{
    say(peer, WEB_HEAD(TEST_ECHO));
    say_body(peer, echo_body(t, text));
}

/* In one piece: a test of time limits must not pause within a chunk. */
static inline void say_chunk(struct peer *peer, struct bytes body)
{
    char *chunk = malloc(body.size + 32);
    assert_non_null(chunk);
    size_t size = (size_t)sprintf(chunk, "%zx\r\n", body.size);
    memcpy(chunk + size, body.data, body.size);
    size += body.size;
    size += (size_t)sprintf(chunk + size, "\r\n");
    say_bytes(peer, chunk, size);
    free(chunk);
}

/* The message that is `index` messages into the body. */
static inline void *web_message(fixture *t, const struct answer *answer,
                                const ProtobufCMessageDescriptor *type,
                                int index)
{
    struct client_response r = {.body = (uint8_t *)answer->body,
                                .body_size = answer->body_size};
    return message_at(t, type, &r, index);
}

static inline bool ends_with_status(const struct answer *answer, rpc_code code)
{
    char line[32];
    snprintf(line, sizeof line, "grpc-status: %d\r\n", (int)code);
    return strstr(answer->head, line) != NULL ||
           memmem(answer->body, answer->body_size, line, strlen(line)) != NULL;
}

static inline void assert_web(const struct answer *answer, rpc_code code)
{
    assert_int_equal(answer->status, 200);
    if (!ends_with_status(answer, code))
        fail_msg("not status %d: %s", (int)code, answer->head);
}

static inline void assert_answers_echo(fixture *t, struct peer *peer,
                                       const char *text)
{
    struct answer *answer = answer_of(peer);
    assert_web(answer, RPC_OK);
    EchoResponse *res = web_message(t, answer, ECHO_RESPONSE_DESCRIPTOR, 0);
    assert_string_equal(res->text, text);
}

static inline void assert_echoes(fixture *t, struct peer *peer,
                                 const char *text)
{
    say_echo(t, peer, text);
    assert_answers_echo(t, peer, text);
}

#endif
