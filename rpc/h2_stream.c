/* A stream: its place on the connection, and its body on the way out. */
#include "rpc/h2.h"

/* Bodies up to this size are not charged to the memory budget. */
enum { BODY_BYTES_FREE = 4096 };

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

struct h2_stream *h2_stream_create(struct conn *conn,
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
    h2_check(nghttp2_session_set_stream_user_data(conn->session, id, stream));
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
        conn->idle_us = conn_now_us(conn);
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

void h2_stream_destroy(struct h2_stream *stream)
{
    keep_slot(stream);
    stream_unlink(stream);
    stream->wire->closed(stream);
    body_free(stream);
    pool_free(h2_pool(stream), stream);
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
    stream->progress_us = conn_now_us(user);
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
    h2_check(nghttp2_submit_response(stream->conn->session, stream->id, fields,
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
    h2_check(nghttp2_session_resume_data(stream->conn->session, stream->id));
    conn_mark_dirty(stream->conn);
}

void h2_commit(struct h2_stream *stream, size_t size)
{
    if (h2_queued(stream) == 0)
        stream->progress_us = conn_now_us(stream->conn);
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
    h2_check(nghttp2_submit_trailer(stream->conn->session, stream->id, fields,
                                    count));
}

void h2_consumed(struct h2_stream *stream, size_t bytes)
{
    if (bytes == 0 || stream->is_remote_closed)
        return; /* nobody needs that window any more */
    h2_check(nghttp2_session_consume_stream(stream->conn->session, stream->id,
                                            bytes));
    conn_mark_dirty(stream->conn);
}

void h2_reset(struct h2_stream *stream, uint32_t error_code)
{
    stream->is_finished = true;
    h2_check(nghttp2_submit_rst_stream(stream->conn->session, NGHTTP2_FLAG_NONE,
                                       stream->id, error_code));
    conn_mark_dirty(stream->conn);
}

size_t h2_peer_header_bytes_max(const struct h2_stream *stream)
{
    return nghttp2_session_get_remote_settings(
        stream->conn->session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
}
