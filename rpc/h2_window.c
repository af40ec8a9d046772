#include "rpc/h2_window.h"

#include "rpc/h2.h"

enum {
    CONNECTION_BYTES_MIN = 1024 * 1024,
    CONNECTION_BYTES_MAX = 16 * 1024 * 1024,
    CONNECTION_PER_STREAM = 4,
    /* A stream that has this part of its window out is worth a PING; a third of
     * the window in a round trip is near enough to its end: half of it may be
     * with a handler. */
    WORTH_PROBING = 4,
    NEARLY_FULL = 3,
    /* After a probe that told nothing new, and twice as long after each. */
    REST_US = 16 * 1000,
    REST_US_MAX = 8 * 1000 * 1000,
};

const uint8_t h2_window_ping[H2_WINDOW_PING_BYTES] = "window";

static bool is_memory_short(const struct conn *conn)
{
    const struct rpc_worker *worker = conn->net->worker;
    return worker->memory_bytes > worker->memory_bytes_max / 2;
}

static int32_t connection_bytes(int32_t stream_bytes)
{
    int32_t bytes = stream_bytes * CONNECTION_PER_STREAM;
    if (bytes < CONNECTION_BYTES_MIN)
        return CONNECTION_BYTES_MIN;
    return bytes > CONNECTION_BYTES_MAX ? CONNECTION_BYTES_MAX : bytes;
}

static void widen_connection(struct conn *conn)
{
    h2_check(nghttp2_session_set_local_window_size(
        conn->session, NGHTTP2_FLAG_NONE, 0,
        connection_bytes(conn->window.bytes)));
}

void h2_window_open(struct conn *conn)
{
    conn->window =
        (struct h2_window){.bytes = H2_WINDOW_BYTES_FIRST, .rest_us = REST_US};
    widen_connection(conn);
}

/* The setting changes the windows of streams that are open, too (RFC 9113
 * 6.9.2). */
static void resize(struct conn *conn, int32_t bytes)
{
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                          (uint32_t)bytes};
    conn->window.bytes = bytes;
    conn->window.is_resizing = true;
    h2_check(
        nghttp2_submit_settings(conn->session, NGHTTP2_FLAG_NONE, &entry, 1));
    widen_connection(conn);
    conn_mark_dirty(conn);
}

static bool may_grow(const struct conn *conn)
{
    return conn->window.bytes < H2_WINDOW_BYTES_MAX &&
           !conn->window.is_resizing && !is_memory_short(conn);
}

static bool is_worth_probing(const struct conn *conn, int32_t stream)
{
    return conn_now_us(conn) >= conn->window.rested_us && may_grow(conn) &&
           nghttp2_session_get_stream_effective_recv_data_length(
               conn->session, stream) > conn->window.bytes / WORTH_PROBING;
}

void h2_window_received(struct conn *conn, int32_t stream, size_t bytes)
{
    struct h2_window *window = &conn->window;
    if (window->probed_stream == stream)
        window->probed_bytes += bytes;
    if (window->probed_stream != 0 || !is_worth_probing(conn, stream))
        return;
    window->probed_stream = stream;
    window->probed_bytes = bytes;
    h2_check(
        nghttp2_submit_ping(conn->session, NGHTTP2_FLAG_NONE, h2_window_ping));
}

static void rest(struct conn *conn)
{
    struct h2_window *window = &conn->window;
    window->rested_us = conn_now_us(conn) + window->rest_us;
    if (window->rest_us < REST_US_MAX)
        window->rest_us *= 2;
}

void h2_window_pinged(struct conn *conn)
{
    struct h2_window *window = &conn->window;
    if (window->probed_stream == 0)
        return;
    bool is_full = window->probed_bytes >= (size_t)window->bytes / NEARLY_FULL;
    window->probed_stream = 0;
    if (!is_full || !may_grow(conn)) {
        rest(conn);
        return;
    }
    window->rest_us = REST_US;
    int32_t twice = (window->bytes + 1) * 2;
    resize(conn, twice > H2_WINDOW_BYTES_MAX ? H2_WINDOW_BYTES_MAX : twice);
}

void h2_window_settled(struct conn *conn)
{
    conn->window.is_resizing = false;
}

void h2_window_sweep(struct conn *conn)
{
    struct h2_window *window = &conn->window;
    if (window->bytes > H2_WINDOW_BYTES_FIRST && !window->is_resizing &&
        is_memory_short(conn))
        resize(conn, H2_WINDOW_BYTES_FIRST);
}
