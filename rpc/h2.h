#ifndef PRBAL_RPC_H2_H
#define PRBAL_RPC_H2_H

#include "rpc/conn.h"

#include <stdlib.h>
#include <string.h>

/* HTTP/2 on a connection.  Callbacks of nghttp2 only note, queue and wake;
 * handlers run on their coroutines, later in the pass. */

/* --- for rpc/conn.c --- */

void h2_worker_start(struct rpc_net_worker *net);
void h2_worker_stop(struct rpc_net_worker *net);

void h2_open(struct conn *conn);
/* Streams are lost, the session freed.  Also without h2_open(). */
void h2_close(struct conn *conn);

/* Bytes from the client.  False when the connection must be closed at once. */
bool h2_receive(struct conn *conn, const uint8_t *bytes, size_t size);

/* Fills up to `size` bytes, or one frame more, for the socket. */
size_t h2_fill(struct conn *conn, uint8_t *bytes, size_t size);

/* True when there is nothing left to send or to receive. */
bool h2_is_over(const struct conn *conn);

/* Too many frames wait behind a blocked socket to read for more. */
bool h2_is_flooded(const struct conn *conn);

/* Keepalive, idle time, stalled streams, the second step of the drain. */
void h2_sweep(struct conn *conn, int64_t now_us);

/* GOAWAY with this reason as debug data; the connection ends when it is out. */
void h2_refuse(struct conn *conn, struct guard_verdict verdict);

/* Begins the two-step GOAWAY. */
void h2_drain_begin(struct conn *conn, const char *reason);

/* --- between the files of h2 --- */

struct h2_stream;
struct h2_wire;

/* nghttp2 fails by memory, which ends the process, or because a stream or the
 * session is going, which its close callback will tell. */
static inline void h2_check(int outcome)
{
    if (outcome == NGHTTP2_ERR_NOMEM)
        abort();
}

struct h2_fields *h2_fields_take(struct conn *conn);
void h2_fields_give(struct conn *conn);
void h2_fields_free(struct pool *pool, struct h2_fields *fields);
/* The caller has checked the limits. */
void h2_fields_add(struct h2_fields *fields, const uint8_t *name,
                   size_t name_size, const uint8_t *value, size_t value_size);

struct h2_stream *h2_stream_create(struct conn *conn,
                                   const struct h2_wire *wire, int32_t id);
void h2_stream_destroy(struct h2_stream *stream);

/* --- for the wires above --- */

/* The fields of a request, in order, pseudo-header fields among them. */
struct h2_field {
    const char *name; /* NUL-terminated, lower case */
    const char *value;
    uint32_t name_size;
    uint32_t value_size;
};

enum {
    H2_FIELDS_MAX = 200,
    H2_FIELD_OVERHEAD_BYTES = 32,      /* RFC 9113 6.5.2 */
    H2_HEADER_BYTES_FATAL = 64 * 1024, /* decoding more is an attack */
};

struct h2_fields {
    size_t count; /* stored */
    size_t seen;
    size_t list_bytes; /* as RFC 9113 6.5.2 counts */
    bool is_too_large; /* some were not stored */
    bool is_request;   /* else trailers, which are only counted */
    size_t bytes_used, bytes_capacity;
    char *bytes;
    struct h2_field fields[H2_FIELDS_MAX];
};

/* Inline, so that the size of a literal is known while compiling: these run
 * for every field of every call. */
static inline bool h2_field_is(const struct h2_field *field, const char *name)
{
    size_t size = strlen(name);
    return field->name_size == size && memcmp(field->name, name, size) == 0;
}

static inline const struct h2_field *h2_field_find(
    const struct h2_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (h2_field_is(&fields->fields[i], name))
            return &fields->fields[i];
    return NULL;
}

/* What is to become of a stream's bytes.  Chosen by content type. */
struct h2_stream;
struct h2_wire {
    /* The header block is complete; `fields` are gone afterwards. */
    void (*request)(struct h2_stream *stream, const struct h2_fields *fields);
    /* Body bytes: h2_consumed() gives each byte's window back, now or later. */
    void (*data)(struct h2_stream *stream, const uint8_t *bytes, size_t size);
    void (*half_closed)(struct h2_stream *stream);
    /* All of the body went out and h2_end_body() was called: submit trailers.
     */
    void (*drained)(struct h2_stream *stream);
    /* Fewer body bytes are queued. */
    void (*writable)(struct h2_stream *stream);
    /* The peer or the connection is gone: let go of the call, free the rest of
     * what the wire holds. */
    void (*closed)(struct h2_stream *stream);
    /* Whether a handler works on it, so that the slot stays taken. */
    struct rpc_call *(*running_call)(const struct h2_stream *stream);
    size_t stream_bytes; /* of the wire's struct, which begins with h2_stream */
};

/* Messages that wait for the window: bytes[start..end). */
struct h2_body {
    uint8_t *bytes;
    size_t start, end, capacity;
    size_t charged_bytes; /* of the worker's memory budget */
};

struct h2_stream {
    struct rpc_transport transport; /* first: rpc/transport.h */
    const struct h2_wire *wire;
    struct conn *conn;
    struct h2_stream *next, *previous; /* of the connection */
    struct h2_body body;
    int64_t progress_us; /* the peer took some of the body */
    int32_t id;
    bool is_remote_closed;
    bool is_responded;  /* response headers are submitted */
    bool is_body_ended; /* nothing will be added to the body */
    bool is_deferred;   /* nghttp2 waits for h2_resume() */
    bool is_finished;   /* END_STREAM is submitted or the stream was reset */
};

/* Response headers; `with_body` false makes them the last thing. */
void h2_respond(struct h2_stream *stream, const nghttp2_nv *fields,
                size_t count, bool with_body);

/* Room at the end of the body, and what of it was used. */
uint8_t *h2_reserve(struct h2_stream *stream, size_t size);
void h2_commit(struct h2_stream *stream, size_t size);
size_t h2_queued(const struct h2_stream *stream);

/* wire->drained() is called when the body is out. */
void h2_end_body(struct h2_stream *stream);
void h2_send_trailers(struct h2_stream *stream, const nghttp2_nv *fields,
                      size_t count);

/* Gives the stream's window back; the connection's came back on arrival. */
void h2_consumed(struct h2_stream *stream, size_t bytes);

/* RST_STREAM from the application's side, which the guard does not count. */
void h2_reset(struct h2_stream *stream, uint32_t error_code);

/* The largest header list that the peer will take. */
size_t h2_peer_header_bytes_max(const struct h2_stream *stream);

static inline struct pool *h2_pool(const struct h2_stream *stream)
{
    return stream->conn->net->pool;
}

#endif
