#include "rpc/socket.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void socket_tune(const struct socket *socket, int family, uint32_t timeout_ms)
{
    if (family == AF_UNIX)
        return;
    int on = 1;
    unsigned timeout = timeout_ms;
    setsockopt(socket->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
               sizeof timeout);
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

tls_result socket_read(struct socket *socket, uint8_t *bytes, size_t size,
                       size_t *count)
{
    if (socket->tls != NULL)
        return tls_read(socket->tls, bytes, size, count);
    ssize_t got = recv(socket->fd, bytes, size, 0);
    if (got > 0) {
        *count = (size_t)got;
        return TLS_DONE;
    }
    return got < 0 && is_passing(errno) ? TLS_WANT_READ : TLS_CLOSED;
}

bool socket_has_pending(const struct socket *socket)
{
    return socket->tls != NULL && tls_has_pending(socket->tls);
}

static tls_result send_once(struct socket *socket, const uint8_t *bytes,
                            size_t size, size_t *count)
{
    if (socket->tls != NULL)
        return tls_write(socket->tls, bytes, size, count);
    ssize_t put = send(socket->fd, bytes, size, MSG_NOSIGNAL);
    *count = put > 0 ? (size_t)put : 0;
    if (put >= 0)
        return TLS_DONE;
    return is_passing(errno) ? TLS_WANT_WRITE : TLS_CLOSED;
}

tls_result socket_send(struct socket *socket, const uint8_t *bytes, size_t size,
                       size_t *sent)
{
    for (*sent = 0; *sent < size;) {
        size_t count;
        tls_result result =
            send_once(socket, bytes + *sent, size - *sent, &count);
        if (result != TLS_DONE)
            return result;
        *sent += count;
    }
    return TLS_DONE;
}

void socket_keep(struct socket *socket, struct pool *pool, const uint8_t *bytes,
                 size_t size)
{
    assert(socket->rest == NULL);
    socket->rest = pool_alloc(pool, size);
    memcpy(socket->rest, bytes, size);
    socket->rest_size = size;
    socket->rest_sent = 0;
}

static void forget_rest(struct socket *socket, struct pool *pool)
{
    pool_free(pool, socket->rest);
    socket->rest = NULL;
}

tls_result socket_send_rest(struct socket *socket, struct pool *pool,
                            size_t *sent)
{
    *sent = 0;
    if (socket->rest == NULL)
        return TLS_DONE;
    tls_result result =
        socket_send(socket, socket->rest + socket->rest_sent,
                    socket->rest_size - socket->rest_sent, sent);
    socket->rest_sent += *sent;
    if (result == TLS_DONE)
        forget_rest(socket, pool);
    return result;
}

void socket_close(struct socket *socket, struct pool *pool)
{
    tls_destroy(socket->tls);
    socket->tls = NULL;
    forget_rest(socket, pool);
    close(socket->fd);
    socket->fd = -1;
}
