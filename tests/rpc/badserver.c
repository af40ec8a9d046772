#include "tests/rpc/badserver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct bad_server {
    int fd;
    int port;
    pthread_t thread;
    atomic_bool stopping;
    void (*script)(struct bad *bad);
    bool is_mute;
};

struct bad {
    int fd;
    int index;
    const struct bad_server *server;
    nghttp2_hd_deflater *deflater;
    bool is_gone;
    /* Requests that ended while something else was waited for. */
    uint32_t ended[64];
    size_t ended_count;
};

/* --- sending --- */

void bad_send(struct bad *bad, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0 && !bad->is_gone) {
        ssize_t put = send(bad->fd, at, size, MSG_NOSIGNAL);
        if (put <= 0) {
            bad->is_gone = true;
            return;
        }
        at += put;
        size -= (size_t)put;
    }
}

void bad_frame(struct bad *bad, uint8_t type, uint8_t flags, uint32_t stream,
               const void *payload, size_t size)
{
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
    bad_send(bad, header, sizeof header);
    bad_send(bad, payload, size);
}

void bad_headers(struct bad *bad, uint32_t stream, bool is_last,
                 const char *const *fields)
{
    nghttp2_nv block[16];
    size_t count = 0;
    for (; fields[0] != NULL; fields += 2)
        block[count++] = (nghttp2_nv){
            (uint8_t *)(uintptr_t)fields[0], (uint8_t *)(uintptr_t)fields[1],
            strlen(fields[0]), strlen(fields[1]), NGHTTP2_NV_FLAG_NONE};
    size_t room = nghttp2_hd_deflate_bound(bad->deflater, block, count);
    uint8_t *bytes = malloc(room);
    ssize_t size =
        nghttp2_hd_deflate_hd(bad->deflater, bytes, room, block, count);
    bad_frame(bad, NGHTTP2_HEADERS,
              (uint8_t)(NGHTTP2_FLAG_END_HEADERS |
                        (is_last ? NGHTTP2_FLAG_END_STREAM : 0)),
              stream, bytes, (size_t)size);
    free(bytes);
}

void bad_open(struct bad *bad, uint32_t stream)
{
    static const char *const fields[] = {":status", "200", "content-type",
                                         "application/grpc", NULL};
    bad_headers(bad, stream, false, fields);
}

void bad_trailers(struct bad *bad, uint32_t stream, const char *status)
{
    const char *const fields[] = {"grpc-status", status, NULL};
    bad_headers(bad, stream, true, fields);
}

void bad_message(struct bad *bad, uint32_t stream, const char *text)
{
    size_t size = strlen(text);
    uint8_t bytes[7 + 100] = {
        0, 0, 0, 0, (uint8_t)(size + 2), 0x0a, (uint8_t)size};
    memcpy(bytes + 7, text, size);
    bad_frame(bad, NGHTTP2_DATA, 0, stream, bytes, 7 + size);
}

void bad_answer(struct bad *bad, uint32_t stream, const char *text)
{
    bad_open(bad, stream);
    bad_message(bad, stream, text);
    bad_trailers(bad, stream, "0");
}

static void put_32(uint8_t *bytes, uint32_t number)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(number >> (24 - 8 * i));
}

void bad_reset(struct bad *bad, uint32_t stream, uint32_t code)
{
    uint8_t payload[4];
    put_32(payload, code);
    bad_frame(bad, NGHTTP2_RST_STREAM, 0, stream, payload, sizeof payload);
}

void bad_goaway(struct bad *bad, uint32_t last_stream, uint32_t code,
                const char *text)
{
    uint8_t payload[8 + 64];
    put_32(payload, last_stream);
    put_32(payload + 4, code);
    memcpy(payload + 8, text, strlen(text));
    bad_frame(bad, NGHTTP2_GOAWAY, 0, 0, payload, 8 + strlen(text));
}

/* --- receiving --- */

static bool read_all(struct bad *bad, void *bytes, size_t size)
{
    uint8_t *at = bytes;
    int waited_ms = 0;
    while (size > 0 && !bad->is_gone) {
        struct pollfd p = {.fd = bad->fd, .events = POLLIN};
        if (poll(&p, 1, 20) == 0) {
            waited_ms += 20;
            bad->is_gone = waited_ms >= BAD_PATIENCE_MS ||
                           atomic_load(&bad->server->stopping);
            continue;
        }
        ssize_t got = recv(bad->fd, at, size, 0);
        if (got <= 0) {
            bad->is_gone = true;
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return !bad->is_gone;
}

static bool read_frame(struct bad *bad, struct bad_frame *frame)
{
    uint8_t header[9];
    if (!read_all(bad, header, sizeof header))
        return false;
    *frame = (struct bad_frame){
        .size = (size_t)header[0] << 16 | (size_t)header[1] << 8 | header[2],
        .type = header[3],
        .flags = header[4],
        .stream = (uint32_t)header[5] << 24 | (uint32_t)header[6] << 16 |
                  (uint32_t)header[7] << 8 | header[8],
    };
    for (size_t i = 0; i < frame->size; i++) {
        uint8_t byte;
        if (!read_all(bad, &byte, 1))
            return false;
        if (i < sizeof frame->payload)
            frame->payload[i] = byte;
    }
    return true;
}

bool bad_wait(struct bad *bad, uint8_t type, uint8_t flags,
              struct bad_frame *frame)
{
    struct bad_frame own;
    struct bad_frame *f = frame != NULL ? frame : &own;
    while (read_frame(bad, f)) {
        if (f->type == NGHTTP2_SETTINGS && !(f->flags & NGHTTP2_FLAG_ACK) &&
            !bad->server->is_mute)
            bad_frame(bad, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "", 0);
        if (f->type == NGHTTP2_DATA && (f->flags & NGHTTP2_FLAG_END_STREAM) &&
            bad->ended_count < sizeof bad->ended / sizeof bad->ended[0])
            bad->ended[bad->ended_count++] = f->stream;
        if (f->type == type && (f->flags & flags) == flags)
            return true;
    }
    return false;
}

bool bad_has_request(const struct bad *bad)
{
    return bad->ended_count > 0;
}

uint32_t bad_request(struct bad *bad)
{
    if (!bad_has_request(bad) &&
        !bad_wait(bad, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, NULL))
        return 0;
    uint32_t stream = bad->ended[0];
    bad->ended_count--;
    memmove(bad->ended, bad->ended + 1,
            bad->ended_count * sizeof bad->ended[0]);
    return stream;
}

void bad_wait_closed(struct bad *bad)
{
    struct bad_frame frame;
    while (read_frame(bad, &frame))
        continue;
}

/* --- life --- */

int bad_index(const struct bad *bad)
{
    return bad->index;
}

static void talk(struct bad_server *server, int fd, int index)
{
    char preface[NGHTTP2_CLIENT_MAGIC_LEN];
    int on = 1;
    struct bad bad = {.fd = fd, .index = index, .server = server};
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    nghttp2_hd_deflate_new(&bad.deflater, 4096);
    if (read_all(&bad, preface, sizeof preface)) {
        if (!server->is_mute)
            bad_frame(&bad, NGHTTP2_SETTINGS, 0, 0, "", 0);
        server->script(&bad);
    }
    nghttp2_hd_deflate_del(bad.deflater);
    close(fd);
}

static void *serve(void *argument)
{
    struct bad_server *server = argument;
    for (int index = 0; !atomic_load(&server->stopping);) {
        struct pollfd p = {.fd = server->fd, .events = POLLIN};
        if (poll(&p, 1, 20) == 0)
            continue;
        int fd = accept(server->fd, NULL, NULL);
        if (fd >= 0)
            talk(server, fd, index++);
    }
    return NULL;
}

static struct bad_server *start(void (*script)(struct bad *bad), bool is_mute)
{
    struct bad_server *server = calloc(1, sizeof *server);
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->script = script;
    server->is_mute = is_mute;
    server->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server->fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(server->fd, 16) != 0 ||
        getsockname(server->fd, (struct sockaddr *)&at, &size) != 0)
        abort();
    server->port = ntohs(at.sin_port);
    if (pthread_create(&server->thread, NULL, serve, server) != 0)
        abort();
    return server;
}

struct bad_server *bad_server_start(void (*script)(struct bad *bad))
{
    return start(script, false);
}

struct bad_server *bad_server_start_mute(void (*script)(struct bad *bad))
{
    return start(script, true);
}

int bad_server_port(const struct bad_server *server)
{
    return server->port;
}

void bad_server_stop(struct bad_server *server)
{
    atomic_store(&server->stopping, true);
    pthread_join(server->thread, NULL);
    close(server->fd);
    free(server);
}
