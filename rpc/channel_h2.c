/* The nghttp2 session of a channel's connection.  Nothing here trusts the
 * server. */
#include "rpc/channel_state.h"
#include "rpc/h2_session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* For all streams together.  The connection's part comes back when bytes
     * arrive, so one stream that is not read holds up no other. */
    CONNECTION_WINDOW_BYTES = 1024 * 1024,
    CONTINUATIONS_MAX = 8,
    /* Frames that carry nothing of a response: PING, SETTINGS, PRIORITY,
     * RST_STREAM, empty DATA, unknown ones.  So many at once, then so many a
     * second.  What our own streams provoke is far below. */
    CONTROL_BURST = 1000,
    CONTROL_PER_SECOND = 100,
    /* Besides some for each DATA frame of ours. */
    WINDOW_UPDATES_FREE = 1000,
    WINDOW_UPDATES_PER_DATA = 4,
};

static struct rpc_channel_stream *find(struct channel_link *link, int32_t id)
{
    return nghttp2_session_get_stream_user_data(link->session, id);
}

static int64_t now_us(const struct channel_link *link)
{
    return loop_now_us(link->shared->loop);
}

/* Streams and sessions cannot be freed within nghttp2's callbacks. */
static int doom(struct channel_link *link, const char *reason)
{
    if (link->doom == NULL)
        link->doom = reason;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* --- receiving --- */

static bool is_within_rate(struct channel_link *link)
{
    const int64_t cost_us = 1000000 / CONTROL_PER_SECOND;
    int64_t now = now_us(link);
    if (link->control_us < now)
        link->control_us = now;
    link->control_us += cost_us;
    return link->control_us - now <= CONTROL_BURST * cost_us;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd,
                          void *user)
{
    (void)session;
    struct channel_link *link = user;
    switch (hd->type) {
    case NGHTTP2_HEADERS:
        return 0;
    case NGHTTP2_DATA:
        if (hd->length > 0 || (hd->flags & NGHTTP2_FLAG_END_STREAM))
            return 0;
        break;
    case NGHTTP2_WINDOW_UPDATE:
        if (++link->window_updates <=
            WINDOW_UPDATES_FREE +
                WINDOW_UPDATES_PER_DATA * link->data_frames_sent)
            return 0;
        break;
    default:
        break;
    }
    return is_within_rate(link) ? 0 : doom(link, "a flood of control frames");
}

static int on_begin_headers(nghttp2_session *session,
                            const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct rpc_channel_stream *stream = find(user, frame->hd.stream_id);
    if (stream != NULL)
        channel_response_block(
            stream, (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame,
                     const uint8_t *name, size_t name_size,
                     const uint8_t *value, size_t value_size, uint8_t flags,
                     void *user)
{
    (void)session;
    (void)flags;
    struct channel_link *link = user;
    struct rpc_channel_stream *stream = find(link, frame->hd.stream_id);
    if (stream == NULL)
        return 0;
    struct channel_response *r = &stream->response;
    r->block_bytes += name_size + value_size + HTTP_FIELD_OVERHEAD_BYTES;
    if (r->block_bytes > HTTP_HEADER_BYTES_FATAL)
        return doom(link, "a header block without end");
    if (r->block_bytes > link->channel->options.header_bytes_max)
        r->is_too_large = true;
    else
        channel_response_field(stream, (const char *)name, name_size,
                               (const char *)value, value_size);
    return 0;
}

static void on_end_stream(struct channel_link *link, int32_t id)
{
    struct rpc_channel_stream *stream = find(link, id);
    if (stream == NULL)
        return;
    link->has_answered = true;
    channel_stream_complete(stream);
}

static void on_settings(struct channel_link *link)
{
    if (link->stage == CHANNEL_LINK_READY) {
        channel_pump(link->channel); /* there may be more room */
        return;
    }
    link->stage = CHANNEL_LINK_READY;
    link->idle_us = now_us(link);
    loop_timer_stop(&link->timer);
    metrics_add(channel_counters()->connections, 1);
    channel_link_watch(link);
    channel_dial_done(link);
}

/* "too_many_pings": half as often from now on (gRFC A8). */
static void on_goaway(struct channel_link *link, const nghttp2_goaway *goaway)
{
    static const char pings[] = "too_many_pings";
    struct rpc_channel_options *o = &link->channel->options;
    link->is_leaving = true;
    link->last_stream = goaway->last_stream_id;
    if (goaway->error_code == NGHTTP2_ENHANCE_YOUR_CALM &&
        goaway->opaque_data_len == sizeof pings - 1 &&
        memcmp(goaway->opaque_data, pings, sizeof pings - 1) == 0 &&
        o->keepalive_ms <= UINT32_MAX / 2)
        o->keepalive_ms *= 2;
}

static int on_frame_received(nghttp2_session *session,
                             const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct channel_link *link = user;
    bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    struct rpc_channel_stream *stream;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        stream = find(link, frame->hd.stream_id);
        if (stream != NULL)
            channel_response_block_end(stream);
        break;
    case NGHTTP2_DATA:
        break;
    case NGHTTP2_SETTINGS:
        if (!is_ack)
            on_settings(link);
        return 0;
    case NGHTTP2_PING:
        if (is_ack) {
            link->ping_us = 0;
            channel_link_watch(link);
        }
        return 0;
    case NGHTTP2_GOAWAY:
        on_goaway(link, &frame->goaway);
        return 0;
    default:
        return 0;
    }
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        on_end_stream(link, frame->hd.stream_id);
    return 0;
}

/* Padding counts against the windows like data (RFC 9113 6.1), and nghttp2
 * consumes it by itself. */
static int on_data(nghttp2_session *session, uint8_t flags, int32_t id,
                   const uint8_t *bytes, size_t size, void *user)
{
    (void)flags;
    struct rpc_channel_stream *stream = find(user, id);
    h2_check(nghttp2_session_consume_connection(session, size));
    if (stream != NULL)
        channel_response_data(stream, bytes, size);
    return 0;
}

/* What an RST_STREAM means to a caller: gRPC's PROTOCOL-HTTP2.md. */
static rpc_code code_of_reset(uint32_t error_code)
{
    switch (error_code) {
    case NGHTTP2_REFUSED_STREAM:
        return RPC_UNAVAILABLE;
    case NGHTTP2_CANCEL:
        return RPC_CANCELLED;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return RPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return RPC_PERMISSION_DENIED;
    default:
        return RPC_INTERNAL;
    }
}

static channel_failure failure_of(const struct channel_link *link,
                                  const struct rpc_channel_stream *stream,
                                  uint32_t error_code)
{
    if (!stream->is_sent || stream->fill > link->fills_begun ||
        (link->is_leaving && stream->id > link->last_stream))
        return CHANNEL_UNSEEN;
    return error_code == NGHTTP2_REFUSED_STREAM ? CHANNEL_REFUSED
                                                : CHANNEL_FAILED;
}

/* The streams that a response ended are forgotten already: this one was reset,
 * or never left. */
static int on_stream_close(nghttp2_session *session, int32_t id,
                           uint32_t error_code, void *user)
{
    (void)session;
    struct channel_link *link = user;
    struct rpc_channel_stream *stream = find(link, id);
    if (stream != NULL) {
        channel_failure failure = failure_of(link, stream, error_code);
        stream->id = 0; /* nothing is left to be reset */
        channel_stream_fail(stream, failure, code_of_reset(error_code),
                            "the stream was reset: %s",
                            nghttp2_http2_strerror(error_code));
    }
    channel_pump(link->channel);
    return 0;
}

/* --- sending --- */

/* Before and not after: nghttp2 tells of a frame's end when it is asked for the
 * next one, and then a request could have left that counts as unsent. */
static int on_frame_to_send(nghttp2_session *session,
                            const nghttp2_frame *frame, void *user)
{
    (void)session;
    struct channel_link *link = user;
    struct rpc_channel_stream *stream = frame->hd.type == NGHTTP2_HEADERS
                                            ? find(link, frame->hd.stream_id)
                                            : NULL;
    if (stream == NULL)
        return 0;
    stream->is_sent = true;
    stream->fill = link->fills;
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame,
                         void *user)
{
    (void)session;
    struct channel_link *link = user;
    if (frame->hd.type == NGHTTP2_GOAWAY &&
        frame->goaway.error_code != NGHTTP2_NO_ERROR)
        link->complaint = nghttp2_http2_strerror(frame->goaway.error_code);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    if (frame->hd.type == NGHTTP2_DATA)
        link->data_frames_sent++;
    struct rpc_channel_stream *stream = find(link, frame->hd.stream_id);
    if (stream != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        stream->is_ended = true;
    return 0;
}

/* By its number, and not by a pointer: the stream may have been forgotten, with
 * its reset still in the queue. */
static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *bytes,
                         size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)source;
    struct rpc_channel_stream *stream = find(user, id);
    if (stream == NULL)
        return NGHTTP2_ERR_DEFERRED;
    size_t count = channel_request_read(stream, bytes, size);
    if (channel_request_queued(stream) == 0 && stream->is_half_closed) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (count == 0) {
        stream->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)count;
}

size_t channel_h2_fill(struct channel_link *link, uint8_t *bytes, size_t size)
{
    size_t filled = 0;
    link->fills++;
    while (filled < size) {
        const uint8_t *frame;
        ssize_t count = nghttp2_session_mem_send(link->session, &frame);
        if (count <= 0)
            break; /* the session then wants nothing any more: it is over */
        assert(filled + (size_t)count <= size + SOCKET_OUTPUT_SLACK_BYTES);
        memcpy(bytes + filled, frame, (size_t)count);
        filled += (size_t)count;
    }
    return filled;
}

/* --- what all sessions of a loop have --- */

static void set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks,
                                                          on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks,
                                                            on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks,
                                                         on_frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                              on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                           on_stream_close);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks,
                                                             on_frame_to_send);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks,
                                                         on_frame_sent);
}

void channel_h2_start(struct channel_shared *shared)
{
    h2_check(nghttp2_session_callbacks_new(&shared->callbacks));
    set_callbacks(shared->callbacks);
    shared->option = h2_option_create(CONTINUATIONS_MAX);
    shared->memory = h2_memory(shared->pool);
}

void channel_h2_stop(struct channel_shared *shared)
{
    nghttp2_session_callbacks_del(shared->callbacks);
    nghttp2_option_del(shared->option);
}

/* --- life of a session --- */

void channel_h2_open(struct channel_link *link)
{
    struct channel_shared *shared = link->shared;
    const struct rpc_channel_options *o = &link->channel->options;
    const nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o->window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, o->header_bytes_max},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    h2_check(nghttp2_session_client_new3(&link->session, shared->callbacks,
                                         link, shared->option,
                                         &shared->memory));
    h2_check(nghttp2_submit_settings(link->session, NGHTTP2_FLAG_NONE, entries,
                                     sizeof entries / sizeof entries[0]));
    uint32_t window = o->window_bytes > CONNECTION_WINDOW_BYTES
                          ? o->window_bytes
                          : CONNECTION_WINDOW_BYTES;
    h2_check(nghttp2_session_set_local_window_size(
        link->session, NGHTTP2_FLAG_NONE, 0, (int32_t)window));
}

void channel_h2_close(struct channel_link *link, const char *reason)
{
    while (link->streams.first != NULL) {
        struct rpc_channel_stream *stream = link->streams.first;
        channel_stream_fail(
            stream, failure_of(link, stream, 0), RPC_UNAVAILABLE,
            "the connection to %s was lost: %s", link->peer, reason);
    }
    nghttp2_session_del(link->session);
    link->session = NULL;
}

bool channel_h2_receive(struct channel_link *link, const uint8_t *bytes,
                        size_t size)
{
    channel_link_mark_dirty(link);
    ssize_t outcome = nghttp2_session_mem_recv(link->session, bytes, size);
    if (outcome < 0 && link->doom == NULL)
        link->doom = nghttp2_strerror((int)outcome);
    return link->doom == NULL;
}

bool channel_h2_is_over(const struct channel_link *link)
{
    if (link->is_leaving && link->streams.count == 0)
        return true;
    return !nghttp2_session_want_read(link->session) &&
           !nghttp2_session_want_write(link->session);
}

void channel_h2_ping(struct channel_link *link)
{
    link->ping_us = now_us(link);
    h2_check(nghttp2_submit_ping(link->session, NGHTTP2_FLAG_NONE, NULL));
    channel_link_mark_dirty(link);
}

void channel_h2_leave(struct channel_link *link)
{
    h2_check(nghttp2_submit_goaway(link->session, NGHTTP2_FLAG_NONE, 0,
                                   NGHTTP2_NO_ERROR, NULL, 0));
}

/* --- streams --- */

bool channel_link_has_room(const struct channel_link *link)
{
    return link->stage == CHANNEL_LINK_READY && !link->is_leaving &&
           nghttp2_session_check_request_allowed(link->session) &&
           link->streams.count <
               nghttp2_session_get_remote_settings(
                   link->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* struct http_header is laid out as nghttp2_nv (rpc/h2_stream.c). */
static nghttp2_nv *copy_fields(struct pool *pool,
                               const struct http_block *block)
{
    nghttp2_nv *fields = pool_alloc(
        pool, (block->count + CHANNEL_ATTEMPT_FIELDS) * sizeof *fields);
    memcpy(fields, block->fields, block->count * sizeof *fields);
    return fields;
}

void channel_h2_submit(struct channel_link *link,
                       struct rpc_channel_stream *stream)
{
    struct pool *pool = link->shared->pool;
    char texts[CHANNEL_ATTEMPT_FIELDS][CHANNEL_ATTEMPT_TEXT_BYTES];
    const nghttp2_data_provider body = {.read_callback = read_body};
    nghttp2_nv *fields = copy_fields(pool, stream->fields);
    size_t count = stream->fields->count;
    count += channel_request_attempt(stream, fields + count, texts);
    stream->phase = CHANNEL_STREAM_OPEN;
    stream->link = link;
    stream->is_sent = stream->is_deferred = stream->is_ended = false;
    stream->attempts++;
    metrics_add(stream->numbers->started, 1);
    stream->peer = arena_strdup(stream->call->arena, link->peer);
    channel_list_add(&link->streams, stream);
    stream->id = nghttp2_submit_request(link->session, NULL, fields, count,
                                        &body, stream);
    pool_free(pool, fields);
    if (stream->id < 0) {
        h2_check(stream->id);
        link->is_leaving = true; /* no identifiers are left */
        channel_stream_fail(stream, CHANNEL_UNSEEN, RPC_UNAVAILABLE, "%s",
                            "the connection takes no more calls");
        return;
    }
    channel_link_mark_dirty(link);
    channel_link_watch(link);
}

void channel_h2_resume(struct rpc_channel_stream *stream)
{
    if (stream->link == NULL || !stream->is_deferred)
        return;
    stream->is_deferred = false;
    h2_check(nghttp2_session_resume_data(stream->link->session, stream->id));
    channel_link_mark_dirty(stream->link);
}

void channel_h2_consumed(struct rpc_channel_stream *stream, size_t bytes)
{
    if (bytes == 0 || stream->link == NULL)
        return;
    h2_check(nghttp2_session_consume_stream(stream->link->session, stream->id,
                                            bytes));
    channel_link_mark_dirty(stream->link);
}

/* Of a whole response the request may be half sent: the server does not want
 * the rest. */
void channel_h2_forget(struct rpc_channel_stream *stream)
{
    struct channel_link *link = stream->link;
    bool is_whole = stream->response.is_complete;
    stream->link = NULL;
    channel_list_remove(stream);
    if (link->streams.count == 0)
        link->idle_us = now_us(link);
    if (link->session == NULL || stream->id <= 0)
        return;
    h2_check(
        nghttp2_session_set_stream_user_data(link->session, stream->id, NULL));
    if (!is_whole || !stream->is_ended)
        h2_check(nghttp2_submit_rst_stream(
            link->session, NGHTTP2_FLAG_NONE, stream->id,
            is_whole ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL));
    channel_link_mark_dirty(link);
    channel_link_watch(link);
}
