/* What HTTP/1.1 answers.  The head is made when the wire responds, and ended
 * when it is sent: by then it is mostly known how long the body is, and whether
 * the connection can go on. */
#include "rpc/clock.h"
#include "rpc/h1.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

enum {
    STATUS_LINE_BYTES = 64,
    ENDING_BYTES = 160, /* what complete_head() adds */
    /* What clients take, as far as is known: Node's 16 KiB is the smallest. */
    PEER_HEADER_BYTES_MAX = 16 * 1024,
    /* The size in hexadecimal digits, and CR LF twice. */
    CHUNK_FRAME_BYTES = 8 + 4,
    LAST_CHUNK_BYTES = 5,
};

static const char hundred[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* --- the head --- */

/* For people who look at the bytes: no program reads it (RFC 9112 4). */
static const char *phrase_of(const char *status)
{
    static const struct {
        const char *status;
        const char *phrase;
    } phrases[] = {
        {"200", "OK"},
        {"204", "No Content"},
        {"400", "Bad Request"},
        {"401", "Unauthorized"},
        {"403", "Forbidden"},
        {"404", "Not Found"},
        {"405", "Method Not Allowed"},
        {"408", "Request Timeout"},
        {"409", "Conflict"},
        {"415", "Unsupported Media Type"},
        {"429", "Too Many Requests"},
        {"431", "Request Header Fields Too Large"},
        {"499", "Client Closed Request"},
        {"500", "Internal Server Error"},
        {"501", "Not Implemented"},
        {"503", "Service Unavailable"},
        {"504", "Gateway Timeout"},
        {"505", "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
        if (strcmp(phrases[i].status, status) == 0)
            return phrases[i].phrase;
    return "";
}

/* A value with a line break would be two fields.  None comes here, by the rules
 * of rpc_set_header() and of the reader; this is the second lock. */
static char *put_value(char *at, const char *value, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)value[i];
        *at++ = byte < ' ' && byte != '\t' ? ' ' : value[i];
    }
    return at;
}

static char *put(char *at, const char *text)
{
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

static char *put_field(char *at, const struct http_header *field)
{
    memcpy(at, field->name, field->name_size);
    at = put(at + field->name_size, ": ");
    at = put_value(at, field->value, field->value_size);
    return put(at, "\r\n");
}

/* A status without a body says so by itself (RFC 9110 6.4.1). */
static bool has_length(const char *status)
{
    return status[0] != '1' && strcmp(status, "204") != 0 &&
           strcmp(status, "304") != 0;
}

static size_t head_bytes(const struct http_header *fields, size_t count)
{
    size_t bytes = STATUS_LINE_BYTES + ENDING_BYTES;
    for (size_t i = 1; i < count; i++)
        bytes += fields[i].name_size + fields[i].value_size + 4;
    return bytes;
}

static void respond(struct http_stream *stream,
                    const struct http_header *fields, size_t count,
                    bool with_body)
{
    struct h1 *h1 = stream->conn->h1;
    char status[4] = "";
    assert(h1->head == NULL && fields[0].value_size == 3);
    memcpy(status, fields[0].value, 3);
    h1->head = pool_alloc(http_pool(stream), head_bytes(fields, count));
    char *at = h1->head;
    at += sprintf(at, "HTTP/1.1 %s %s\r\n", status, phrase_of(status));
    for (size_t i = 1; i < count; i++)
        at = put_field(at, &fields[i]);
    h1->head_size = (size_t)(at - h1->head);
    h1->head_sent = 0;
    h1->is_head_complete = false;
    h1->has_length = has_length(status);
    stream->is_body_ended |= !with_body;
    conn_mark_dirty(stream->conn);
}

/* RFC 9110 6.6.1: a server with a clock tells the time. */
static char *put_date(char *at)
{
    time_t seconds = (time_t)(clock_wall_us() / 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    return at + strftime(at, ENDING_BYTES / 2,
                         "date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
}

static char *put_framing(char *at, struct h1 *h1)
{
    const struct http_stream *stream = h1->stream;
    h1->is_chunked = !stream->is_body_ended;
    if (h1->is_chunked)
        return put(at, "transfer-encoding: chunked\r\n");
    if (!h1->has_length || h1->is_for_head)
        return at;
    return at + sprintf(at, "content-length: %zu\r\n", http_queued(stream));
}

/* An answer that is complete before its request is: the client must not take
 * what it still sends for the beginning of the next one. */
static bool comes_early(const struct h1 *h1)
{
    return h1->stream->is_body_ended && !h1_reader_has_ended(&h1->reader) &&
           !h1_can_discard(h1);
}

static void complete_head(struct h1 *h1)
{
    char *at = put_date(h1->head + h1->head_size);
    at = put_framing(at, h1);
    h1->closes |= comes_early(h1);
    if (h1->closes)
        at = put(at, "connection: close\r\n");
    at = put(at, "\r\n");
    h1->head_size = (size_t)(at - h1->head);
    h1->is_head_complete = true;
}

void h1_put_refusal(struct conn *conn, const struct h1_refusal *refusal)
{
    struct h1 *h1 = conn->h1;
    struct pool *pool = conn->net->pool;
    size_t size = STATUS_LINE_BYTES + strlen(refusal->sentence) + ENDING_BYTES;
    pool_free(pool, h1->head);
    h1->head = pool_alloc(pool, size);
    char *at = h1->head;
    at += sprintf(at, "HTTP/1.1 %s\r\n", refusal->status);
    at = put_date(at);
    at += sprintf(at,
                  "content-type: text/plain; charset=utf-8\r\n"
                  "content-length: %zu\r\n"
                  "connection: close\r\n\r\n%s\n",
                  strlen(refusal->sentence) + 1, refusal->sentence);
    h1->head_size = (size_t)(at - h1->head);
    h1->head_sent = 0;
    h1->is_head_complete = true;
    conn_mark_dirty(conn);
}

/* --- the socket's turn --- */

/* Once it is answered, the client has no use for it. */
static size_t fill_continue(struct h1 *h1, uint8_t *bytes)
{
    if (!h1->owes_continue || h1->stream == NULL || h1->stream->is_responded)
        return 0;
    h1->owes_continue = false;
    memcpy(bytes, hundred, sizeof hundred - 1);
    return sizeof hundred - 1;
}

static size_t fill_head(struct conn *conn, uint8_t *bytes, size_t size)
{
    struct h1 *h1 = conn->h1;
    if (h1->head == NULL)
        return 0;
    if (!h1->is_head_complete)
        complete_head(h1);
    size_t count = h1->head_size - h1->head_sent;
    if (count > size)
        count = size;
    memcpy(bytes, h1->head + h1->head_sent, count);
    h1->head_sent += count;
    if (h1->head_sent == h1->head_size) {
        pool_free(conn->net->pool, h1->head);
        h1->head = NULL;
    }
    return count;
}

/* The digits are as many as they need, so that the piece lies where it stays.
 */
static size_t fill_chunk(struct http_stream *stream, uint8_t *bytes,
                         size_t size)
{
    char line[CHUNK_FRAME_BYTES + 1];
    size_t count = http_queued(stream);
    if (count > size - CHUNK_FRAME_BYTES)
        count = size - CHUNK_FRAME_BYTES;
    int line_size = sprintf(line, "%zx\r\n", count);
    memcpy(bytes, line, (size_t)line_size);
    http_take_body(stream, bytes + line_size, count);
    memcpy(bytes + line_size + count, "\r\n", 2);
    return (size_t)line_size + count + 2;
}

static size_t fill_piece(struct h1 *h1, uint8_t *bytes, size_t size)
{
    if (h1->is_chunked && !h1->is_for_head)
        return fill_chunk(h1->stream, bytes, size);
    size_t count = http_take_body(h1->stream, bytes, size);
    return h1->is_for_head ? 0 : count;
}

/* Taking the last bytes may bring new ones: the call is told that there is
 * room. */
static size_t fill_body(struct conn *conn, uint8_t *bytes, size_t size)
{
    struct h1 *h1 = conn->h1;
    struct http_stream *stream = h1->stream;
    size_t filled = 0;
    if (stream == NULL || !stream->is_responded || h1->head != NULL)
        return 0;
    while (http_queued(stream) > 0 && filled + CHUNK_FRAME_BYTES < size)
        filled += fill_piece(h1, bytes + filled, size - filled);
    if (http_queued(stream) > 0 || !stream->is_body_ended)
        return filled;
    if (h1->is_chunked && !h1->is_for_head) {
        memcpy(bytes + filled, "0\r\n\r\n", LAST_CHUNK_BYTES);
        filled += LAST_CHUNK_BYTES;
    }
    http_answered(stream);
    h1_end_exchange(conn);
    return filled;
}

/* Its end is missing, and that is how the client knows. */
static void cut_off(struct conn *conn)
{
    struct h1 *h1 = conn->h1;
    pool_free(conn->net->pool, h1->head);
    h1->head = NULL;
    h1->closes = true;
    h1_end_exchange(conn);
}

size_t h1_fill(struct conn *conn, uint8_t *bytes, size_t size)
{
    const struct http_stream *stream = conn->h1->stream;
    if (stream != NULL && stream->is_starved) {
        cut_off(conn);
        return 0;
    }
    size_t filled = fill_continue(conn->h1, bytes);
    filled += fill_head(conn, bytes + filled, size - filled);
    return filled + fill_body(conn, bytes + filled, size - filled);
}

/* --- what the wires ask for --- */

static void body_changed(struct http_stream *stream)
{
    conn_mark_dirty(stream->conn);
}

static void send_trailers(struct http_stream *stream,
                          const struct http_header *fields, size_t count)
{
    (void)stream;
    (void)fields;
    (void)count;
    assert(!"a wire with trailers was chosen for HTTP/1.1");
}

static void consumed(struct http_stream *stream, size_t bytes)
{
    stream->conn->h1->window_bytes += bytes;
    conn_mark_dirty(stream->conn);
}

static size_t header_bytes_max(const struct http_stream *stream)
{
    (void)stream;
    return PEER_HEADER_BYTES_MAX;
}

static void abort_exchange(struct http_stream *stream)
{
    stream->is_finished = true; /* h1_fill() does the rest */
    conn_mark_dirty(stream->conn);
}

/* Chunks are not counted: one costs its sender more than it costs us. */
static void message_received(struct http_stream *stream)
{
    (void)stream;
}

const struct http_ops h1_ops = {
    .has_trailers = false,
    .respond = respond,
    .body_changed = body_changed,
    .send_trailers = send_trailers,
    .consumed = consumed,
    .header_bytes_max = header_bytes_max,
    .message_received = message_received,
    .abort = abort_exchange,
};
