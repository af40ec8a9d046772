#ifndef PRBAL_TESTS_FUZZ_SERVER_H
#define PRBAL_TESTS_FUZZ_SERVER_H

/* A whole server on this thread, and clients on socket pairs. */

#include "rpc/conn.h"
#include "tests/rpc/registry.rpc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline struct rpc_server *server_start(void)
{
    static const struct rpc_registry *const registries[] = {&test_registry,
                                                            NULL};
    const struct rpc_server_options options = {
        .registries = registries,
        .reflection = true,
        .web_origins = "*",
        .message_bytes_max = 65536,
    };
    char error[256];
    struct rpc_server *server = rpc_server_create(&options);
    if (rpc_server_listen(server, "127.0.0.1:0", RPC_LISTEN_H2C, error,
                          sizeof error) < 0 ||
        rpc_server_start_here(server).code != RPC_OK)
        abort();
    return server;
}

static inline void turn(struct rpc_worker *worker)
{
    static const bool at_once = true;
    for (int i = 0; i < 3; i++)
        uv_run(loop_uv(worker->loop), UV_RUN_NOWAIT);
    loop_run_until(worker->loop, &at_once);
}

/* What comes back is not looked at, only taken. */
static inline void take_answers(int fd)
{
    char answer[4096];
    while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
        ;
}

static inline int client_connect(struct rpc_net_worker *net)
{
    const struct sockaddr_storage from = {.ss_family = AF_UNIX};
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) != 0)
        abort();
    atomic_fetch_add(&net->conn_count, 1);
    atomic_fetch_add(&net->server->connections, 1);
    conn_adopt(net, fds[0], RPC_LISTEN_H2C, &from);
    return fds[1];
}

/* Sends it all in pieces of this size, while the server answers. */
static inline void send_in_pieces(struct rpc_worker *worker, int fd,
                                  const void *bytes, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece) {
        size_t count = size - at < piece ? size - at : piece;
        if (send(fd, (const char *)bytes + at, count,
                 MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        turn(worker);
        take_answers(fd);
    }
}

/* The client goes, and is forgotten. */
static inline void client_leave(struct rpc_worker *worker, int fd)
{
    close(fd);
    while (worker->net->conns != NULL || worker->calls != NULL)
        uv_run(loop_uv(worker->loop), UV_RUN_ONCE);
    if (atomic_load(&worker->net->conn_count) != 0)
        abort();
}

#endif
