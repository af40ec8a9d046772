/* What the versions of HTTP share: the life of a stream, and its body on the
 * way out. */
#include "rpc/http.h"

#include "rpc/observe.h"

/* Bodies up to this size are not charged to the memory budget. */
enum { BODY_BYTES_FREE = 4096 };

/* Small ones are not worth counting. */
static bool body_charge(struct http_stream *stream, size_t capacity)
{
    struct rpc_worker *worker = http_worker(stream);
    struct memory_share *share = stream->conn->share;
    size_t charge = capacity > BODY_BYTES_FREE ? capacity : 0;
    struct http_body *body = &stream->body;
    if (charge == body->charged_bytes)
        return true;
    if (charge < body->charged_bytes)
        rpc_worker_give_memory(worker, share, body->charged_bytes - charge);
    else if (!rpc_worker_take_memory(worker, share,
                                     charge - body->charged_bytes))
        return false;
    body->charged_bytes = charge;
    return true;
}

void http_discard_body(struct http_stream *stream)
{
    stream->conn->queued_bytes -= http_queued(stream);
    body_charge(stream, 0);
    pool_free(http_pool(stream), stream->body.bytes);
    stream->body = (struct http_body){0};
}

static size_t grown_capacity(size_t capacity, size_t needed)
{
    if (capacity == 0)
        return needed;
    while (capacity < needed)
        capacity *= 2;
    return capacity;
}

uint8_t *http_reserve(struct http_stream *stream, size_t size)
{
    struct http_body *body = &stream->body;
    if (size == 0 && body->bytes == NULL)
        size = 1; /* an empty message has a place, too */
    if (body->start > 0 && body->end + size > body->capacity) {
        memmove(body->bytes, body->bytes + body->start, http_queued(stream));
        body->end -= body->start;
        body->start = 0;
    }
    if (body->end + size > body->capacity) {
        body->capacity = grown_capacity(body->capacity, body->end + size);
        if (!body_charge(stream, body->capacity))
            stream->is_starved = true;
        body->bytes =
            pool_realloc(http_pool(stream), body->bytes, body->capacity);
    }
    return body->bytes + body->end;
}

/* What did not fit is written already; it goes with the stream, in this pass.
 * A tail hears of it then. */
static void starve(struct http_stream *stream)
{
    observe_refusal("memory");
    if (stream->wire->running_call(stream) != NULL)
        rpc_transport_starve(&stream->transport);
    stream->ops->abort(stream);
}

void http_commit(struct http_stream *stream, size_t size)
{
    if (http_queued(stream) == 0)
        stream->progress_us = conn_now_us(stream->conn);
    stream->body.end += size;
    stream->conn->queued_bytes += size;
    stream->ops->body_changed(stream);
    if (stream->is_starved && !stream->is_finished)
        starve(stream);
}

void http_end_body(struct http_stream *stream)
{
    stream->is_body_ended = true;
    stream->ops->body_changed(stream);
}

struct rpc_head *http_begin_call(struct http_stream *stream)
{
    const struct conn *conn = stream->conn;
    struct rpc_head *head =
        rpc_transport_begin(&stream->transport, http_worker(stream));
    struct arena *arena = stream->transport.call->arena;
    head->peer = arena_strdup(arena, conn->peer);
    head->peer_key = conn->key;
    head->roles = conn->roles;
    head->share = conn->share;
    if (conn->identity != NULL)
        head->peer_identity = arena_strdup(arena, conn->identity);
    return head;
}

void http_stream_init(struct http_stream *stream, struct conn *conn,
                      const struct http_wire *wire, const struct http_ops *ops)
{
    stream->wire = wire;
    stream->ops = ops;
    stream->conn = conn;
    stream->progress_us = conn_now_us(conn);
    conn->stream_count++;
    conn->counts.streams_started++;
    conn->counts.stream_us = stream->progress_us;
}

void http_answered(struct http_stream *stream)
{
    stream->is_finished = stream->is_answered = true;
    stream->conn->counts.streams_succeeded++;
}

static void orphan_over(void *argument)
{
    struct conn *conn = argument;
    conn->orphan_count--;
    conn_mark_dirty(conn); /* it may wait for the place */
    conn_release(conn);
}

/* A handler that outlives its stream still holds one of the connection's slots,
 * or resetting streams would be a way round the limit. */
static void keep_slot(struct http_stream *http)
{
    struct rpc_call *call = http->wire->running_call(http);
    if (call == NULL)
        return;
    conn_hold(http->conn);
    http->conn->orphan_count++;
    rpc_defer(call, orphan_over, http->conn);
}

void http_stream_finish(struct http_stream *stream)
{
    struct conn *conn = stream->conn;
    keep_slot(stream);
    if (--conn->stream_count == 0)
        conn->idle_us = conn_now_us(conn);
    stream->is_finished = true;
    if (!stream->is_answered)
        stream->conn->counts.streams_failed++;
    stream->wire->closed(stream);
    http_discard_body(stream);
}

void http_begin(struct http_stream *stream, const struct http_fields *fields,
                bool is_remote_closed)
{
    stream->is_remote_closed = is_remote_closed;
    stream->wire->request(stream, fields);
    if (is_remote_closed)
        stream->wire->half_closed(stream);
}

void http_half_close(struct http_stream *stream)
{
    if (stream->is_remote_closed)
        return;
    stream->is_remote_closed = true;
    stream->wire->half_closed(stream);
}

void http_sweep_message(struct http_stream *stream, bool may_send,
                        int64_t at_us)
{
    int64_t limit_us = (int64_t)conn_options(stream->conn)->receive_ms * 1000;
    if (stream->message_us == 0)
        return;
    if (!may_send)
        stream->message_us = at_us;
    if (at_us - stream->message_us < limit_us)
        return;
    stream->message_us = 0;
    observe_refusal("message_timeout");
    rpc_transport_fail(&stream->transport, RPC_DEADLINE_EXCEEDED,
                       "the request came too slowly");
}

/* A window that is opened byte by byte must not hold the rest for ever. */
static void note_progress(struct http_stream *stream, size_t count)
{
    count += stream->progress_bytes;
    if (count < HTTP_PROGRESS_BYTES && http_queued(stream) > 0) {
        stream->progress_bytes = (uint16_t)count;
        return;
    }
    stream->progress_bytes = 0;
    stream->progress_us = conn_now_us(stream->conn);
}

size_t http_take_body(struct http_stream *stream, uint8_t *bytes, size_t size)
{
    struct http_body *body = &stream->body;
    size_t count = http_queued(stream);
    if (count > size)
        count = size;
    if (count > 0)
        memcpy(bytes, body->bytes + body->start, count);
    body->start += count;
    stream->conn->queued_bytes -= count;
    note_progress(stream, count);
    if (http_queued(stream) > 0)
        return count;
    http_discard_body(stream);
    if (!stream->is_body_ended)
        stream->wire->writable(stream);
    return count;
}
