/* One nghttp2 session per connection.
 *
 *   bytes -> guard -> nghttp2 -> callbacks -> wire (rpc/grpc.c)
 *   wire -> submit / body -> dirty connection -> h2_fill() -> one write
 */
#include "rpc/h2.h"

#include "rpc/clock.h"
#include "rpc/h2_window.h"
#include "rpc/observe.h"
#include "rpc/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Resets a client sends: the guard is stricter, this is the second lock. */
    RESET_BURST = 200,
    RESET_PER_SECOND = 33,
    OUTBOUND_FRAMES_MAX = 1000,
    /* While the socket is blocked, and this waits for it, nothing more is read:
     * what the peer asks for would wait here, in our memory. */
    BLOCKED_BYTES_MAX = 512 * 1024,
    /* How long the last streams may take to arrive when draining. */
    DRAIN_NOTICE_US = 1000000,
    /* How long a client may still send what nobody reads any more. */
    LATE_REQUEST_MS = 1000,
};

/* Tells the drain's PING from the keepalive's. */
static const uint8_t drain_ping[8] = "drain";

static struct h2_stream *stream_find(struct conn *conn, int32_t id)
{
    return nghttp2_session_get_stream_user_data(conn->session, id);
}

/* --- receiving: nghttp2's callbacks --- */

static int on_begin_headers(nghttp2_session *session,
                            const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct conn *conn = user;
    conn->fields = http_fields_take(conn);
    conn->fields->is_request = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    return 0;
}

/* Trailers are counted and otherwise ignored: gRPC clients send none. */
static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    (void)session;
    (void)frame;
    (void)flags;
    struct conn *conn = user;
    struct http_fields *fields = conn->fields;
    fields->list_bytes += name_size + value_size + HTTP_FIELD_OVERHEAD_BYTES;
    if (fields->list_bytes > HTTP_HEADER_BYTES_FATAL ||
        ++fields->seen > HTTP_FIELDS_MAX)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (fields->list_bytes > conn_options(conn)->header_bytes_max)
        fields->is_too_large = true;
    else if (fields->is_request)
        http_fields_add(fields, name, name_size, value, value_size);
    return 0;
}

static void refuse_stream(struct conn *conn, int32_t id)
{
    h2_check(nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, id,
                                       NGHTTP2_REFUSED_STREAM));
}

static bool has_free_slot(const struct conn *conn)
{
    return conn->stream_count + conn->orphan_count <
           conn_options(conn)->streams_max;
}

static void on_request(struct conn *conn, const nghttp2_frame *frame)
{
    int32_t id = frame->hd.stream_id;
    if (!has_free_slot(conn)) {
        observe_refusal("streams");
        refuse_stream(conn, id);
        return;
    }
    struct h2_stream *stream =
        h2_stream_create(conn, wire_choose(conn, &h2_ops, conn->fields), id);
    http_begin(h2_http(stream), conn->fields,
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
}

static void on_end_stream(struct conn *conn, int32_t id)
{
    struct h2_stream *stream = stream_find(conn, id);
    if (stream != NULL)
        http_half_close(h2_http(stream));
}

static void on_headers_end(struct conn *conn, const nghttp2_frame *frame)
{
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        on_request(conn, frame);
    else if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        on_end_stream(conn, frame->hd.stream_id);
    http_fields_give(conn);
}

static void drain_finally(struct conn *conn);

static void on_ping_answer(struct conn *conn, const uint8_t *payload)
{
    if (memcmp(payload, h2_window_ping, sizeof h2_window_ping) == 0)
        h2_window_pinged(conn);
    else if (memcmp(payload, drain_ping, sizeof drain_ping) != 0)
        conn->ping_us = 0;
    else if (conn->drain == CONN_NOTICED)
        drain_finally(conn);
}

static void on_settings_answer(struct conn *conn)
{
    conn_settle(conn);
    h2_window_settled(conn);
}

static int on_frame_received(nghttp2_session *session,
                             const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct conn *conn = user;
    bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        on_headers_end(conn, frame);
        break;
    case NGHTTP2_DATA:
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            on_end_stream(conn, frame->hd.stream_id);
        break;
    case NGHTTP2_SETTINGS:
        if (is_ack)
            on_settings_answer(conn);
        break;
    case NGHTTP2_PING:
        if (is_ack)
            on_ping_answer(conn, frame->ping.opaque_data);
        break;
    default:
        break;
    }
    return 0;
}

/* The connection's window comes back when bytes arrive, so that one stream that
 * is not read holds up no other.
 * Padding counts against the windows like data (RFC 9113 6.1), and nghttp2
 * consumes it by itself. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                   const uint8_t *bytes, size_t size, void *user)
{
    (void)flags;
    struct conn *conn = user;
    h2_check(nghttp2_session_consume_connection(session, size));
    h2_window_received(conn, id, size);
    struct h2_stream *stream = stream_find(conn, id);
    if (stream != NULL)
        h2_http(stream)->wire->data(h2_http(stream), bytes, size);
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id,
                           uint32_t error_code, void *user)
{
    (void)session;
    (void)error_code;
    struct h2_stream *stream = stream_find(user, id);
    if (stream != NULL)
        h2_stream_destroy(stream);
    return 0;
}

/* --- sending: nghttp2's callbacks --- */

/* The codes that only nghttp2 uses: it resets a stream for what the peer did.
 * Ours are NO_ERROR, CANCEL and REFUSED_STREAM. */
static bool is_provoked(uint32_t error_code)
{
    return error_code == NGHTTP2_PROTOCOL_ERROR ||
           error_code == NGHTTP2_FLOW_CONTROL_ERROR ||
           error_code == NGHTTP2_STREAM_CLOSED ||
           error_code == NGHTTP2_FRAME_SIZE_ERROR ||
           error_code == NGHTTP2_COMPRESSION_ERROR ||
           error_code == NGHTTP2_INTERNAL_ERROR;
}

/* The answer is complete before the request was: the client may stop sending
 * (RFC 9113 8.1).  gRPC wants it so.  Other clients, curl of 2023 among them,
 * forget the answer when they see the reset: they have a moment to come to
 * their end, within the window that their stream still has. */
static void stop_request(struct conn *conn, int32_t id)
{
    h2_check(nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, id,
                                       NGHTTP2_NO_ERROR));
}

static void on_answered(struct conn *conn, int32_t id)
{
    struct h2_stream *stream = stream_find(conn, id);
    if (stream == NULL)
        return;
    struct http_stream *http = h2_http(stream);
    http_answered(http);
    http->progress_us = conn_now_us(conn);
    if (!http->is_remote_closed && !http->wire->reads_late)
        stop_request(conn, id);
}

/* The drain's PING is queued here and not with the notice: pings overtake. */
static void on_goaway_sent(struct conn *conn)
{
    conn->goaway_sent = true;
    if (conn->drain == CONN_NOTICED && conn->refusal == NULL)
        h2_check(
            nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, drain_ping));
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame,
                         void *user)
{
    (void)session;
    struct conn *conn = user;
    bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        guard_headers_sent(&conn->guard);
        break;
    case NGHTTP2_DATA:
        guard_data_sent(&conn->guard);
        break;
    case NGHTTP2_RST_STREAM:
        if (is_provoked(frame->rst_stream.error_code))
            h2_refuse(conn, guard_reset_sent(&conn->guard, conn_now_us(conn)));
        return 0;
    case NGHTTP2_GOAWAY:
        on_goaway_sent(conn);
        return 0;
    case NGHTTP2_PING:
        if (!is_ack)
            guard_ping_sent(&conn->guard);
        return 0;
    case NGHTTP2_SETTINGS:
        if (!is_ack)
            guard_settings_sent(&conn->guard);
        return 0;
    default:
        return 0;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        on_answered(conn, frame->hd.stream_id);
    return 0;
}

/* --- what all sessions of a loop share --- */

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                         on_frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                           on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks,
                                                         on_frame_sent);
}

void h2_worker_start(struct rpc_net_worker *net)
{
    h2_check(nghttp2_session_callbacks_new(&net->callbacks));
    set_callbacks(net->callbacks);
    net->option = h2_option_create(net->worker->options.frames.continuations);
    nghttp2_option_set_stream_reset_rate_limit(net->option, RESET_BURST,
                                               RESET_PER_SECOND);
    net->memory = h2_memory(net->pool);
}

void h2_worker_stop(struct rpc_net_worker *net)
{
    http_fields_free(net->pool, net->spare_fields);
    nghttp2_session_callbacks_del(net->callbacks);
    nghttp2_option_del(net->option);
}

/* --- life of a session --- */

static void drain_begin(struct conn *conn, const char *reason);

static void submit_settings(struct conn *conn)
{
    const struct rpc_server_options *options = conn_options(conn);
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->streams_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->header_bytes_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    h2_check(nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, entries,
                                     sizeof entries / sizeof entries[0]));
    h2_window_open(conn);
}

static void open_session(struct conn *conn)
{
    struct rpc_net_worker *net = conn->net;
    guard_init(&conn->guard, &net->worker->options.frames);
    h2_check(nghttp2_session_server_new3(&conn->session, net->callbacks, conn,
                                         net->option, &net->memory));
    submit_settings(conn);
}

/* nghttp2_session_del() closes no streams, so the list is ours. */
static void close_session(struct conn *conn)
{
    while (conn->streams != NULL)
        h2_stream_destroy(conn->streams);
    http_fields_free(conn->net->pool, conn->fields);
    conn->fields = NULL;
    nghttp2_session_del(conn->session);
    conn->session = NULL;
}

void h2_refuse(struct conn *conn, struct guard_verdict verdict)
{
    if (verdict.reason == NULL || conn->refusal != NULL)
        return;
    conn->refusal = verdict.reason;
    conn->goaway_sent = false;
    net_count_ended(verdict.reason, conn->peer);
    h2_check(nghttp2_submit_goaway(
        conn->session, NGHTTP2_FLAG_NONE,
        nghttp2_session_get_last_proc_stream_id(conn->session),
        verdict.error_code, (const uint8_t *)verdict.reason,
        strlen(verdict.reason)));
    conn_mark_dirty(conn);
}

static const struct guard_verdict too_many_headers = {NGHTTP2_ENHANCE_YOUR_CALM,
                                                      "header_flood"};

static bool receive(struct conn *conn, uint8_t *bytes, size_t size)
{
    if (conn->refusal != NULL)
        return true;
    conn_mark_dirty(conn);
    struct guard_verdict verdict =
        guard_feed(&conn->guard, bytes, size, conn_now_us(conn));
    if (verdict.reason != NULL) {
        h2_refuse(conn, verdict);
        return true;
    }
    ssize_t outcome = nghttp2_session_mem_recv(conn->session, bytes, size);
    if (outcome == NGHTTP2_ERR_CALLBACK_FAILURE) {
        h2_refuse(conn, too_many_headers);
        return true;
    }
    return outcome >= 0;
}

/* A refused connection sends what is before the GOAWAY, and nothing after. */
static bool may_send(const struct conn *conn)
{
    return conn->refusal == NULL || !conn->goaway_sent;
}

/* Up to `size` bytes, or one frame more. */
static size_t fill(struct conn *conn, uint8_t *bytes, size_t size)
{
    size_t filled = 0;
    while (filled < size && may_send(conn)) {
        const uint8_t *frame;
        ssize_t count = nghttp2_session_mem_send(conn->session, &frame);
        if (count <= 0)
            break; /* the session then wants nothing any more: it is over */
        assert(filled + (size_t)count <= size + SOCKET_OUTPUT_SLACK_BYTES);
        memcpy(bytes + filled, frame, (size_t)count);
        filled += (size_t)count;
    }
    return filled;
}

static bool is_over(const struct conn *conn)
{
    if (conn->refusal != NULL)
        return conn->goaway_sent;
    return !nghttp2_session_want_read(conn->session) &&
           !nghttp2_session_want_write(conn->session);
}

static size_t room(const struct conn *conn)
{
    if (!conn->is_blocked)
        return SOCKET_INPUT_BYTES;
    bool is_flooded = nghttp2_session_get_outbound_queue_size(conn->session) >
                      OUTBOUND_FRAMES_MAX;
    return is_flooded || conn->queued_bytes >= BLOCKED_BYTES_MAX
               ? 0
               : SOCKET_INPUT_BYTES;
}

/* --- GOAWAY in two steps (RFC 9113 6.8) --- */

/* Streams that the client opened before it heard of the first step are still
 * served: its answer to the PING comes after them. */
static void drain_begin(struct conn *conn, const char *reason)
{
    if (conn->drain != CONN_SERVING || conn->session == NULL)
        return;
    conn->drain = CONN_NOTICED;
    conn->drain_reason = reason;
    conn->drain_us = conn_now_us(conn);
    h2_check(nghttp2_submit_shutdown_notice(conn->session));
    conn_mark_dirty(conn);
}

static void tell_calls(struct conn *conn)
{
    for (struct h2_stream *s = conn->streams, *next; s != NULL; s = next) {
        next = s->next;
        rpc_transport_drain(&h2_http(s)->transport);
    }
}

static void drain_finally(struct conn *conn)
{
    conn->drain = CONN_LEAVING;
    tell_calls(conn);
    h2_check(nghttp2_submit_goaway(
        conn->session, NGHTTP2_FLAG_NONE,
        nghttp2_session_get_last_proc_stream_id(conn->session),
        NGHTTP2_NO_ERROR, (const uint8_t *)conn->drain_reason,
        strlen(conn->drain_reason)));
    conn_mark_dirty(conn);
}

/* --- time limits --- */

/* A peer whose window stays shut holds our memory for nothing (the data
 * dribble of CVE-2019-9511).  What is no call has no deadline, so that it gets
 * the same time from its first byte to its last. */
static void reset_stalled(struct conn *conn, struct h2_stream *stream,
                          int64_t at_us)
{
    const struct http_stream *http = h2_http(stream);
    bool is_call = http->transport.ops != NULL;
    if ((http_queued(http) == 0 && is_call) ||
        !clock_is_overdue(http->progress_us, conn_options(conn)->stall_ms,
                          at_us))
        return;
    observe_refusal("stalled");
    h2_reset(stream, NGHTTP2_CANCEL);
}

static void stop_late_request(struct conn *conn, struct h2_stream *stream,
                              int64_t at_us)
{
    const struct http_stream *http = h2_http(stream);
    if (!http->is_answered || http->is_remote_closed ||
        !clock_is_overdue(http->progress_us, LATE_REQUEST_MS, at_us))
        return;
    stop_request(conn, stream->id);
    conn_mark_dirty(conn);
}

static void sweep_streams(struct conn *conn, int64_t at_us)
{
    for (struct h2_stream *s = conn->streams, *next; s != NULL; s = next) {
        next = s->next;
        stop_late_request(conn, s, at_us);
        bool may_send = nghttp2_session_get_stream_local_window_size(
                            conn->session, s->id) > 0;
        http_sweep_message(h2_http(s), may_send, at_us);
        if (!conn->is_blocked && !h2_http(s)->is_finished)
            reset_stalled(conn, s, at_us);
    }
}

static void keep_alive(struct conn *conn, int64_t at_us)
{
    const struct rpc_server_options *options = conn_options(conn);
    if (conn->ping_us != 0) {
        if (clock_is_overdue(conn->ping_us, options->keepalive_timeout_ms,
                             at_us)) {
            net_count_ended("keepalive_timeout", conn->peer);
            conn_close(conn);
        }
        return;
    }
    if (!clock_is_overdue(conn->received_us, options->keepalive_ms, at_us))
        return;
    conn->ping_us = at_us;
    conn->counts.keepalives++;
    h2_check(nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL));
    conn_mark_dirty(conn);
}

static void fail_calls(struct conn *conn, rpc_code code, const char *message)
{
    for (struct h2_stream *s = conn->streams, *next; s != NULL; s = next) {
        next = s->next;
        if (h2_http(s)->transport.ops != NULL)
            rpc_transport_fail(&h2_http(s)->transport, code, message);
    }
}

static void sweep(struct conn *conn, int64_t at_us)
{
    if (conn->drain == CONN_NOTICED &&
        at_us - conn->drain_us >= DRAIN_NOTICE_US)
        drain_finally(conn);
    if (conn->stream_count == 0 &&
        clock_is_overdue(conn->idle_us, conn_options(conn)->idle_ms, at_us))
        drain_begin(conn, "max_idle");
    h2_window_sweep(conn);
    sweep_streams(conn, at_us);
    keep_alive(conn, at_us);
}

const struct conn_protocol h2_protocol = {
    .name = "h2",
    .open = open_session,
    .close = close_session,
    .room = room,
    .receive = receive,
    .fill = fill,
    .is_over = is_over,
    .drain = drain_begin,
    .fail_calls = fail_calls,
    .sweep = sweep,
};
