/* One nghttp2 session per connection.
 *
 *   bytes -> guard -> nghttp2 -> callbacks -> wire (rpc/grpc.c)
 *   wire -> submit / body -> dirty connection -> h2_fill() -> one write
 */
#include "rpc/h2.h"

#include "rpc/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* For all streams together; each has the 64 KiB that HTTP/2 begins with.
     * The connection's part comes back when bytes arrive, so one stream that is
     * not read holds up no other. */
    CONNECTION_WINDOW_BYTES = 1024 * 1024,
    /* Resets a client sends: the guard is stricter, this is the second lock. */
    RESET_BURST = 200,
    RESET_PER_SECOND = 33,
    /* Answers to pings and settings that a blocked socket holds up. */
    OUTBOUND_ACK_MAX = 100,
    OUTBOUND_FRAMES_MAX = 1000,
    /* How long the last streams may take to arrive when draining. */
    DRAIN_NOTICE_US = 1000000,
    BODY_BYTES_FREE = 4096,
};

/* Tells the drain's PING from the keepalive's. */
static const uint8_t drain_ping[8] = "drain";

static int64_t now_us(const struct conn *conn)
{
    return loop_now_us(conn->net->worker->loop);
}

static const struct rpc_server_options *options_of(const struct conn *conn)
{
    return &conn->net->worker->server->options;
}

static void check(int outcome)
{
    if (outcome == NGHTTP2_ERR_NOMEM)
        abort();
}

/* --- the fields of a header block
 * ---------------------------------------------- */

/* What is stored never exceeds the limit on what is counted, since counting
 * adds 32 for each field. */
static struct h2_fields *fields_create(struct rpc_net_worker *net)
{
    struct h2_fields *fields = pool_alloc(net->pool, sizeof *fields);
    fields->bytes_capacity = net->worker->server->options.header_bytes_max;
    fields->bytes = pool_alloc(net->pool, fields->bytes_capacity);
    return fields;
}

/* A block that nghttp2 dropped as malformed leaves its fields behind. */
static struct h2_fields *fields_take(struct conn *conn)
{
    struct rpc_net_worker *net = conn->net;
    struct h2_fields *fields = conn->fields;
    if (fields == NULL) {
        fields = net->spare_fields;
        net->spare_fields = NULL;
    }
    if (fields == NULL)
        fields = fields_create(net);
    fields->count = fields->seen = 0;
    fields->list_bytes = fields->bytes_used = 0;
    fields->is_too_large = false;
    return fields;
}

static void fields_free(struct pool *pool, struct h2_fields *fields)
{
    if (fields == NULL)
        return;
    pool_free(pool, fields->bytes);
    pool_free(pool, fields);
}

/* Header blocks are seldom in flight on two connections at once: one spare is
 * enough. */
static void fields_give(struct conn *conn)
{
    struct rpc_net_worker *net = conn->net;
    if (net->spare_fields == NULL)
        net->spare_fields = conn->fields;
    else
        fields_free(net->pool, conn->fields);
    conn->fields = NULL;
}

static char *fields_store(struct h2_fields *fields, const uint8_t *text,
                          size_t size)
{
    char *copy = fields->bytes + fields->bytes_used;
    memcpy(copy, text, size);
    copy[size] = '\0';
    fields->bytes_used += size + 1;
    return copy;
}

static void fields_add(struct h2_fields *fields, const uint8_t *name,
                       size_t name_size, const uint8_t *value,
                       size_t value_size)
{
    assert(fields->count < H2_FIELDS_MAX);
    assert(fields->bytes_used + name_size + value_size + 2 <=
           fields->bytes_capacity);
    fields->fields[fields->count++] = (struct h2_field){
        .name = fields_store(fields, name, name_size),
        .value = fields_store(fields, value, value_size),
        .name_size = (uint32_t)name_size,
        .value_size = (uint32_t)value_size,
    };
}

const struct h2_field *h2_field_find(const struct h2_fields *fields,
                                     const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < fields->count; i++)
        if (fields->fields[i].name_size == size &&
            memcmp(fields->fields[i].name, name, size) == 0)
            return &fields->fields[i];
    return NULL;
}

/* --- streams
 * -------------------------------------------------------------------- */

static struct h2_stream *stream_create(struct conn *conn,
                                       const struct h2_wire *wire, int32_t id)
{
    struct h2_stream *stream =
        pool_alloc_zeroed(conn->net->pool, wire->stream_bytes);
    stream->wire = wire;
    stream->conn = conn;
    stream->id = id;
    stream->next = conn->streams;
    if (stream->next != NULL)
        stream->next->previous = stream;
    conn->streams = stream;
    conn->stream_count++;
    check(nghttp2_session_set_stream_user_data(conn->session, id, stream));
    return stream;
}

static void stream_unlink(struct h2_stream *stream)
{
    struct conn *conn = stream->conn;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        conn->streams = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    if (--conn->stream_count == 0)
        conn->idle_us = now_us(conn);
}

static void orphan_over(void *argument)
{
    struct conn *conn = argument;
    conn->orphan_count--;
    conn_release(conn);
}

/* A handler that outlives its stream still holds one of the connection's slots,
 * or resetting streams would be a way round the limit. */
static void keep_slot(struct h2_stream *stream)
{
    struct rpc_call *call = stream->wire->running_call(stream);
    if (call == NULL)
        return;
    conn_hold(stream->conn);
    stream->conn->orphan_count++;
    rpc_defer(call, orphan_over, stream->conn);
}

static void body_free(struct h2_stream *stream);

static void stream_destroy(struct h2_stream *stream)
{
    keep_slot(stream);
    stream_unlink(stream);
    stream->wire->closed(stream);
    body_free(stream);
    pool_free(h2_pool(stream), stream);
}

/* --- bodies and the memory they hold
 * ------------------------------------------------ */

/* Small ones are not worth counting.  A full budget does not stop a body: the
 * gate refuses new calls then. */
static void body_charge(struct h2_stream *stream, size_t capacity)
{
    struct rpc_worker *worker = stream->conn->net->worker;
    size_t charge = capacity > BODY_BYTES_FREE ? capacity : 0;
    struct h2_body *body = &stream->body;
    if (charge < body->charged_bytes)
        rpc_worker_give_memory(worker, body->charged_bytes - charge);
    else if (charge > body->charged_bytes &&
             !rpc_worker_take_memory(worker, charge - body->charged_bytes))
        return;
    body->charged_bytes = charge;
}

static void body_free(struct h2_stream *stream)
{
    stream->conn->queued_bytes -= h2_queued(stream);
    body_charge(stream, 0);
    pool_free(h2_pool(stream), stream->body.bytes);
    stream->body = (struct h2_body){0};
}

static struct h2_stream *stream_find(struct conn *conn, int32_t id)
{
    return nghttp2_session_get_stream_user_data(conn->session, id);
}

/* --- receiving: nghttp2's callbacks
 * ----------------------------------------------- */

static int on_begin_headers(nghttp2_session *session,
                            const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct conn *conn = user;
    conn->fields = fields_take(conn);
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
    struct h2_fields *fields = conn->fields;
    fields->list_bytes += name_size + value_size + H2_FIELD_OVERHEAD_BYTES;
    if (fields->list_bytes > H2_HEADER_BYTES_FATAL ||
        ++fields->seen > H2_FIELDS_MAX)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (fields->list_bytes > options_of(conn)->header_bytes_max)
        fields->is_too_large = true;
    else if (fields->is_request)
        fields_add(fields, name, name_size, value, value_size);
    return 0;
}

static void refuse_stream(struct conn *conn, int32_t id)
{
    check(nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, id,
                                    NGHTTP2_REFUSED_STREAM));
}

static bool has_free_slot(const struct conn *conn)
{
    return conn->stream_count + conn->orphan_count <
           options_of(conn)->streams_max;
}

static void on_request(struct conn *conn, const nghttp2_frame *frame)
{
    int32_t id = frame->hd.stream_id;
    if (!has_free_slot(conn)) {
        refuse_stream(conn, id);
        return;
    }
    struct h2_stream *stream =
        stream_create(conn, wire_choose(conn->fields), id);
    stream->is_remote_closed = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    stream->progress_us = now_us(conn);
    stream->wire->request(stream, conn->fields);
    if (stream->is_remote_closed)
        stream->wire->half_closed(stream);
}

static void on_end_stream(struct conn *conn, int32_t id)
{
    struct h2_stream *stream = stream_find(conn, id);
    if (stream == NULL || stream->is_remote_closed)
        return;
    stream->is_remote_closed = true;
    stream->wire->half_closed(stream);
}

static void on_headers_end(struct conn *conn, const nghttp2_frame *frame)
{
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        on_request(conn, frame);
    else if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        on_end_stream(conn, frame->hd.stream_id);
    fields_give(conn);
}

static void drain_finally(struct conn *conn);

static void on_ping_answer(struct conn *conn, const uint8_t *payload)
{
    if (memcmp(payload, drain_ping, sizeof drain_ping) != 0)
        conn->ping_us = 0;
    else if (conn->drain == H2_NOTICED)
        drain_finally(conn);
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
        conn->is_settled |= is_ack;
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

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                   const uint8_t *bytes, size_t size, void *user)
{
    (void)flags;
    struct conn *conn = user;
    check(nghttp2_session_consume_connection(session, size));
    struct h2_stream *stream = stream_find(conn, id);
    if (stream != NULL)
        stream->wire->data(stream, bytes, size);
    return 0;
}

/* Padding counts against the windows like data (RFC 9113 6.1), and nghttp2
 * consumes it by itself. */
static int on_stream_close(nghttp2_session *session, int32_t id,
                           uint32_t error_code, void *user)
{
    (void)session;
    (void)error_code;
    struct h2_stream *stream = stream_find(user, id);
    if (stream != NULL)
        stream_destroy(stream);
    return 0;
}

/* --- sending: nghttp2's callbacks
 * --------------------------------------------------- */

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
 * (RFC 9113 8.1). */
static void on_answered(struct conn *conn, int32_t id)
{
    struct h2_stream *stream = stream_find(conn, id);
    if (stream == NULL)
        return;
    stream->is_finished = true;
    if (!stream->is_remote_closed)
        check(nghttp2_submit_rst_stream(conn->session, NGHTTP2_FLAG_NONE, id,
                                        NGHTTP2_NO_ERROR));
}

/* The drain's PING is queued here and not with the notice: pings overtake. */
static void on_goaway_sent(struct conn *conn)
{
    conn->goaway_sent = true;
    if (conn->drain == H2_NOTICED && conn->refusal == NULL)
        check(
            nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, drain_ping));
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame,
                         void *user)
{
    (void)session;
    struct conn *conn = user;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        guard_headers_sent(&conn->guard);
        break;
    case NGHTTP2_DATA:
        guard_data_sent(&conn->guard);
        break;
    case NGHTTP2_RST_STREAM:
        if (is_provoked(frame->rst_stream.error_code))
            h2_refuse(conn, guard_reset_sent(&conn->guard, now_us(conn)));
        return 0;
    case NGHTTP2_GOAWAY:
        on_goaway_sent(conn);
        return 0;
    default:
        return 0;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        on_answered(conn, frame->hd.stream_id);
    return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *bytes,
                         size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)id;
    struct h2_stream *stream = source->ptr;
    struct h2_body *body = &stream->body;
    size_t count = h2_queued(stream);
    if (count == 0 && !stream->is_body_ended) {
        stream->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (count > size)
        count = size;
    if (count > 0)
        memcpy(bytes, body->bytes + body->start, count);
    body->start += count;
    stream->conn->queued_bytes -= count;
    stream->progress_us = now_us(user);
    if (h2_queued(stream) > 0)
        return (ssize_t)count;

    body_free(stream);
    if (stream->is_body_ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream->wire->drained != NULL) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            stream->wire->drained(stream);
        }
    } else {
        stream->wire->writable(stream);
    }
    return (ssize_t)count;
}

/* --- what all sessions of a loop share
 * ---------------------------------------------- */

static void *memory_alloc(size_t size, void *pool)
{
    return pool_alloc(pool, size);
}

static void memory_free(void *object, void *pool)
{
    pool_free(pool, object);
}

static void *memory_calloc(size_t count, size_t size, void *pool)
{
    return pool_alloc_zeroed(pool, count * size);
}

static void *memory_realloc(void *object, size_t size, void *pool)
{
    return pool_realloc(pool, object, size);
}

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

/* no_closed_streams: nghttp2 would keep up to MAX_CONCURRENT_STREAMS closed
 * ones, for 12 % of the time and most of the memory of a busy connection.
 * no ..._ws_validation: a value with outer blanks is legal gRPC metadata. */
static void set_options(nghttp2_option *option)
{
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    nghttp2_option_set_max_continuations(option,
                                         guard_limits_default.continuations);
    nghttp2_option_set_stream_reset_rate_limit(option, RESET_BURST,
                                               RESET_PER_SECOND);
    nghttp2_option_set_max_outbound_ack(option, OUTBOUND_ACK_MAX);
}

void h2_worker_start(struct rpc_net_worker *net)
{
    check(nghttp2_session_callbacks_new(&net->callbacks));
    check(nghttp2_option_new(&net->option));
    set_callbacks(net->callbacks);
    set_options(net->option);
    net->memory = (nghttp2_mem){
        .mem_user_data = net->pool,
        .malloc = memory_alloc,
        .free = memory_free,
        .calloc = memory_calloc,
        .realloc = memory_realloc,
    };
}

void h2_worker_stop(struct rpc_net_worker *net)
{
    fields_free(net->pool, net->spare_fields);
    nghttp2_session_callbacks_del(net->callbacks);
    nghttp2_option_del(net->option);
}

/* --- life of a session
 * ---------------------------------------------------------------- */

static void submit_settings(struct conn *conn)
{
    const struct rpc_server_options *options = options_of(conn);
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options->streams_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->header_bytes_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    check(nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, entries,
                                  sizeof entries / sizeof entries[0]));
    check(nghttp2_session_set_local_window_size(
        conn->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW_BYTES));
}

void h2_open(struct conn *conn)
{
    struct rpc_net_worker *net = conn->net;
    guard_init(&conn->guard, &net->server->guard_limits);
    conn->idle_us = now_us(conn);
    check(nghttp2_session_server_new3(&conn->session, net->callbacks, conn,
                                      net->option, &net->memory));
    submit_settings(conn);
    if (net->draining)
        h2_drain_begin(conn, "draining");
}

/* nghttp2_session_del() closes no streams, so the list is ours. */
void h2_close(struct conn *conn)
{
    while (conn->streams != NULL)
        stream_destroy(conn->streams);
    fields_free(conn->net->pool, conn->fields);
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
    check(nghttp2_submit_goaway(
        conn->session, NGHTTP2_FLAG_NONE,
        nghttp2_session_get_last_proc_stream_id(conn->session),
        verdict.error_code, (const uint8_t *)verdict.reason,
        strlen(verdict.reason)));
    conn_mark_dirty(conn);
}

static const struct guard_verdict too_many_headers = {NGHTTP2_ENHANCE_YOUR_CALM,
                                                      "header_flood"};

bool h2_receive(struct conn *conn, const uint8_t *bytes, size_t size)
{
    if (conn->refusal != NULL)
        return true;
    conn_mark_dirty(conn);
    struct guard_verdict verdict =
        guard_feed(&conn->guard, bytes, size, now_us(conn));
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

size_t h2_fill(struct conn *conn, uint8_t *bytes, size_t size)
{
    size_t filled = 0;
    while (filled < size && may_send(conn)) {
        const uint8_t *frame;
        ssize_t count = nghttp2_session_mem_send(conn->session, &frame);
        if (count <= 0)
            break; /* the session then wants nothing any more: it is over */
        assert(filled + (size_t)count <= size + NET_OUTPUT_SLACK_BYTES);
        memcpy(bytes + filled, frame, (size_t)count);
        filled += (size_t)count;
    }
    return filled;
}

bool h2_is_over(const struct conn *conn)
{
    if (conn->refusal != NULL)
        return conn->goaway_sent;
    return !nghttp2_session_want_read(conn->session) &&
           !nghttp2_session_want_write(conn->session);
}

bool h2_is_flooded(const struct conn *conn)
{
    return nghttp2_session_get_outbound_queue_size(conn->session) >
           OUTBOUND_FRAMES_MAX;
}

/* --- GOAWAY in two steps (RFC 9113 6.8)
 * ------------------------------------------------- */

/* Streams that the client opened before it heard of the first step are still
 * served: its answer to the PING comes after them. */
void h2_drain_begin(struct conn *conn, const char *reason)
{
    if (conn->drain != H2_SERVING || conn->session == NULL)
        return;
    conn->drain = H2_NOTICED;
    conn->drain_reason = reason;
    conn->drain_us = now_us(conn);
    check(nghttp2_submit_shutdown_notice(conn->session));
    conn_mark_dirty(conn);
}

static void drain_finally(struct conn *conn)
{
    conn->drain = H2_LEAVING;
    check(nghttp2_submit_goaway(
        conn->session, NGHTTP2_FLAG_NONE,
        nghttp2_session_get_last_proc_stream_id(conn->session),
        NGHTTP2_NO_ERROR, (const uint8_t *)conn->drain_reason,
        strlen(conn->drain_reason)));
    conn_mark_dirty(conn);
}

/* --- time limits
 * -------------------------------------------------------------------------- */

static bool is_overdue(int64_t since_us, uint32_t limit_ms, int64_t at_us)
{
    return at_us - since_us >= (int64_t)limit_ms * 1000;
}

/* A peer whose window stays shut holds our memory for nothing (the data
 * dribble of CVE-2019-9511). */
static void reset_stalled(struct conn *conn, int64_t at_us)
{
    for (struct h2_stream *s = conn->streams, *next; s != NULL; s = next) {
        next = s->next;
        if (h2_queued(s) > 0 &&
            is_overdue(s->progress_us, options_of(conn)->stall_ms, at_us))
            h2_reset(s, NGHTTP2_CANCEL);
    }
}

static void keep_alive(struct conn *conn, int64_t at_us)
{
    const struct rpc_server_options *options = options_of(conn);
    if (conn->ping_us != 0) {
        if (is_overdue(conn->ping_us, options->keepalive_timeout_ms, at_us)) {
            net_count_ended("keepalive_timeout", conn->peer);
            conn_close(conn);
        }
        return;
    }
    if (!is_overdue(conn->received_us, options->keepalive_ms, at_us))
        return;
    conn->ping_us = at_us;
    check(nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, NULL));
    conn_mark_dirty(conn);
}

void h2_sweep(struct conn *conn, int64_t at_us)
{
    if (conn->drain == H2_NOTICED && at_us - conn->drain_us >= DRAIN_NOTICE_US)
        drain_finally(conn);
    if (conn->stream_count == 0 &&
        is_overdue(conn->idle_us, options_of(conn)->idle_ms, at_us))
        h2_drain_begin(conn, "max_idle");
    if (!conn->is_blocked)
        reset_stalled(conn, at_us);
    keep_alive(conn, at_us);
}

/* --- for the wires
 * ------------------------------------------------------------------------- */

/* A stream that nghttp2 has closed meanwhile is no error: its close callback is
 * on the way. */
void h2_respond(struct h2_stream *stream, const nghttp2_nv *fields,
                size_t count, bool with_body)
{
    const nghttp2_data_provider body = {
        .source = {.ptr = stream},
        .read_callback = read_body,
    };
    stream->is_responded = true;
    check(nghttp2_submit_response(stream->conn->session, stream->id, fields,
                                  count, with_body ? &body : NULL));
    conn_mark_dirty(stream->conn);
}

static size_t grown_capacity(size_t capacity, size_t needed)
{
    if (capacity == 0)
        return needed;
    while (capacity < needed)
        capacity *= 2;
    return capacity;
}

uint8_t *h2_reserve(struct h2_stream *stream, size_t size)
{
    struct h2_body *body = &stream->body;
    if (body->start > 0 && body->end + size > body->capacity) {
        memmove(body->bytes, body->bytes + body->start, h2_queued(stream));
        body->end -= body->start;
        body->start = 0;
    }
    if (body->end + size > body->capacity) {
        body->capacity = grown_capacity(body->capacity, body->end + size);
        body_charge(stream, body->capacity);
        body->bytes =
            pool_realloc(h2_pool(stream), body->bytes, body->capacity);
    }
    return body->bytes + body->end;
}

static void resume(struct h2_stream *stream)
{
    if (!stream->is_deferred)
        return;
    stream->is_deferred = false;
    check(nghttp2_session_resume_data(stream->conn->session, stream->id));
    conn_mark_dirty(stream->conn);
}

void h2_commit(struct h2_stream *stream, size_t size)
{
    if (h2_queued(stream) == 0)
        stream->progress_us = now_us(stream->conn);
    stream->body.end += size;
    stream->conn->queued_bytes += size;
    resume(stream);
}

size_t h2_queued(const struct h2_stream *stream)
{
    return stream->body.end - stream->body.start;
}

void h2_end_body(struct h2_stream *stream)
{
    stream->is_body_ended = true;
    resume(stream);
}

void h2_send_trailers(struct h2_stream *stream, const nghttp2_nv *fields,
                      size_t count)
{
    check(nghttp2_submit_trailer(stream->conn->session, stream->id, fields,
                                 count));
}

void h2_consumed(struct h2_stream *stream, size_t bytes)
{
    if (bytes == 0 || stream->is_remote_closed)
        return; /* nobody needs that window any more */
    check(nghttp2_session_consume_stream(stream->conn->session, stream->id,
                                         bytes));
    conn_mark_dirty(stream->conn);
}

void h2_reset(struct h2_stream *stream, uint32_t error_code)
{
    stream->is_finished = true;
    check(nghttp2_submit_rst_stream(stream->conn->session, NGHTTP2_FLAG_NONE,
                                    stream->id, error_code));
    conn_mark_dirty(stream->conn);
}

size_t h2_peer_header_bytes_max(const struct h2_stream *stream)
{
    return nghttp2_session_get_remote_settings(
        stream->conn->session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
}
