/* A stream of HTTP/2: its place on the connection, and what the wires ask of
 * it. */
#include "rpc/h2.h"

#include <stddef.h>

/* The wire's struct begins where h2_stream ends. */
static struct h2_stream *of(const struct http_stream *http)
{
    return (struct h2_stream *)((uintptr_t)http -
                                offsetof(struct h2_stream, http));
}

struct h2_stream *h2_stream_create(struct conn *conn,
                                   const struct http_wire *wire, int32_t id)
{
    struct h2_stream *stream = pool_alloc_zeroed(
        conn->net->pool, offsetof(struct h2_stream, http) + wire->stream_bytes);
    http_stream_init(h2_http(stream), conn, wire, &h2_ops);
    stream->id = id;
    stream->next = conn->streams;
    if (stream->next != NULL)
        stream->next->previous = stream;
    conn->streams = stream;
    h2_check(nghttp2_session_set_stream_user_data(conn->session, id, stream));
    return stream;
}

static void stream_unlink(struct conn *conn, struct h2_stream *stream)
{
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        conn->streams = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
}

void h2_stream_destroy(struct h2_stream *stream)
{
    struct http_stream *http = h2_http(stream);
    struct conn *conn = http->conn;
    stream_unlink(conn, stream);
    http_stream_finish(http);
    pool_free(conn->net->pool, stream);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *bytes,
                         size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *user)
{
    (void)session;
    (void)id;
    (void)user;
    struct h2_stream *stream = source->ptr;
    struct http_stream *http = h2_http(stream);
    if (http_queued(http) == 0 && !http->is_body_ended) {
        stream->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t count = http_take_body(http, bytes, size);
    if (http_queued(http) > 0 || !http->is_body_ended)
        return (ssize_t)count;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (http->wire->drained != NULL) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        http->wire->drained(http);
    }
    return (ssize_t)count;
}

/* struct http_header is laid out as nghttp2_nv, so that none is copied. */
#define SAME_PLACE(ours, theirs)                               \
    _Static_assert(offsetof(struct http_header, ours) ==       \
                           offsetof(nghttp2_nv, theirs) &&     \
                       sizeof((struct http_header){0}.ours) == \
                           sizeof((nghttp2_nv){0}.theirs),     \
                   #ours)
SAME_PLACE(name, name);
SAME_PLACE(value, value);
SAME_PLACE(name_size, namelen);
SAME_PLACE(value_size, valuelen);
SAME_PLACE(flags, flags);
_Static_assert(sizeof(struct http_header) == sizeof(nghttp2_nv), "stride");
_Static_assert((int)HTTP_STATIC == (int)(NGHTTP2_NV_FLAG_NO_COPY_NAME |
                                         NGHTTP2_NV_FLAG_NO_COPY_VALUE),
               "static");
_Static_assert((int)HTTP_UNINDEXED == (int)NGHTTP2_NV_FLAG_NO_INDEX,
               "unindexed");

static const nghttp2_nv *as_nghttp2(const struct http_header *fields)
{
    return (const nghttp2_nv *)fields;
}

/* A stream that nghttp2 has closed meanwhile is no error: its close callback is
 * on the way. */
static void respond(struct http_stream *http, const struct http_header *fields,
                    size_t count, bool with_body)
{
    const nghttp2_data_provider body = {
        .source = {.ptr = of(http)},
        .read_callback = read_body,
    };
    h2_check(nghttp2_submit_response(http->conn->session, of(http)->id,
                                     as_nghttp2(fields), count,
                                     with_body ? &body : NULL));
    conn_mark_dirty(http->conn);
}

static void send_trailers(struct http_stream *http,
                          const struct http_header *fields, size_t count)
{
    h2_check(nghttp2_submit_trailer(http->conn->session, of(http)->id,
                                    as_nghttp2(fields), count));
}

static void body_changed(struct http_stream *http)
{
    struct h2_stream *stream = of(http);
    if (!stream->is_deferred)
        return;
    stream->is_deferred = false;
    h2_check(nghttp2_session_resume_data(http->conn->session, stream->id));
    conn_mark_dirty(http->conn);
}

static void consumed(struct http_stream *http, size_t bytes)
{
    h2_check(nghttp2_session_consume_stream(http->conn->session, of(http)->id,
                                            bytes));
    conn_mark_dirty(http->conn);
}

static size_t header_bytes_max(const struct http_stream *http)
{
    return nghttp2_session_get_remote_settings(
        http->conn->session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
}

static void message_received(struct http_stream *http)
{
    guard_message_received(&http->conn->guard);
}

static void abort_stream(struct http_stream *http)
{
    h2_reset(of(http), NGHTTP2_ENHANCE_YOUR_CALM);
}

const struct http_ops h2_ops = {
    .has_trailers = true,
    .respond = respond,
    .body_changed = body_changed,
    .send_trailers = send_trailers,
    .consumed = consumed,
    .header_bytes_max = header_bytes_max,
    .message_received = message_received,
    .abort = abort_stream,
};

void h2_reset(struct h2_stream *stream, uint32_t error_code)
{
    struct http_stream *http = h2_http(stream);
    http->is_finished = true;
    h2_check(nghttp2_submit_rst_stream(http->conn->session, NGHTTP2_FLAG_NONE,
                                       stream->id, error_code));
    conn_mark_dirty(http->conn);
}
