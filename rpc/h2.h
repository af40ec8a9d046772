#ifndef PRBAL_RPC_H2_H
#define PRBAL_RPC_H2_H

#include "rpc/h2_session.h"
#include "rpc/http.h"

#include <stddef.h>

/* HTTP/2 on a connection.  Callbacks of nghttp2 only note, queue and wake;
 * handlers run on their coroutines, later in the pass. */

/* --- for rpc/conn.c --- */

void h2_worker_start(struct rpc_net_worker *net);
void h2_worker_stop(struct rpc_net_worker *net);

/* GOAWAY with this reason as debug data; the connection ends when it is out. */
void h2_refuse(struct conn *conn, struct guard_verdict verdict);

/* --- between the files of h2 --- */

/* One object with the wire's struct, which begins with a struct http_stream and
 * lies behind. */
struct h2_stream {
    struct h2_stream *next, *previous; /* of the connection */
    int32_t id;
    bool is_deferred; /* nghttp2 waits until the body has changed */
    _Alignas(max_align_t) unsigned char http[];
};

extern const struct http_ops h2_ops; /* what wires see */

static inline struct http_stream *h2_http(struct h2_stream *stream)
{
    return (struct http_stream *)stream->http;
}

struct h2_stream *h2_stream_create(struct conn *conn,
                                   const struct http_wire *wire, int32_t id);
void h2_stream_destroy(struct h2_stream *stream);

/* RST_STREAM from the application's side, which the guard does not count. */
void h2_reset(struct h2_stream *stream, uint32_t error_code);

#endif
