/* Bytes instead of a session, see tests/wire/client.h. */
#include "tests/wire/dial.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct raw {
    int fd;
    SSL_CTX *context; /* NULL: clear text */
    SSL *ssl;
    nghttp2_hd_deflater *deflater;
    struct raw_end end;
    uint8_t header[9];
    size_t have;
    uint8_t payload[1 << 14];
    size_t payload_have;
};

struct raw *raw_connect_from(int port, const char *from)
{
    struct raw *raw = calloc(1, sizeof *raw);
    assert_non_null(raw);
    raw->fd = dial_tcp(port, from);
    raw->end.goaway_code = -1;
    nghttp2_hd_deflate_new(&raw->deflater, 4096);
    return raw;
}

struct raw *raw_connect(int port)
{
    return raw_connect_from(port, NULL);
}

static struct raw *connect_tls(int port, const char *alpn)
{
    struct raw *raw = raw_connect(port);
    raw->ssl =
        dial_tls(raw->fd, &raw->context, alpn, &(struct client_options){0});
    /* Or a session ticket would make SSL_read() wait for what follows it. */
    SSL_clear_mode(raw->ssl, SSL_MODE_AUTO_RETRY);
    return raw;
}

struct raw *raw_connect_tls(int port)
{
    return connect_tls(port, "\2h2");
}

struct raw *raw_connect_http1(int port, bool tls)
{
    return tls ? connect_tls(port, "\10http/1.1") : raw_connect(port);
}

void raw_close(struct raw *raw)
{
    nghttp2_hd_deflate_del(raw->deflater);
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->context);
    close(raw->fd);
    free(raw);
}

/* A server that refuses stops reading: what cannot be sent is dropped. */
void raw_send(struct raw *raw, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t put = raw->ssl != NULL ? SSL_write(raw->ssl, at, (int)size)
                                       : send(raw->fd, at, size, MSG_NOSIGNAL);
        if (put <= 0)
            return;
        at += put;
        size -= (size_t)put;
    }
}

void raw_frame(struct raw *raw, uint8_t type, uint8_t flags, uint32_t stream,
               const void *payload, size_t size)
{
    uint8_t frame[9 + 2048];
    assert_true(size <= 2048);
    const uint8_t header[9] = {
        (uint8_t)(size >> 16),
        (uint8_t)(size >> 8),
        (uint8_t)size,
        type,
        flags,
        (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16),
        (uint8_t)(stream >> 8),
        (uint8_t)stream,
    };
    memcpy(frame, header, sizeof header);
    if (size > 0)
        memcpy(frame + sizeof header, payload, size);
    raw_send(raw, frame, sizeof header + size);
}

void raw_greet(struct raw *raw)
{
    raw_send(raw, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    raw_frame(raw, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    raw_frame(raw, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
}

size_t raw_headers(struct raw *raw, uint8_t *out, size_t room, const char *path,
                   const char *name, const char *value)
{
    nghttp2_nv fields[7] = {
        nv(":method", "POST"),
        nv(":scheme", "http"),
        nv(":path", path),
        nv(":authority", "localhost"),
        nv("content-type", "application/grpc"),
        nv("te", "trailers"),
    };
    if (name != NULL)
        fields[6] = nv(name, value);
    ssize_t size = nghttp2_hd_deflate_hd(raw->deflater, out, room, fields,
                                         name != NULL ? 7 : 6);
    assert_true(size > 0);
    return (size_t)size;
}

static size_t frame_size(const struct raw *raw)
{
    return (size_t)raw->header[0] << 16 | raw->header[1] << 8 | raw->header[2];
}

static void end_of_frame(struct raw *raw)
{
    raw->end.frames[raw->header[3] & 15]++;
    size_t size = frame_size(raw);
    if (raw->header[3] == NGHTTP2_GOAWAY) {
        raw->end.goaway_code = (int64_t)raw->payload[4] << 24 |
                               raw->payload[5] << 16 | raw->payload[6] << 8 |
                               raw->payload[7];
        snprintf(raw->end.goaway_text, sizeof raw->end.goaway_text, "%.*s",
                 (int)(size - 8), (const char *)raw->payload + 8);
    }
    raw->have = raw->payload_have = 0;
}

static void take_byte(struct raw *raw, uint8_t byte)
{
    if (raw->have < sizeof raw->header)
        raw->header[raw->have++] = byte;
    else
        raw->payload[raw->payload_have++] = byte;
    if (raw->have == sizeof raw->header && raw->payload_have == frame_size(raw))
        end_of_frame(raw);
}

/* -1 with EAGAIN while there is nothing.  A TLS record that has begun to come
 * is waited for. */
static ssize_t read_now(struct raw *raw, uint8_t *bytes, size_t size)
{
    struct pollfd p = {.fd = raw->fd, .events = POLLIN};
    if (raw->ssl == NULL)
        return recv(raw->fd, bytes, size, MSG_DONTWAIT);
    errno = EAGAIN;
    if (!SSL_has_pending(raw->ssl) && poll(&p, 1, 0) == 0)
        return -1;
    int got = SSL_read(raw->ssl, bytes, (int)size);
    if (got > 0)
        return got;
    if (SSL_get_error(raw->ssl, got) != SSL_ERROR_WANT_READ)
        return 0;
    errno = EAGAIN; /* a session ticket was read without an error */
    return -1;
}

bool raw_read_available(struct raw *raw)
{
    uint8_t bytes[2048];
    for (;;) {
        ssize_t got = read_now(raw, bytes, sizeof bytes);
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0)
            return false;
        for (ssize_t i = 0; i < got; i++)
            take_byte(raw, bytes[i]);
    }
}

struct raw_end raw_wait_closed(struct raw *raw)
{
    while (raw_read_available(raw))
        dial_wait_readable(raw->fd);
    return raw->end;
}

bool raw_wait_frames(struct raw *raw, uint8_t type, int count)
{
    while (raw_read_available(raw)) {
        if (raw->end.frames[type] >= count)
            return true;
        dial_wait_readable(raw->fd);
    }
    return false;
}

int raw_frames(const struct raw *raw, uint8_t type)
{
    return raw->end.frames[type];
}

size_t raw_wait_text(struct raw *raw, char *text, size_t room)
{
    size_t size = 0;
    while (size < room - 1) {
        ssize_t got = read_now(raw, (uint8_t *)text + size, room - 1 - size);
        if (got < 0 && errno == EAGAIN)
            dial_wait_readable(raw->fd);
        else if (got <= 0)
            break;
        else
            size += (size_t)got;
    }
    text[size] = '\0';
    return size;
}
