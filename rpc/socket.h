#ifndef PRBAL_RPC_SOCKET_H
#define PRBAL_RPC_SOCKET_H

#include "rpc/pool.h"
#include "rpc/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one read or write takes at most: loops have one buffer for each, so that
 * an idle socket owns none.  The slack is for the frame that crosses the line.
 */
enum {
    SOCKET_INPUT_BYTES = 64 * 1024,
    SOCKET_OUTPUT_BYTES = 64 * 1024,
    SOCKET_OUTPUT_SLACK_BYTES = 32 * 1024,
};

/* A stream socket that does not block, in clear text or under TLS, with what it
 * could not take yet: a server's connection (rpc/conn.c) or a channel's
 * (rpc/channel_link.c). */
struct socket {
    int fd;
    struct tls *tls; /* NULL in clear text */
    uint8_t *rest;   /* kept by socket_keep(), not sent; NULL when none is */
    size_t rest_size, rest_sent;
};

/* Small writes go out at once, since they are gathered already; a peer that
 * vanished without a word is noticed by unacknowledged data (gRFC A18).  Unix
 * sockets have neither. */
void socket_tune(const struct socket *socket, int family, uint32_t timeout_ms);

/* DONE with *count > 0, or why not; never FAILED in clear text. */
tls_result socket_read(struct socket *socket, uint8_t *bytes, size_t size,
                       size_t *count);

/* Whether there is something to read that no event tells of. */
bool socket_has_pending(const struct socket *socket);

/* DONE when all of it is sent, WANT_READ or WANT_WRITE when the socket is full,
 * else it is gone.  *sent is how much it took, whatever comes back. */
tls_result socket_send(struct socket *socket, const uint8_t *bytes, size_t size,
                       size_t *sent);

/* Copies what could not be sent.  There must be no other rest. */
void socket_keep(struct socket *socket, struct pool *pool, const uint8_t *bytes,
                 size_t size);

/* As socket_send(), of the rest; DONE when there is none. */
tls_result socket_send_rest(struct socket *socket, struct pool *pool,
                            size_t *sent);

/* Closes it and forgets the rest. */
void socket_close(struct socket *socket, struct pool *pool);

#endif
