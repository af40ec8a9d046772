/* usage: upload_bench [RTT_MS]
 *
 * How fast one stream uploads 16 MiB over a link with a delay: what the window
 * allows, not what the machine does.  The delay is a proxy on a thread of its
 * own that keeps each piece for half of the round trip. */
#include "rpc/clock.h"
#include "tests/wire/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UPLOAD_BYTES = 16 * 1024 * 1024, MESSAGE_BYTES = 256 * 1024 };

struct piece {
    struct piece *next;
    int64_t due_us;
    size_t size, sent;
    uint8_t bytes[64 * 1024];
};

/* One direction. */
struct pipe_line {
    int from, to;
    struct piece *first, **last;
};

struct proxy {
    int listener, port, target_port;
    int64_t delay_us;
};

static bool take_in(struct pipe_line *line, int64_t delay_us)
{
    struct piece *piece = malloc(sizeof *piece);
    ssize_t got =
        recv(line->from, piece->bytes, sizeof piece->bytes, MSG_DONTWAIT);
    if (got <= 0) {
        free(piece);
        return got < 0 && errno == EAGAIN;
    }
    piece->next = NULL;
    piece->size = (size_t)got;
    piece->sent = 0;
    piece->due_us = clock_monotonic_us() + delay_us;
    *line->last = piece;
    line->last = &piece->next;
    return true;
}

static void let_out(struct pipe_line *line)
{
    while (line->first != NULL && line->first->due_us <= clock_monotonic_us()) {
        struct piece *piece = line->first;
        ssize_t put =
            send(line->to, piece->bytes + piece->sent,
                 piece->size - piece->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0)
            return;
        piece->sent += (size_t)put;
        if (piece->sent < piece->size)
            return;
        line->first = piece->next;
        if (line->first == NULL)
            line->last = &line->first;
        free(piece);
    }
}

static int connect_to(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void *run_proxy(void *argument)
{
    struct proxy *proxy = argument;
    int client = accept(proxy->listener, NULL, NULL);
    int server = connect_to(proxy->target_port);
    struct pipe_line lines[2] = {{.from = client, .to = server},
                                 {.from = server, .to = client}};
    struct pollfd fds[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    bool open = true;
    for (int i = 0; i < 2; i++)
        lines[i].last = &lines[i].first;
    while (open) {
        poll(fds, 2, 1);
        for (int i = 0; i < 2; i++) {
            open = open && take_in(&lines[i], proxy->delay_us);
            let_out(&lines[i]);
        }
    }
    close(client);
    close(server);
    return NULL;
}

static void open_proxy(struct proxy *proxy)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(proxy->listener, (struct sockaddr *)&at, size), 0);
    listen(proxy->listener, 1);
    getsockname(proxy->listener, (struct sockaddr *)&at, &size);
    proxy->port = ntohs(at.sin_port);
}

static void upload(fixture *t, int port)
{
    ClientStreamRequest req = CLIENT_STREAM_REQUEST_INIT;
    req.payload.len = MESSAGE_BYTES;
    req.payload.data = arena_alloc(t->arena, MESSAGE_BYTES);
    memset(req.payload.data, 0, MESSAGE_BYTES);
    struct bytes body = framed(t, &req);
    struct client *client = client_connect(port);
    int64_t begin_us = clock_monotonic_us();
    struct client_response *r =
        client_request(client, TEST_CLIENT_STREAM, NULL, NULL, 0, false);
    for (int sent = 0; sent < UPLOAD_BYTES; sent += MESSAGE_BYTES) {
        client_send(client, r, body.data, body.size,
                    sent + MESSAGE_BYTES >= UPLOAD_BYTES);
        client_wait_sent(client, r);
    }
    client_wait(client, r);
    int64_t took_us = clock_monotonic_us() - begin_us;
    assert_grpc(r, 200, RPC_OK);
    printf("%.2f s, %.1f MB/s\n", (double)took_us / 1e6,
           (double)UPLOAD_BYTES / (double)took_us);
    client_close(client);
}

int main(int count, char **arguments)
{
    int64_t rtt_ms = count > 1 ? atoi(arguments[1]) : 50;
    fixture *t = wire_start((struct rpc_server_options){0});
    struct proxy proxy = {.target_port = t->port,
                          .delay_us = rtt_ms * 1000 / 2};
    pthread_t thread;
    open_proxy(&proxy);
    pthread_create(&thread, NULL, run_proxy, &proxy);
    upload(t, proxy.port);
    pthread_join(thread, NULL);
    close(proxy.listener);
    void *mine = t;
    return wire_stop(&mine);
}
