/* HTTP/1.1: one request after another.
 *
 *   request    HEAD -> BODY -> ENDED
 *   response         none -> head -> body -> out
 *
 * The two run beside each other; when both have come to their end, the next
 * request is read.  A response that is out before its request has ended closes
 * the connection, unless little is left of it. */
#include "rpc/h1.h"

#include "rpc/clock.h"
#include "rpc/wire.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

enum {
    /* A head is seldom longer; what is read beyond it waits here, when it is
     * the next request. */
    HEAD_READ_BYTES = 16 * 1024,
    /* Of a body that no handler has taken: as a stream of HTTP/2. */
    WINDOW_BYTES = 64 * 1024,
    /* A rest up to this size is not charged to the memory budget. */
    REST_BYTES_FREE = 4096,
};

static const struct h1_refusal slow_head = {
    "408 Request Timeout", "http1_slow_head",
    "The request's header fields came too slowly."};
static const struct h1_refusal no_memory = {"503 Service Unavailable",
                                            "http1_memory",
                                            "The server is short of memory."};

static bool has_request_begun(const struct h1 *h1)
{
    return h1->reader.stage != H1_READ_REQUEST_LINE || h1->rest_size > 0;
}

static bool is_reading_head(const struct h1 *h1)
{
    return !h1_reader_has_head(&h1->reader) && has_request_begun(h1);
}

static bool is_idle(const struct h1 *h1)
{
    return h1->stream == NULL && !has_request_begun(h1);
}

/* --- the rest --- */

static void drop_rest(struct conn *conn)
{
    struct h1 *h1 = conn->h1;
    rpc_worker_give_memory(conn->net->worker, conn->share, h1->charged_bytes);
    pool_free(conn->net->pool, h1->rest);
    h1->rest = NULL;
    h1->rest_size = h1->charged_bytes = 0;
}

static bool charge_rest(struct conn *conn, size_t size)
{
    if (size <= REST_BYTES_FREE)
        return true;
    if (!rpc_worker_take_memory(conn->net->worker, conn->share, size))
        return false;
    conn->h1->charged_bytes = size;
    return true;
}

static bool keep_rest(struct conn *conn, const char *bytes, size_t size)
{
    struct h1 *h1 = conn->h1;
    if (size == 0)
        return true;
    if (!charge_rest(conn, size))
        return false;
    h1->rest = pool_alloc(conn->net->pool, size);
    memcpy(h1->rest, bytes, size);
    h1->rest_size = size;
    return true;
}

/* --- the life of an exchange --- */

bool h1_can_discard(const struct h1 *h1)
{
    return h1->reader.has_length && !h1->owes_continue &&
           h1->reader.body_left <= H1_DISCARD_BYTES_MAX;
}

static void begin_waiting(struct conn *conn)
{
    struct h1 *h1 = conn->h1;
    h1_reader_init(&h1->reader, conn_options(conn)->header_bytes_max);
    h1->head_us = conn->idle_us = conn_now_us(conn);
    h1->is_for_head = h1->owes_continue = false;
    conn->has_unread |= h1->rest_size > 0;
    if (conn->drain == CONN_LEAVING && h1->rest_size == 0)
        h1->is_over = true;
}

void h1_end_exchange(struct conn *conn)
{
    struct h1 *h1 = conn->h1;
    struct http_stream *stream = h1->stream;
    http_stream_finish(stream);
    pool_free(conn->net->pool, stream);
    h1->stream = NULL;
    if (h1_reader_has_ended(&h1->reader) && !h1->closes)
        begin_waiting(conn);
    else if (h1->closes || !h1_can_discard(h1))
        h1->is_over = true;
}

/* The client did what nobody may.  A response that has begun cannot be taken
 * back: then its missing end tells. */
static bool refuse(struct conn *conn, const struct h1_refusal *refusal)
{
    struct h1 *h1 = conn->h1;
    struct http_stream *stream = h1->stream;
    bool is_answered = stream == NULL && h1_reader_has_head(&h1->reader);
    conn->refusal = refusal->reason;
    net_count_ended(refusal->reason, conn->peer);
    if (refusal->status == NULL || (stream != NULL && stream->is_responded))
        return false;
    h1->closes = h1->is_over = true;
    if (stream != NULL)
        h1_end_exchange(conn);
    if (!is_answered)
        h1_put_refusal(conn, refusal);
    return true;
}

/* --- what the reader tells --- */

static void add_field(struct conn *conn, const char *name, size_t name_size,
                      const char *value, size_t value_size)
{
    http_fields_add(conn->fields, (const uint8_t *)name, name_size,
                    (const uint8_t *)value, value_size);
}

static void on_request_line(struct conn *conn, const struct h1_piece *line)
{
    const char *scheme = conn->socket.tls != NULL ? "https" : "http";
    conn->fields = http_fields_take(conn);
    conn->fields->is_request = true;
    conn->h1->is_for_head =
        line->name_size == 4 && memcmp(line->name, "HEAD", 4) == 0;
    add_field(conn, ":method", 7, line->name, line->name_size);
    add_field(conn, ":scheme", 7, scheme, strlen(scheme));
    add_field(conn, ":path", 5, line->value, line->value_size);
}

/* Pseudo-header fields come first. */
static void add_authority(struct conn *conn, const struct h1_piece *field)
{
    struct http_fields *fields = conn->fields;
    enum { PLACE = 3 };
    add_field(conn, ":authority", 10, field->value, field->value_size);
    struct http_field authority = fields->fields[fields->count - 1];
    memmove(fields->fields + PLACE + 1, fields->fields + PLACE,
            (fields->count - 1 - PLACE) * sizeof authority);
    fields->fields[PLACE] = authority;
}

static void on_field(struct conn *conn, const struct h1_piece *field)
{
    if (h1_is_hop_by_hop(field->name, field->name_size))
        return;
    if (field->name_size == 4 && memcmp(field->name, "host", 4) == 0)
        add_authority(conn, field);
    else
        add_field(conn, field->name, field->name_size, field->value,
                  field->value_size);
}

/* What is no call is answered at once, whatever else it would send. */
static void on_head(struct conn *conn)
{
    struct h1 *h1 = conn->h1;
    const struct http_wire *wire = wire_choose(conn, &h1_ops, conn->fields);
    struct http_stream *stream =
        pool_alloc_zeroed(conn->net->pool, wire->stream_bytes);
    conn_settle(conn);
    h1->stream = stream;
    h1->window_bytes = WINDOW_BYTES;
    h1->closes = h1->reader.wants_close || conn->drain == CONN_LEAVING;
    h1->owes_continue =
        h1->reader.expects_continue && h1_reader_expects_body(&h1->reader);
    http_stream_init(stream, conn, wire, &h1_ops);
    http_begin(stream, conn->fields, false);
    http_fields_give(conn);
    if (stream->transport.ops == NULL)
        http_half_close(stream);
}

static void on_body(struct conn *conn, const struct h1_piece *piece)
{
    struct h1 *h1 = conn->h1;
    struct http_stream *stream = h1->stream;
    h1->owes_continue = false; /* it did not wait for it */
    if (stream == NULL)
        return;
    size_t size = piece->value_size;
    h1->window_bytes -= size < h1->window_bytes ? size : h1->window_bytes;
    stream->wire->data(stream, (const uint8_t *)piece->value, size);
}

static void on_end(struct conn *conn)
{
    if (conn->h1->stream != NULL)
        http_half_close(conn->h1->stream);
    else
        begin_waiting(conn);
}

/* False when there is nothing more to read from these bytes. */
static bool tell(struct conn *conn, h1_event event,
                 const struct h1_piece *piece)
{
    switch (event) {
    case H1_REQUEST:
        on_request_line(conn, piece);
        return true;
    case H1_FIELD:
        on_field(conn, piece);
        return true;
    case H1_HEAD:
        on_head(conn);
        return true;
    case H1_BODY:
        on_body(conn, piece);
        return true;
    case H1_END:
        on_end(conn);
        return false;
    case H1_MORE:
    case H1_REFUSED:
        return false;
    }
    return false;
}

/* A request that has ended is answered before the next one is looked at. */
static bool read_bytes(struct conn *conn, char *bytes, size_t size)
{
    struct h1 *h1 = conn->h1;
    struct h1_piece piece;
    h1_event event;
    if (!has_request_begun(h1))
        h1->head_us = conn_now_us(conn);
    do {
        event = h1_read(&h1->reader, bytes, size, &piece);
        bytes += piece.used;
        size -= piece.used;
    } while (tell(conn, event, &piece));
    if (event == H1_REFUSED)
        return refuse(conn, h1->reader.refusal);
    if (!keep_rest(conn, bytes, size))
        return refuse(conn, &no_memory);
    conn->has_unread |= event == H1_END && size > 0;
    return true;
}

/* What is left of earlier bytes goes before these: a line is read in one piece.
 */
static bool read_behind_rest(struct conn *conn, const uint8_t *bytes,
                             size_t size)
{
    struct h1 *h1 = conn->h1;
    struct pool *pool = conn->net->pool;
    size_t all_size = h1->rest_size + size;
    char *all = pool_alloc(pool, all_size);
    memcpy(all, h1->rest, h1->rest_size);
    memcpy(all + h1->rest_size, bytes, size);
    drop_rest(conn);
    bool is_fine = read_bytes(conn, all, all_size);
    pool_free(pool, all);
    return is_fine;
}

static bool receive(struct conn *conn, uint8_t *bytes, size_t size)
{
    conn_mark_dirty(conn);
    if (conn->refusal != NULL)
        return true;
    if (conn->h1->rest_size > 0)
        return read_behind_rest(conn, bytes, size);
    return size == 0 || read_bytes(conn, (char *)bytes, size);
}

/* --- for rpc/conn.c --- */

/* A body whose length is known is read to its end and no further. */
static size_t room_for_body(const struct h1 *h1)
{
    size_t room = h1->stream != NULL ? h1->window_bytes : H1_DISCARD_BYTES_MAX;
    if (h1->reader.has_length && h1->reader.body_left < room)
        return (size_t)h1->reader.body_left;
    return room;
}

/* A handler that outlived its exchange keeps the connection's one place. */
static size_t room(const struct conn *conn)
{
    const struct h1 *h1 = conn->h1;
    if (h1->is_over || h1_reader_has_ended(&h1->reader))
        return 0;
    if (h1_reader_has_head(&h1->reader))
        return room_for_body(h1);
    return conn->orphan_count > 0 ? 0 : HEAD_READ_BYTES;
}

/* A client that vanished is found by the kernel: there is no PING to send. */
static void keep_alive(struct conn *conn)
{
    const struct rpc_server_options *options = conn_options(conn);
    int on = 1;
    int idle_seconds = (int)(options->keepalive_ms / 1000) + 1;
    setsockopt(conn->socket.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(conn->socket.fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds,
               sizeof idle_seconds);
}

static void drain(struct conn *conn, const char *reason)
{
    struct h1 *h1 = conn->h1;
    if (conn->drain != CONN_SERVING)
        return;
    conn->drain = CONN_LEAVING;
    conn->drain_reason = reason;
    conn->drain_us = conn_now_us(conn);
    if (h1->stream != NULL) {
        h1->closes = true;
        rpc_transport_drain(&h1->stream->transport);
    }
    h1->is_over |= is_idle(h1);
    conn_mark_dirty(conn);
}

static void open_h1(struct conn *conn)
{
    conn->h1 = pool_alloc_zeroed(conn->net->pool, sizeof *conn->h1);
    begin_waiting(conn);
    keep_alive(conn);
}

static void close_h1(struct conn *conn)
{
    struct h1 *h1 = conn->h1;
    struct pool *pool = conn->net->pool;
    if (h1->stream != NULL)
        h1_end_exchange(conn);
    drop_rest(conn);
    http_fields_free(pool, conn->fields);
    conn->fields = NULL;
    pool_free(pool, h1->head);
    pool_free(pool, h1);
    conn->h1 = NULL;
}

static bool is_over(const struct conn *conn)
{
    const struct h1 *h1 = conn->h1;
    return h1->is_over && h1->head == NULL && h1->stream == NULL;
}

static void fail_calls(struct conn *conn, rpc_code code, const char *message)
{
    struct http_stream *stream = conn->h1->stream;
    if (stream != NULL && stream->transport.ops != NULL)
        rpc_transport_fail(&stream->transport, code, message);
}

/* --- time limits --- */

/* Between two chunks a client may think as long as its call lives.  What was
 * announced has to come. */
static bool owes_bytes(const struct conn *conn)
{
    const struct h1 *h1 = conn->h1;
    if (!h1_reader_has_head(&h1->reader) || room(conn) == 0)
        return false;
    return h1->reader.stage != H1_READ_CHUNK_SIZE || h1->rest_size > 0 ||
           h1->stream == NULL;
}

static void end_slow_body(struct conn *conn)
{
    struct h1 *h1 = conn->h1;
    net_count_ended("http1_slow_body", conn->peer);
    conn->refusal = "http1_slow_body";
    h1->closes = true;
    if (h1->stream != NULL)
        fail_calls(conn, RPC_DEADLINE_EXCEEDED,
                   "the request's body came too slowly");
    else
        h1->is_over = true;
}

static void sweep(struct conn *conn, int64_t at_us)
{
    const struct rpc_server_options *options = conn_options(conn);
    const struct h1 *h1 = conn->h1;
    if (conn->refusal != NULL)
        return;
    if (h1->stream != NULL)
        http_sweep_message(h1->stream, room(conn) > 0, at_us);
    if (is_idle(h1) && clock_is_overdue(conn->idle_us, options->idle_ms, at_us))
        drain(conn, "max_idle");
    else if (is_reading_head(h1) &&
             clock_is_overdue(h1->head_us, options->handshake_ms, at_us))
        refuse(conn, &slow_head);
    else if (owes_bytes(conn) &&
             clock_is_overdue(conn->received_us, options->stall_ms, at_us))
        end_slow_body(conn);
    else
        return;
    conn_mark_dirty(conn);
}

const struct conn_protocol h1_protocol = {
    .name = "http1",
    .open = open_h1,
    .close = close_h1,
    .room = room,
    .receive = receive,
    .fill = h1_fill,
    .is_over = is_over,
    .drain = drain,
    .fail_calls = fail_calls,
    .sweep = sweep,
};
