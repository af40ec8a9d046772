#ifndef PRBAL_RPC_CHANNEL_H
#define PRBAL_RPC_CHANNEL_H

#include "rpc/call.h"
#include "rpc/compress.h"

/* The client: calls to another gRPC server, made on coroutines.
 *
 *     rpc_status s = rpc_channel_call(call, channel, &method, &req, &res,
 * NULL);
 *
 * A channel belongs to one loop and keeps one HTTP/2 connection, more when the
 * server's MAX_CONCURRENT_STREAMS is reached.  It connects when it is first
 * needed, again when a connection was lost, and goes to sleep after a time
 * without calls.
 *
 *   idle -> connecting -> ready -> (lost, GOAWAY, idle_ms) -> idle
 *              |  ^
 *              v  | 1 s, then 1.6 times as long each time, at most 120 s
 *           backing off
 *
 * A call that the server has certainly not seen is sent again by itself: its
 * connection was lost before it left, GOAWAY named an earlier stream, or the
 * stream was refused (once).  Nothing else is sent twice unless the caller
 * allows it (retries_max). */
struct rpc_channel;

/* TLS 1.2 or newer, ALPN h2, the server's name verified.  NULL as told. */
struct rpc_channel_tls {
    const char *ca_path;          /* PEM; NULL = the system's authorities */
    const char *server_name;      /* NULL = the target's host */
    const char *certificate_path; /* our own, PEM with its chain; NULL = none */
    const char *key_path;
};

/* 0 and NULL take the default named beside them.  Texts are copied. */
struct rpc_channel_options {
    const char *target; /* "HOST:PORT", "[V6]:PORT" or "unix:/path" */
    const struct rpc_channel_tls *tls; /* NULL = clear text */
    const char *authority;             /* server_name, else the target */
    const char *user_agent;            /* "prbal" */
    /* Metadata of answers that later calls send back, unless they name it
     * themselves: of all that came, the greatest as text
     * ("prbal-read-after").  At most RPC_CHANNEL_ECHO_BYTES_MAX of it; NULL =
     * none. */
    const char *echoes;

    uint32_t message_bytes_max;  /* 4 MiB: of one response message, inflated */
    uint32_t header_bytes_max;   /* 16 KiB: of a response's header block */
    uint32_t window_bytes;       /* 64 KiB: what a stream may send unread */
    uint32_t connections_max;    /* 4 */
    uint32_t waiting_max;        /* 10,000 calls without a connection */
    uint32_t connect_timeout_ms; /* 20,000: TCP, TLS and SETTINGS together */
    uint32_t backoff_min_ms;     /* 1,000 */
    uint32_t backoff_max_ms;     /* 120,000 */
    uint32_t idle_ms;            /* 1,800,000 without a call, then it closes */
    /* A PING after so much silence while calls are open; 0 = none.  Servers
     * commonly end connections that ping more often than every 5 minutes;
     * below RPC_CHANNEL_KEEPALIVE_MS_MIN is raised to it. */
    uint32_t keepalive_ms;
    uint32_t keepalive_timeout_ms; /* 20,000 to answer it */
};
enum {
    RPC_CHANNEL_KEEPALIVE_MS_MIN = 10000,
    RPC_CHANNEL_ECHO_BYTES_MAX = 255,
};

/* Connects nowhere yet.  NULL with a sentence in error[error_size] when the
 * target or a file will not do.  On the loop's thread, as all that follows. */
struct rpc_channel *rpc_channel_create(
    struct loop *loop, const struct rpc_channel_options *options, char *error,
    size_t error_size);

/* Its calls end with CANCELLED.  Does not suspend; accepts NULL. */
void rpc_channel_destroy(struct rpc_channel *channel);

/* --- one call ------------------------------------------------------------- */

/* Request metadata, under the rules of rpc_set_header(): a "-bin" value is any
 * bytes.  size 0 = up to the value's NUL. */
struct rpc_channel_metadata {
    const char *name;
    const void *value;
    size_t size;
};

/* All zeros, or NULL for the whole, is the common case. */
struct rpc_channel_call_options {
    const struct rpc_channel_metadata *metadata; /* ends with a row of zeros */
    /* The call ends after this, or at the calling call's own deadline, which
     * the server is told of.  0 = only the latter. */
    int64_t timeout_ms;
    /* Without: UNAVAILABLE at once while the server cannot be reached. */
    bool wait_for_ready;
    encoding encoding;           /* of request messages; 0 = as they are */
    uint32_t response_bytes_max; /* of one message; 0 = the channel's */
    /* How often a call that failed as UNAVAILABLE before any response came may
     * be made again.  Only for what may be done twice. */
    uint32_t retries_max;
    /* Filled when the call is over, and its headers when they came; outlives
     * the call. */
    struct rpc_channel_reply *reply;
};

/* What came with the answer; lives in call->arena. */
struct rpc_channel_reply {
    const struct rpc_field *headers;  /* rpc_channel_field() */
    const struct rpc_field *trailers; /* all of it, when nothing else came */
    const uint8_t *details; /* encoded google.rpc.Status; size 0 = none */
    size_t details_size;
    const char *peer;    /* "127.0.0.1:50051"; "" = it never left */
    uint32_t attempts;   /* how often it was sent */
    bool was_compressed; /* the last message that was taken */
};

/* A piece of metadata, "-bin" decoded; NULL when there is none.  Its size goes
 * to *size when that is not NULL. */
const char *rpc_channel_field(const struct rpc_field *fields, const char *name,
                              size_t *size);

/* The calls below are made on `call`'s coroutine, carry its request id and
 * trace on, and are cancelled at the server when it ends: they then answer
 * call->ended. */

/* Unary.  Suspends.  `response` is the address of a message pointer, which
 * points into call->arena afterwards, and is NULL unless the status is OK. */
rpc_status rpc_channel_call(struct rpc_call *call, struct rpc_channel *channel,
                            const struct rpc_method *method,
                            const void *request, void *response,
                            const struct rpc_channel_call_options *options);

/* --- streams -------------------------------------------------------------- */

/*     struct rpc_channel_stream *stream =
 *         rpc_channel_open(call, channel, &method, NULL);
 *     TRY(rpc_channel_send(stream, &req));
 *     rpc_channel_half_close(stream);
 *     for (;;) {
 *         TRY(rpc_channel_recv(stream, &message));
 *         if (message == NULL)
 *             break;
 *     }
 *     return rpc_channel_finish(stream);
 *
 * Every kind of method can be called this way.  A stream lives in call->arena,
 * and one that is not finished is cancelled when `call` ends. */
struct rpc_channel_stream;

/* Does not suspend and never fails: what is wrong comes with the first use. */
struct rpc_channel_stream *rpc_channel_open(
    struct rpc_call *call, struct rpc_channel *channel,
    const struct rpc_method *method,
    const struct rpc_channel_call_options *options);

/* Suspends while more than RPC_CHANNEL_OUT_BYTES_MAX wait for the server's
 * window.  After the server has ended the call: its status; OK, and the message
 * is dropped, when that was OK. */
enum { RPC_CHANNEL_OUT_BYTES_MAX = 256 * 1024 };
rpc_status rpc_channel_send(struct rpc_channel_stream *stream,
                            const void *message);

/* The same for a message that is encoded already.  Copied. */
rpc_status rpc_channel_send_bytes(struct rpc_channel_stream *stream,
                                  const void *bytes, size_t size);

/* Whether messages from now on are compressed, where options.encoding is set;
 * until this is called they are. */
void rpc_channel_set_compression(struct rpc_channel_stream *stream, bool on);

/* No more messages from us. */
void rpc_channel_half_close(struct rpc_channel_stream *stream);

/* Suspends until the response headers or the end came. */
rpc_status rpc_channel_wait_headers(struct rpc_channel_stream *stream);

/* Suspends until a message came, and points *message at it; it lives until the
 * next rpc_channel_recv() of this stream.  NULL when there are no more and the
 * status is OK.  The one response of a method that does not stream comes when
 * the status has come, and only if that is OK. */
rpc_status rpc_channel_recv(struct rpc_channel_stream *stream, void *message);

/* Half-closes, drops what is not received yet, and suspends until the status
 * came.  The stream is gone afterwards. */
rpc_status rpc_channel_finish(struct rpc_channel_stream *stream);

/* RST_STREAM(CANCEL), unless it is over.  rpc_channel_finish() then tells
 * CANCELLED. */
void rpc_channel_cancel(struct rpc_channel_stream *stream);

#endif
