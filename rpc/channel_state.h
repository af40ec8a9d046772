#ifndef PRBAL_RPC_CHANNEL_STATE_H
#define PRBAL_RPC_CHANNEL_STATE_H

#include "rpc/address.h"
#include "rpc/call_state.h"
#include "rpc/channel.h"
#include "rpc/compress.h"
#include "rpc/envelope.h"
#include "rpc/http_block.h"
#include "rpc/loop.h"
#include "rpc/metrics.h"
#include "rpc/peers.h"
#include "rpc/pool.h"
#include "rpc/socket.h"
#include "rpc/tls_client.h"

#include <nghttp2/nghttp2.h>
#include <uv.h>

/* A channel, as its files see it:
 *
 *   rpc/channel_call.c      what callers use, on their coroutines
 *   rpc/channel_stream.c    one call: its attempts, its deadline, its end
 *   rpc/channel_request.c   what it sends: header block, messages
 *   rpc/channel_response.c  what it receives, and the status made of it
 *   rpc/channel.c           the calls without a connection, and who gets one
 *   rpc/channel_dial.c      names, addresses, back-off
 *   rpc/channel_link.c      one connection: socket, TLS, its time limits
 *   rpc/channel_h2.c        its nghttp2 session
 *   rpc/channel_shared.c    what all channels of a loop share
 *
 * Callbacks only note, queue and wake; callers run on their coroutines, later
 * in the pass. */

/* --- what all channels of a loop share --- */

struct channel_numbers {
    struct channel_numbers *next;
    const char *path;
    metric started;
    metric duration[RPC_CODE_COUNT]; /* METRIC_UNUSED until it is needed */
};

enum {
    CHANNEL_METHOD_BUCKETS = 64,
};

struct channel_shared {
    struct loop *loop;
    uint32_t users; /* channels and calls */
    struct loop_flush flush;
    struct channel_link *dirty; /* have something to send in this pass */
    struct pool *pool;
    struct compress *compress;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_mem memory;
    struct channel_numbers *methods[CHANNEL_METHOD_BUCKETS];
    /* An idle connection owns no buffers. */
    uint8_t *input;
    uint8_t *output;
};

/* For one more channel or call on this loop; and given back. */
struct channel_shared *channel_shared_take(struct loop *loop);
void channel_shared_give(struct channel_shared *shared);

/* Those of a method, made when it is first called. */
struct channel_numbers *channel_numbers_of(struct channel_shared *shared,
                                           const char *path);
void channel_numbers_ended(struct channel_numbers *numbers, rpc_code code,
                           int64_t duration_us);

struct channel_counters {
    metric connections, connected, connect_failures;
    metric retries_transparent, retries_policy;
};
const struct channel_counters *channel_counters(void);

/* --- a call --- */

typedef enum {
    CHANNEL_STREAM_WAITING, /* for a connection */
    CHANNEL_STREAM_OPEN,    /* on a connection */
    CHANNEL_STREAM_PAUSING, /* before the next attempt */
    CHANNEL_STREAM_OVER,    /* its status is final */
} channel_stream_phase;

struct channel_list {
    struct rpc_channel_stream *first, *last;
    uint32_t count;
};

/* Request messages with their prefixes: bytes[start..end) are still to be sent.
 * What is sent stays for another attempt while there may be one. */
struct channel_body {
    uint8_t *bytes;
    size_t start, end, capacity;
};

/* What has come of a response; forgotten between attempts. */
struct channel_response {
    bool has_begun; /* header block or data: the server has taken the call */
    bool has_headers;
    bool is_complete; /* END_STREAM came */
    encoding encoding;
    bool is_unreadable; /* the encoding is none of ours */
    bool is_grpc;
    bool is_too_large;
    bool is_last_block; /* the header block that is arriving ends the stream */
    int http_status;
    int grpc_status; /* -1 = none */
    const char *message;
    const uint8_t *details;
    size_t details_size;
    bool has_pushback;
    int64_t pushback_ms;
    size_t block_bytes; /* as RFC 9113 6.5.2 counts */
    struct field_list headers, trailers;

    /* The message that is arriving. */
    uint8_t prefix[ENVELOPE_PREFIX_BYTES];
    uint8_t prefix_size;
    uint8_t *bytes;
    uint32_t size, have, capacity;
    uint32_t withheld_bytes; /* of the window, since the last message */
    uint32_t message_count;
};

struct rpc_channel_stream {
    struct rpc_channel_stream *next, *previous;
    struct channel_list *list; /* NULL = in none */
    struct rpc_call *call;
    struct rpc_channel *channel; /* NULL when over */
    struct channel_link *link;   /* while OPEN */
    struct channel_shared *shared;
    const struct rpc_method *method;
    struct channel_numbers *numbers;
    struct rpc_channel_reply *reply; /* the caller's; may be NULL */
    channel_stream_phase phase;
    int32_t id; /* on the connection */
    int64_t start_us;
    int64_t deadline_us; /* 0 = none */
    struct loop_timer deadline;
    struct loop_timer pause;
    uint32_t response_bytes_max;
    uint32_t retries_left;
    uint32_t attempts; /* that were put on a connection */
    uint32_t resends;  /* of them, by the channel itself */
    bool wait_for_ready;
    encoding encoding; /* of request messages */
    bool may_compress; /* those that come now */
    bool was_refused;
    bool is_deferred_to_call; /* rpc_defer() holds it */
    const char *peer;

    struct http_block *fields;
    struct channel_body body;
    bool is_half_closed;
    bool is_sent;     /* HEADERS are on their way */
    uint64_t fill;    /* in this buffer of the connection */
    bool is_deferred; /* nghttp2 waits for more of the body */
    bool is_ended;    /* END_STREAM was sent */
    bool is_replayable;

    struct channel_response response;
    struct rpc_received *received, **received_end;
    struct arena *arena; /* of the message that the caller looks at */
    rpc_status status;
};

/* Why an attempt failed. */
typedef enum {
    CHANNEL_UNSEEN,  /* the server has certainly done nothing */
    CHANNEL_REFUSED, /* it says that it has done nothing */
    CHANNEL_FAILED,
} channel_failure;

/* Fills a zeroed stream, and looks for a connection. */
void channel_stream_start(struct rpc_channel_stream *stream,
                          struct rpc_call *call, struct rpc_channel *channel,
                          const struct rpc_method *method,
                          const struct rpc_channel_call_options *options);

/* Its last word; nothing when it was said.  Resets it on the connection. */
void channel_stream_end(struct rpc_channel_stream *stream, rpc_code code,
                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, or another attempt. */
void channel_stream_fail(struct rpc_channel_stream *stream,
                         channel_failure failure, rpc_code code,
                         const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The response is complete: ends with the status that it tells. */
void channel_stream_complete(struct rpc_channel_stream *stream);

/* Frees what the stream holds; it must be over. */
void channel_stream_finish(struct rpc_channel_stream *stream);

void channel_list_add(struct channel_list *list,
                      struct rpc_channel_stream *stream);
void channel_list_remove(struct rpc_channel_stream *stream);

/* --- what it sends --- */

void channel_request_build(struct rpc_channel_stream *stream,
                           const struct rpc_channel_metadata *metadata);

/* grpc-timeout and what else is of one attempt; `texts` as big as told. */
enum { CHANNEL_ATTEMPT_FIELDS = 2, CHANNEL_ATTEMPT_TEXT_BYTES = 24 };
size_t channel_request_attempt(
    const struct rpc_channel_stream *stream, nghttp2_nv *fields,
    char texts[CHANNEL_ATTEMPT_FIELDS][CHANNEL_ATTEMPT_TEXT_BYTES]);

/* Encodes and queues a message. */
void channel_request_message(struct rpc_channel_stream *stream,
                             const ProtobufCMessage *message);
void channel_request_bytes(struct rpc_channel_stream *stream, const void *bytes,
                           size_t size);
size_t channel_request_queued(const struct rpc_channel_stream *stream);

/* Up to `size` bytes of the body. */
size_t channel_request_read(struct rpc_channel_stream *stream, uint8_t *bytes,
                            size_t size);

/* No attempt will need again what was sent. */
void channel_request_commit(struct rpc_channel_stream *stream);

/* --- what it receives --- */

void channel_response_init(struct channel_response *response);
void channel_response_drop(struct rpc_channel_stream *stream);
void channel_response_block(struct rpc_channel_stream *stream, bool is_last);
void channel_response_field(struct rpc_channel_stream *stream, const char *name,
                            size_t name_size, const char *value,
                            size_t value_size);
void channel_response_block_end(struct rpc_channel_stream *stream);
void channel_response_data(struct rpc_channel_stream *stream,
                           const uint8_t *bytes, size_t size);

/* A message's bytes; they stay until the next call on the same loop. */
rpc_status channel_response_inflate(struct rpc_channel_stream *stream,
                                    const struct rpc_received *received,
                                    const uint8_t **bytes, size_t *size);

/* Whether the method answers with one message. */
bool channel_response_is_single(const struct rpc_channel_stream *stream);

/* The status that a whole response tells. */
rpc_status channel_response_status(struct rpc_channel_stream *stream);

/* --- a connection --- */

typedef enum {
    CHANNEL_LINK_CONNECTING,
    CHANNEL_LINK_SHAKING_HANDS, /* TLS */
    CHANNEL_LINK_GREETING,      /* our SETTINGS are out, its are awaited */
    CHANNEL_LINK_READY,
    CHANNEL_LINK_CLOSED,
} channel_link_stage;

struct channel_link {
    struct channel_link *next, *previous; /* of the channel */
    struct channel_link *next_dirty;
    struct rpc_channel *channel;
    struct channel_shared *shared;
    struct socket socket;
    uv_poll_t poll;
    int interest; /* of the poll handle */
    channel_link_stage stage;
    uint32_t references;
    bool is_dirty;
    bool is_blocked; /* the socket takes nothing more for now */
    char peer[ADDRESS_HOST_BYTES];

    /* Buffers full of frames: taken from the session, and begun to be taken by
     * the socket. */
    uint64_t fills, fills_begun;

    /* The connect timeout, then keepalive and idle time. */
    struct loop_timer timer;
    int64_t opened_us, received_us, idle_us;
    int64_t ping_us; /* of the keepalive that is out; 0 = none */

    /* rpc/channel_h2.c's: */
    nghttp2_session *session;
    struct channel_list streams;
    bool is_leaving; /* GOAWAY came or went: no new streams */
    bool has_answered;
    int32_t last_stream; /* that the server will answer, when is_leaving */
    int64_t control_us;  /* a bucket: when it is empty again */
    uint64_t data_frames_sent, window_updates;
    const char *complaint; /* nghttp2's, in the GOAWAY that it sent */
    const char *doom; /* why it must be closed after this callback; a literal */
};

/* Begins to connect; channel_dial_done() or channel_dial_failed() tells.  NULL
 * when it fails at once, and the problem is noted. */
struct channel_link *channel_link_open(struct rpc_channel *channel,
                                       const struct sockaddr *at, size_t size,
                                       const char *peer);
/* Says GOAWAY when that can be sent at once.  Its streams fail with this
 * reason. */
void channel_link_close(struct channel_link *link, const char *reason);
void channel_link_mark_dirty(struct channel_link *link);
/* Streams came or went: the time limits are others. */
void channel_link_watch(struct channel_link *link);
void channel_link_flush_all(struct channel_shared *shared);

/* Whether one more stream may be opened now. */
bool channel_link_has_room(const struct channel_link *link);

void channel_h2_start(struct channel_shared *shared);
void channel_h2_stop(struct channel_shared *shared);
void channel_h2_open(struct channel_link *link);
/* Loses its streams. */
void channel_h2_close(struct channel_link *link, const char *reason);
/* False when the connection must be closed; link->doom says why. */
bool channel_h2_receive(struct channel_link *link, const uint8_t *bytes,
                        size_t size);
size_t channel_h2_fill(struct channel_link *link, uint8_t *bytes, size_t size);
bool channel_h2_is_over(const struct channel_link *link);
void channel_h2_ping(struct channel_link *link);
void channel_h2_leave(struct channel_link *link);
void channel_h2_submit(struct channel_link *link,
                       struct rpc_channel_stream *stream);
/* The body has grown, or its end is known. */
void channel_h2_resume(struct rpc_channel_stream *stream);
/* The caller has taken so much: the server may send as much again. */
void channel_h2_consumed(struct rpc_channel_stream *stream, size_t bytes);
/* Lets go of the stream: what still comes for it is dropped. */
void channel_h2_forget(struct rpc_channel_stream *stream);

/* --- the channel --- */

struct channel_lookup;

struct rpc_channel {
    struct channel_shared *shared;
    struct loop *loop;
    struct arena *arena; /* of the options' texts */
    struct rpc_channel_options options;
    const char *unix_path; /* NULL: host and port */
    const char *host, *port;
    struct tls_identity *identity; /* NULL = clear text */
    const char *server_name;
    char echo[RPC_CHANNEL_ECHO_BYTES_MAX + 1]; /* of options.echoes */
    uint32_t references;
    bool is_closed;

    struct channel_link *links; /* all that are not closed */
    uint32_t link_count;
    struct channel_list waiting, pausing;
    struct loop_timer crowded; /* full connections, and calls that wait */
    int32_t retry_tokens;      /* in tenths */

    /* rpc/channel_dial.c's: */
    struct channel_lookup *lookup;
    struct addrinfo *addresses, *next_address;
    struct channel_link *dialing;
    struct loop_timer backoff;
    bool is_backing_off;
    uint32_t failures; /* in a row */
    char problem[320]; /* the last one */
};

void channel_hold(struct rpc_channel *channel);
void channel_release(struct rpc_channel *channel);

/* Puts a call in line, and gives connections to those who wait. */
void channel_place(struct rpc_channel *channel,
                   struct rpc_channel_stream *stream);
void channel_pump(struct rpc_channel *channel);

/* Whether the failures of late leave room for another attempt (gRFC A6). */
bool channel_may_retry(const struct rpc_channel *channel);
void channel_note_result(struct rpc_channel *channel, rpc_code code);

/* Connects, unless it does already or has to wait. */
void channel_dial(struct rpc_channel *channel);
void channel_dial_stop(struct rpc_channel *channel);
/* Of channel->backoff. */
void channel_dial_backoff_over(struct loop_timer *timer);
/* From the connection that is being made. */
void channel_dial_done(struct channel_link *link);
void channel_dial_failed(struct rpc_channel *channel, const char *peer,
                         const char *reason);
/* Only remembers why an address did not serve. */
void channel_dial_note(struct rpc_channel *channel, const char *peer,
                       const char *reason);
/* An established connection has ended.  Before its streams look for another
 * one: they find the channel backing off if it must. */
void channel_dial_lost(struct rpc_channel *channel,
                       const struct channel_link *link, const char *reason);

#endif
