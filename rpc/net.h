#ifndef PRBAL_RPC_NET_H
#define PRBAL_RPC_NET_H

#include "rpc/compress.h"
#include "rpc/guard.h"
#include "rpc/metrics.h"
#include "rpc/peers.h"
#include "rpc/pool.h"
#include "rpc/server_internal.h"
#include "rpc/socket.h"
#include "rpc/tls.h"

#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>

/* The network side of a server, as its own files see it:
 *
 *   rpc/listener.c   addresses, and what each loop does for them
 *   rpc/accept.c     accepting, the caps on connections
 *   rpc/socket.c     a descriptor, its TLS, and what it did not take yet
 *   rpc/conn.c       one connection: what is spoken, bytes in, bytes out
 *   rpc/conn_sweep.c its time limits
 *   rpc/h2.c         one nghttp2 session: frames, streams, GOAWAY, pings
 *   rpc/h1.c         the same for HTTP/1.1: one request after another
 *   rpc/http.c       one exchange, whatever the version of HTTP (rpc/http.h)
 *   rpc/grpc.c       a wire on it: gRPC's headers, messages and trailers
 *
 * Each file knows the one below it and talks to the one above through few
 * functions.  rpc/grpc.c is a transport (rpc/transport.h). */

struct conn;
struct http_fields;

/* Why a connection was not taken, or was ended by us: a literal of few words
 * joined by "_".  For the metrics and, at debug level, the log. */
void net_count_ended(const char *reason, const char *peer);

/* The connections of one loop. */
struct rpc_net_worker {
    struct rpc_net_worker *next_stopped;
    struct rpc_worker *worker;
    struct rpc_net_server *server;
    struct pool *pool;
    struct compress *compress;
    struct conn *conns;
    struct conn *dirty;     /* have something to send in this pass */
    atomic_uint conn_count; /* with those still on their way here */
    uint32_t poll_handles;  /* not closed yet */
    struct loop_flush flush;
    struct loop_timer sweep; /* looks at every connection's time limits */
    bool draining;
    metric received_bytes, sent_bytes; /* the server's */
    uint32_t handshake_steps;          /* in this pass */

    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_mem memory;
    struct http_fields *spare_fields;

    /* Shared by all connections: an idle one owns no buffers. */
    uint8_t *input;
    uint8_t *output;
};

struct listener;

struct rpc_net_server {
    struct rpc_server *server;
    struct listener *listeners;
    struct peers *peers;
    uint32_t connections_max;
    atomic_uint connections;
    metric connections_gauge, crowded_count;
    atomic_uint handshakes;  /* connections that are not settled yet */
    atomic_bool is_crowded;  /* too many of them: nothing more is accepted */
    struct loop_timer again; /* the first worker's, while it is */
    struct tls_tickets *tickets;
    /* By index; NULL while that worker does not run. */
    struct rpc_net_worker *_Atomic *workers;
    int spare_fd; /* given up for a moment to refuse when fds have run out */

    pthread_mutex_t lock; /* of what follows, and of `workers` being made */
    /* Their loops have ended, but another one that accepts may still be looking
     * at how many connections they have: freed with the server. */
    struct rpc_net_worker *stopped;
    struct tls_identity *identity; /* for new connections */
};

/* The identity for a new connection: release it after use.  NULL without TLS.
 */
struct tls_identity *net_take_identity(struct rpc_net_server *server);

/* The sockets that are listened on are made before the server starts.  Writes
 * up to `room` of their ids; returns how many there are.  Any thread. */
size_t net_listener_ids(const struct rpc_server *server, int64_t *ids,
                        size_t room);
/* -1 for another id, or when it is closed already.  On the first loop. */
int net_listener_fd(const struct rpc_server *server, int64_t id);

/* A connection has done its handshakes, or is gone without. */
void net_settle(struct rpc_net_server *server);

/* A connection is gone: its place may be given to another. */
void net_leave(struct rpc_net_worker *net, uint64_t key);

#endif
