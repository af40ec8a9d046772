#ifndef PRBAL_RPC_TRANSPORT_H
#define PRBAL_RPC_TRANSPORT_H

#include "rpc/call.h"

/* What lies between a call and its wire.  The call (rpc/call.c) knows nothing
 * of HTTP/2, gRPC-Web, Connect or JSON framing; a transport knows nothing of
 * methods, deadlines and handlers.  One transport object is one stream on one
 * connection; it begins with struct rpc_transport and is its wire's own.
 *
 *   begin -> add_metadata... -> open -> message... -> half_close
 *                                |
 *              refused: finish() was called, nothing follows
 *
 * Everything happens on the connection's loop.  The two sides let go of each
 * other once, either by ops->finish() (the call has spoken its last word) or by
 * rpc_transport_lost() (the peer is gone); afterwards `call` and `tail` are
 * NULL and the functions below do nothing. */
typedef enum { RPC_CODEC_PROTO, RPC_CODEC_JSON, RPC_CODEC_COUNT } rpc_codec;

struct rpc_transport {
    const struct rpc_transport_ops *ops;
    struct rpc_call *call; /* set by rpc_transport_begin() */
    struct rpc_tail *tail; /* after rpc_detach() */
    rpc_codec codec;       /* of messages on this stream, both ways */

    /* Where the wire has compression: */
    bool was_compressed; /* set by the wire before rpc_transport_message() */
    bool sends_plain;    /* set by the call: what follows is not compressed */
};

struct memory_share;
struct rpc_worker;

/* What a request says before its body.  The transport fills it between begin
 * and open; texts live at least as long as the call (its arena is a good
 * place, a connection's own texts too). */
struct rpc_head {
    const char *path; /* any bytes; compared, never parsed */
    size_t path_size;
    int64_t timeout_us;         /* the client's; -1 = it named none */
    const char *peer;           /* "127.0.0.1:4711" */
    const char *peer_identity;  /* of its certificate, or NULL */
    struct memory_share *share; /* that its memory is counted to, or NULL */
    uint64_t peer_key; /* the same for one IPv4 address or one IPv6 /64 */
    uint32_t roles; /* what the connection alone proves; as rpc_caller.roles */
    struct rpc_field *metadata; /* by rpc_transport_add_metadata() */
    struct rpc_field **metadata_end;
};

/* The last word of a call.  Valid during finish() only. */
struct rpc_answer {
    rpc_code code;
    const char *message;    /* UTF-8, NULL = none */
    const uint8_t *details; /* encoded google.rpc.Status; size 0 = none */
    size_t details_size;
    const struct rpc_field *headers; /* for when headers() was not called */
    const struct rpc_field *trailers;
};

struct rpc_transport_ops {
    const char *name; /* "grpc", for the log */

    /* Sends the response headers.  At most once, before the first message;
     * when it was not called, finish() sends headers and trailers as one. */
    void (*headers)(struct rpc_transport *transport,
                    const struct rpc_field *headers);

    /* Room for one encoded message of `size` bytes, without any framing.  The
     * call writes it at once and commits; nothing happens in between. */
    uint8_t *(*reserve)(struct rpc_transport *transport, size_t size);
    void (*commit)(struct rpc_transport *transport, size_t size);

    /* Bytes of messages that wait for the peer's window or socket.  When they
     * have become fewer the transport calls rpc_transport_writable(). */
    size_t (*queued)(const struct rpc_transport *transport);

    /* `window_bytes` of an earlier message have been taken by the handler: the
     * peer may send as much again. */
    void (*consumed)(struct rpc_transport *transport, size_t window_bytes);

    /* Sends the status, after everything that is queued.  Copies what it
     * needs.  May free the transport. */
    void (*finish)(struct rpc_transport *transport,
                   const struct rpc_answer *answer);
};

/* Takes a call for this stream and returns its head, zeroed but for
 * timeout_us = -1; transport->call is set and has its arena. */
struct rpc_head *rpc_transport_begin(struct rpc_transport *transport,
                                     struct rpc_worker *worker);

/* Copies both texts into the call's arena. */
void rpc_transport_add_metadata(struct rpc_transport *transport,
                                const char *name, size_t name_size,
                                const char *value, size_t value_size);

/* The header-time gate.  False when the call was refused: finish() has then
 * been called already, and no body should be granted a window. */
bool rpc_transport_open(struct rpc_transport *transport);

/* The largest message, inflated, that this call takes: for checking the length
 * prefix before anything is allocated. */
size_t rpc_transport_message_bytes_max(const struct rpc_transport *transport);

/* One whole message, inflated and without framing.  The bytes may go when this
 * returns.  `window_bytes` come back through ops->consumed(), now or later. */
void rpc_transport_message(struct rpc_transport *transport, const void *bytes,
                           size_t size, size_t window_bytes);

/* What a message took on the wire, compressed and without framing: one that
 * arrived, before rpc_transport_message(), and one that was committed.  For the
 * metrics. */
void rpc_transport_count_received(struct rpc_transport *transport, size_t size);
void rpc_transport_count_sent(struct rpc_transport *transport, size_t size);

/* The client will send no more. */
void rpc_transport_half_close(struct rpc_transport *transport);

/* The wire cannot go on, but the peer can be told: a truncated message, an
 * unknown encoding.  `message` is copied. */
void rpc_transport_fail(struct rpc_transport *transport, rpc_code code,
                        const char *message);

/* The same, for want of memory: the peer hears when to try again. */
void rpc_transport_starve(struct rpc_transport *transport);

/* The peer is gone or has cancelled.  No op is called any more. */
void rpc_transport_lost(struct rpc_transport *transport, rpc_code code,
                        const char *message);

/* The connection is to end and takes no more calls: this one should come to an
 * end of its own (rpc_is_draining()). */
void rpc_transport_drain(struct rpc_transport *transport);

/* Fewer bytes are queued than before. */
void rpc_transport_writable(struct rpc_transport *transport);

#endif
