#ifndef PRBAL_RPC_HTTP_H
#define PRBAL_RPC_HTTP_H

#include "rpc/conn.h"

#include <string.h>

/* The seam between HTTP and the wires: what a request and its response are,
 * whatever version of HTTP carries them.
 *
 *   rpc/h2*.c           HTTP/2: makes streams, implements struct http_ops
 *   rpc/http.c          what the versions share: the body on its way out
 *   rpc/grpc*.c,        the wires, struct http_wire: gRPC, gRPC-Web, and what
 *   rpc/plain.c         is no call
 *
 *   wire->request -> data... -> half_closed             (the peer speaks)
 *   http_respond -> { http_reserve, http_commit }... -> http_end_body
 *                                     -> [wire->drained -> http_send_trailers]
 *   wire->closed, once and last, however the exchange ends
 *
 * Everything happens on the connection's loop. */

/* --- the request's header fields --- */

/* Texts end with a NUL, names are in lower case.  The pseudo-header fields
 * :method, :path, :scheme and :authority come first (RFC 9113 8.3.1); HTTP/1.1
 * fills them from its request line and Host. */
struct http_field {
    const char *name;
    const char *value;
    uint32_t name_size;
    uint32_t value_size;
};

enum {
    HTTP_FIELDS_MAX = 200,
    HTTP_FIELD_OVERHEAD_BYTES = 32,      /* RFC 9113 6.5.2 */
    HTTP_HEADER_BYTES_FATAL = 64 * 1024, /* decoding more is an attack */
};

/* In the order of arrival. */
struct http_fields {
    size_t count; /* stored */
    size_t seen;
    size_t list_bytes; /* as RFC 9113 6.5.2 counts */
    bool is_too_large; /* some were not stored */
    bool is_request;   /* else trailers, which are only counted */
    size_t bytes_used, bytes_capacity;
    char *bytes;
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* Inline, so that the size of a literal is known while compiling: these run
 * for every field of every call. */
static inline bool http_field_is(const struct http_field *field,
                                 const char *name)
{
    size_t size = strlen(name);
    return field->name_size == size && memcmp(field->name, name, size) == 0;
}

static inline const struct http_field *http_field_find(
    const struct http_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (http_field_is(&fields->fields[i], name))
            return &fields->fields[i];
    return NULL;
}

/* Sets conn->fields, empty; and gives them back. */
struct http_fields *http_fields_take(struct conn *conn);
void http_fields_give(struct conn *conn);
void http_fields_free(struct pool *pool, struct http_fields *fields);
/* The caller has checked the limits. */
void http_fields_add(struct http_fields *fields, const uint8_t *name,
                     size_t name_size, const uint8_t *value, size_t value_size);

/* --- the response's header fields --- */

enum {
    HTTP_STATIC = 6,    /* both texts outlive the connection: not copied */
    HTTP_UNINDEXED = 1, /* kept in no compression table, ours or a proxy's */
};

/* ":status" comes first.  Names are in lower case; the texts are not looked at
 * after the call that takes them, but for those of HTTP_STATIC.  The layout and
 * the numbers above are nghttp2_nv's (rpc/h2_stream.c), so that none is copied.
 */
struct http_header {
    const char *name;
    const char *value;
    size_t name_size;
    size_t value_size;
    uint8_t flags;
};

/* For literals. */
#define HTTP_HEADER(n, v)                                      \
    {                                                          \
        .name = (n), .value = (v), .name_size = sizeof(n) - 1, \
        .value_size = sizeof(v) - 1, .flags = HTTP_STATIC,     \
    }

/* --- an exchange --- */

struct http_stream;

/* What is to become of a request's bytes: chosen by wire_choose(). */
struct http_wire {
    /* The header fields are complete; `fields` are gone afterwards. */
    void (*request)(struct http_stream *stream,
                    const struct http_fields *fields);
    /* Body bytes: http_consumed() gives each byte's window back, now or later.
     */
    void (*data)(struct http_stream *stream, const uint8_t *bytes, size_t size);
    void (*half_closed)(struct http_stream *stream);
    /* All of the body went out and http_end_body() was called: send trailers.
     * NULL: the body's end is the response's. */
    void (*drained)(struct http_stream *stream);
    /* Fewer body bytes are queued. */
    void (*writable)(struct http_stream *stream);
    /* The peer or the connection is gone, or all was said: let go of the call,
     * free what the wire holds. */
    void (*closed)(struct http_stream *stream);
    /* The call whose handler works on it, so that the slot stays taken. */
    struct rpc_call *(*running_call)(const struct http_stream *stream);
    size_t stream_bytes; /* of the wire's struct, which begins with
                            http_stream */
    /* Its clients are of HTTP in general and read an answer when they have sent
     * all: a reset behind an early answer would take it from them. */
    bool reads_late;
};

/* What a version of HTTP does for the wires; they use the functions below. */
struct http_ops {
    bool has_trailers; /* always, whatever the client said */

    void (*respond)(struct http_stream *stream,
                    const struct http_header *fields, size_t count,
                    bool with_body);
    /* The body has grown, or its end is known. */
    void (*body_changed)(struct http_stream *stream);
    void (*send_trailers)(struct http_stream *stream,
                          const struct http_header *fields, size_t count);
    void (*consumed)(struct http_stream *stream, size_t bytes);
    size_t (*header_bytes_max)(const struct http_stream *stream);
    void (*message_received)(struct http_stream *stream);
    /* Ends it without an answer, soon: there is no memory for one. */
    void (*abort)(struct http_stream *stream);
};

/* What waits for the peer: bytes[start..end), charged to the worker's memory
 * budget. */
struct http_body {
    uint8_t *bytes;
    size_t start, end, capacity;
    size_t charged_bytes;
};

/* A peer that takes less than this of what waits, within stall_ms, is as one
 * that takes nothing: 35 bytes a second by default, less than any telephone. */
enum { HTTP_PROGRESS_BYTES = 1024 };

/* Made by the version of HTTP, inside an object of its own.  Wires read the
 * first four and the flags. */
struct http_stream {
    struct rpc_transport transport; /* first: rpc/transport.h */
    const struct http_wire *wire;
    const struct http_ops *ops;
    struct conn *conn;
    struct http_body body;
    int64_t message_us;  /* since when one is arriving; 0 = none is */
    int64_t progress_us; /* the peer took HTTP_PROGRESS_BYTES of the body, or
                            all there was */
    uint16_t progress_bytes; /* taken since */
    bool is_remote_closed;
    bool is_starved;    /* its body does not fit the memory budget */
    bool is_responded;  /* response headers are sent */
    bool is_body_ended; /* nothing will be added to the body */
    bool is_finished;   /* the end is sent, or nobody listens any more */
    bool is_answered;   /* the end is sent */
};

static inline struct pool *http_pool(const struct http_stream *stream)
{
    return stream->conn->net->pool;
}

static inline struct rpc_worker *http_worker(const struct http_stream *stream)
{
    return stream->conn->net->worker;
}

/* rpc_transport_begin(), with what the connection knows of its peer. */
struct rpc_head *http_begin_call(struct http_stream *stream);

/* Response headers, once; without a body they are the last thing. */
static inline void http_respond(struct http_stream *stream,
                                const struct http_header *fields, size_t count,
                                bool with_body)
{
    stream->is_responded = true;
    stream->ops->respond(stream, fields, count, with_body);
}

/* Room at the end of the body, and what of it was used.  When the memory budget
 * is spent the stream is reset soon after. */
uint8_t *http_reserve(struct http_stream *stream, size_t size);
void http_commit(struct http_stream *stream, size_t size);

static inline size_t http_queued(const struct http_stream *stream)
{
    return stream->body.end - stream->body.start;
}

/* What of the body has not been taken is dropped: before http_respond(). */
void http_discard_body(struct http_stream *stream);

/* wire->drained() is called when the body is out. */
void http_end_body(struct http_stream *stream);

/* From wire->drained(). */
static inline void http_send_trailers(struct http_stream *stream,
                                      const struct http_header *fields,
                                      size_t count)
{
    stream->ops->send_trailers(stream, fields, count);
}

/* Gives the stream's window back; the connection's came back on arrival. */
static inline void http_consumed(struct http_stream *stream, size_t bytes)
{
    if (bytes > 0 && !stream->is_remote_closed)
        stream->ops->consumed(stream, bytes);
}

/* The largest header list that the peer will take. */
static inline size_t http_header_bytes_max(const struct http_stream *stream)
{
    return stream->ops->header_bytes_max(stream);
}

/* The first byte of one did. */
static inline void http_message_begins(struct http_stream *stream)
{
    stream->message_us = conn_now_us(stream->conn);
}

/* A whole message of the wire arrived: small frames were no attack.  Its size
 * is without framing, before it is inflated. */
static inline void http_message_received(struct http_stream *stream,
                                         size_t wire_size)
{
    rpc_transport_count_received(&stream->transport, wire_size);
    stream->message_us = 0;
    stream->ops->message_received(stream);
    stream->conn->counts.messages_received++;
    stream->conn->counts.received_us = conn_now_us(stream->conn);
}

/* A whole message of the wire was committed, of this size likewise. */
static inline void http_message_sent(struct http_stream *stream,
                                     size_t wire_size)
{
    rpc_transport_count_sent(&stream->transport, wire_size);
    stream->conn->counts.messages_sent++;
    stream->conn->counts.sent_us = conn_now_us(stream->conn);
}

/* --- for the versions of HTTP --- */

/* `stream` is zeroed, of wire->stream_bytes. */
void http_stream_init(struct http_stream *stream, struct conn *conn,
                      const struct http_wire *wire, const struct http_ops *ops);

/* The end of the response is sent. */
void http_answered(struct http_stream *stream);

/* wire->closed(), and frees the body; the stream's memory is the caller's.  A
 * handler that still runs is counted in conn->orphan_count until it ends. */
void http_stream_finish(struct http_stream *stream);

/* The wire's request(), and the end of it when no body follows. */
void http_begin(struct http_stream *stream, const struct http_fields *fields,
                bool is_remote_closed);
void http_half_close(struct http_stream *stream);

/* Ends the call when the message that is arriving takes too long.  `may_send`
 * tells whether the client was allowed to send: it is not its fault when not.
 */
void http_sweep_message(struct http_stream *stream, bool may_send,
                        int64_t at_us);

/* Moves up to `size` bytes of the body to `bytes`; returns how many.  When the
 * last ones are taken and more may follow, the wire is told. */
size_t http_take_body(struct http_stream *stream, uint8_t *bytes, size_t size);

#endif
