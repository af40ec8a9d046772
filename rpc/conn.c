/* One socket: reads are handed to the session at once, writes are gathered and
 * leave once per pass of the loop. */
#include "rpc/conn.h"

#include "rpc/channelz.h"
#include "rpc/hash.h"
#include "rpc/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* How much one connection may write in a pass before others get theirs. */
    WRITE_ROUNDS_MAX = 4,
    /* What the peer may still send when we have said our last word. */
    LINGER_BYTES_MAX = 1024 * 1024,
    TLS_RECORD_HANDSHAKE = 0x16,
    /* Steps of handshakes in a pass.  The one with the signature takes a third
     * of a millisecond (P-256) to a whole one (RSA 2048), and calls of other
     * connections wait for it. */
    HANDSHAKE_STEPS_MAX = 4,
};

/* --- life --- */

static void on_poll(uv_poll_t *poll, int status, int events);

void conn_hold(struct conn *conn)
{
    conn->references++;
}

void conn_release(struct conn *conn)
{
    assert(conn->references > 0);
    if (--conn->references > 0)
        return;
    free(conn->identity);
    memory_share_release(conn->share);
    pool_free(conn->net->pool, conn);
}

void conn_settle(struct conn *conn)
{
    if (conn->has_settled)
        return;
    conn->has_settled = true;
    net_settle(conn->net->server);
    if (conn->net->draining && conn->stage == CONN_TALKING)
        conn->protocol->drain(conn, "draining");
}

static void link_conn(struct conn *conn)
{
    struct rpc_net_worker *net = conn->net;
    conn->next = net->conns;
    if (conn->next != NULL)
        conn->next->previous = conn;
    net->conns = conn;
}

static void unlink_conn(struct conn *conn)
{
    if (conn->previous != NULL)
        conn->previous->next = conn->next;
    else
        conn->net->conns = conn->next;
    if (conn->next != NULL)
        conn->next->previous = conn->previous;
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    conn->net->poll_handles--;
    conn_release(conn);
}

static void end_protocol(struct conn *conn)
{
    if (conn->protocol != NULL)
        conn->protocol->close(conn);
    conn->protocol = NULL;
}

void conn_close(struct conn *conn)
{
    if (conn->stage == CONN_CLOSED)
        return;
    conn->stage = CONN_CLOSED;
    end_protocol(conn);
    uv_close((uv_handle_t *)&conn->poll, on_poll_closed);
    socket_close(&conn->socket, conn->net->pool);
    unlink_conn(conn);
    conn_settle(conn);
    net_leave(conn->net, conn->key);
}

/* --- what is waited for --- */

static bool may_read(const struct conn *conn)
{
    return conn->stage != CONN_TALKING || conn->protocol->room(conn) > 0;
}

/* No event tells of bytes that have left the socket already.  The loop comes
 * back to them after the other connections, and when this one can be written
 * to. */
static bool wants_turn(const struct conn *conn)
{
    return conn->stage == CONN_TALKING && conn->has_unread && may_read(conn);
}

/* A peer that is gone is noticed while nothing is read, too. */
static void set_interest(struct conn *conn, bool writable)
{
    if (conn->stage == CONN_CLOSED)
        return;
    int interest = may_read(conn) ? UV_READABLE : UV_DISCONNECT;
    if (writable || wants_turn(conn))
        interest |= UV_WRITABLE;
    if (interest == conn->interest)
        return;
    conn->interest = interest;
    if (uv_poll_start(&conn->poll, interest, on_poll) != 0)
        abort(); /* only a wrong handle or fd can do that */
}

/* --- writing --- */

void conn_mark_dirty(struct conn *conn)
{
    if (conn->is_dirty || conn->stage == CONN_CLOSED)
        return;
    conn->is_dirty = true;
    conn->next_dirty = conn->net->dirty;
    conn->net->dirty = conn;
    conn_hold(conn);
}

static void linger(struct conn *conn)
{
    if (conn->socket.tls != NULL)
        tls_say_goodbye(conn->socket.tls);
    conn->stage = CONN_LINGERING;
    end_protocol(conn);
    shutdown(conn->socket.fd, SHUT_WR);
    conn->lingering_us = conn_now_us(conn);
    set_interest(conn, false);
}

/* False when the socket is full or gone. */
static bool went_out(struct conn *conn, tls_result result, size_t sent)
{
    if (sent > 0) {
        conn->progress_us = conn_now_us(conn);
        conn->counts.bytes_sent += sent;
        metrics_add(conn->net->sent_bytes, (int64_t)sent);
    }
    if (result == TLS_CLOSED || result == TLS_FAILED)
        conn_close(conn);
    return result == TLS_DONE;
}

static void block(struct conn *conn)
{
    if (!conn->is_blocked)
        conn->progress_us = conn_now_us(conn);
    conn->is_blocked = true;
    set_interest(conn, true);
}

/* What an earlier pass could not send.  False while some is left. */
static bool send_rest(struct conn *conn)
{
    size_t sent;
    tls_result result = socket_send_rest(&conn->socket, conn->net->pool, &sent);
    if (went_out(conn, result, sent))
        return true;
    if (conn->stage != CONN_CLOSED)
        block(conn);
    return false;
}

/* One buffer full.  False when there is nothing left, or no use going on. */
static bool send_next(struct conn *conn)
{
    uint8_t *output = conn->net->output;
    size_t size = conn->protocol->fill(conn, output, SOCKET_OUTPUT_BYTES);
    if (size == 0)
        return false;
    size_t sent;
    tls_result result = socket_send(&conn->socket, output, size, &sent);
    if (went_out(conn, result, sent))
        return true;
    if (conn->stage == CONN_CLOSED)
        return false;
    socket_keep(&conn->socket, conn->net->pool, output + sent, size - sent);
    block(conn);
    return false;
}

static void flush(struct conn *conn)
{
    if (conn->stage != CONN_TALKING || !send_rest(conn))
        return;
    conn->is_blocked = false;
    int rounds = 0;
    while (rounds < WRITE_ROUNDS_MAX && send_next(conn))
        rounds++;
    if (conn->stage == CONN_CLOSED || conn->is_blocked)
        return;
    if (rounds == WRITE_ROUNDS_MAX)
        block(conn); /* until the loop has seen to the others */
    else if (conn->protocol->is_over(conn))
        linger(conn);
    else
        set_interest(conn, false);
}

void conn_flush_all(struct rpc_net_worker *net)
{
    while (net->dirty != NULL) {
        struct conn *conn = net->dirty;
        net->dirty = conn->next_dirty;
        conn->is_dirty = false;
        flush(conn);
        conn_release(conn);
    }
}

/* --- reading --- */

static void count_protocol(const struct conn_protocol *protocol)
{
    char label[32];
    snprintf(label, sizeof label, "protocol=\"%s\"", protocol->name);
    metrics_add(metrics_counter("grpc_server_connections_begun_total",
                                "Connections by what is spoken on them.",
                                label),
                1);
}

static void start_talking(struct conn *conn,
                          const struct conn_protocol *protocol)
{
    count_protocol(protocol);
    conn->stage = CONN_TALKING;
    conn->protocol = protocol;
    conn->idle_us = conn_now_us(conn);
    protocol->open(conn);
    conn_mark_dirty(conn);
}

static bool hand_over(struct conn *conn, uint8_t *bytes, size_t size)
{
    if (conn->protocol->receive(conn, bytes, size))
        return true;
    conn_close(conn);
    return false;
}

/* One read.  False when there is nothing more for now, or no use going on. */
static bool read_once(struct conn *conn, size_t room)
{
    uint8_t *input = conn->net->input;
    size_t count;
    tls_result result = socket_read(&conn->socket, input, room, &count);
    if (result == TLS_WANT_READ || result == TLS_WANT_WRITE)
        return false;
    if (result != TLS_DONE) {
        conn_close(conn);
        return false;
    }
    conn->received_us = conn_now_us(conn);
    conn->counts.bytes_received += count;
    metrics_add(conn->net->received_bytes, (int64_t)count);
    return hand_over(conn, input, count) && conn->stage == CONN_TALKING;
}

/* Takes all that TLS has decrypted: bytes inside OpenSSL do not make the socket
 * readable.  The peer's windows bound how much that can be. */
static void read_input(struct conn *conn)
{
    do {
        size_t room = conn->protocol->room(conn);
        if (room == 0) {
            conn->has_unread |= socket_has_pending(&conn->socket);
            return;
        }
        if (!read_once(conn, room))
            return;
    } while (conn->refusal == NULL && socket_has_pending(&conn->socket));
}

/* What waited for room comes first. */
static void take_turn(struct conn *conn)
{
    conn->has_unread = false;
    if (hand_over(conn, conn->net->input, 0) && conn->stage == CONN_TALKING)
        read_input(conn);
}

static void count_handshake(const char *result)
{
    char label[32];
    snprintf(label, sizeof label, "result=\"%s\"", result);
    metrics_add(metrics_counter("grpc_server_tls_handshakes_total",
                                "TLS handshakes, by their result.", label),
                1);
}

static void shaken_hands(struct conn *conn)
{
    count_handshake(tls_is_resumed(conn->socket.tls) ? "resumed" : "full");
    conn->identity = tls_peer_identity(conn->socket.tls);
}

/* What the operator of another service wants to know of its certificate. */
static void handshake_failed(struct conn *conn)
{
    count_handshake("failed");
    log_text(LOG_DEBUG, "net", "TLS handshake failed: %s, peer %s",
             tls_failure(conn->socket.tls), conn->peer);
    net_count_ended("handshake_failed", conn->peer);
    conn_close(conn);
}

/* Those that come too late in a pass are still readable in the next one. */
static void shake_hands(struct conn *conn)
{
    if (conn->net->handshake_steps++ >= HANDSHAKE_STEPS_MAX)
        return;
    switch (tls_handshake(conn->socket.tls)) {
    case TLS_DONE:
        shaken_hands(conn);
        set_interest(conn, false);
        start_talking(conn, tls_is_http_1(conn->socket.tls) ? &h1_protocol
                                                            : &h2_protocol);
        read_input(conn); /* the preface often comes with the last flight */
        return;
    case TLS_WANT_READ:
        set_interest(conn, false);
        return;
    case TLS_WANT_WRITE:
        set_interest(conn, true);
        return;
    default:
        handshake_failed(conn);
    }
}

static void start_tls(struct conn *conn)
{
    struct tls_identity *identity = net_take_identity(conn->net->server);
    if (identity != NULL)
        conn->socket.tls = tls_create(identity, conn->socket.fd);
    tls_identity_release(identity);
    if (conn->socket.tls == NULL) {
        conn_close(conn);
        return;
    }
    conn->stage = CONN_SHAKING_HANDS;
    shake_hands(conn);
}

/* What the first bytes of a preface are, no HTTP/1.1 request begins with: RFC
 * 9113 3.4 took the method PRI out of use. */
static const uint8_t preface[CONN_SNIFF_BYTES] = {'P', 'R', 'I'};

/* NULL while that is not known. */
static const struct conn_protocol *guess(const struct conn *conn)
{
    if (memcmp(conn->sniffed, preface, conn->sniffed_size) != 0)
        return &h1_protocol;
    return conn->sniffed_size == sizeof preface ? &h2_protocol : NULL;
}

/* Nobody waits for a second byte with the first one unread: the loop would be
 * woken for it again and again. */
static void sniff_http(struct conn *conn)
{
    ssize_t got = recv(conn->socket.fd, conn->sniffed + conn->sniffed_size,
                       sizeof conn->sniffed - conn->sniffed_size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got < 1) {
        conn_close(conn);
        return;
    }
    conn->sniffed_size += (uint8_t)got;
    const struct conn_protocol *protocol = guess(conn);
    if (protocol == NULL)
        return;
    start_talking(conn, protocol);
    if (hand_over(conn, conn->sniffed, conn->sniffed_size))
        read_input(conn);
}

/* OpenSSL reads the socket itself. */
static bool begins_with_tls(const struct conn *conn)
{
    uint8_t first;
    return conn->mode == RPC_LISTEN_BOTH && conn->sniffed_size == 0 &&
           recv(conn->socket.fd, &first, 1, MSG_PEEK) == 1 &&
           first == TLS_RECORD_HANDSHAKE;
}

static void sniff(struct conn *conn)
{
    if (begins_with_tls(conn))
        start_tls(conn);
    else
        sniff_http(conn);
}

/* Nothing that comes now matters but the end. */
static void discard(struct conn *conn)
{
    ssize_t got =
        recv(conn->socket.fd, conn->net->input, SOCKET_INPUT_BYTES, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got > 0)
        conn->lingering_bytes += (size_t)got;
    if (got <= 0 || conn->lingering_bytes > LINGER_BYTES_MAX)
        conn_close(conn);
}

static void on_readable(struct conn *conn)
{
    switch (conn->stage) {
    case CONN_SNIFFING:
        sniff(conn);
        return;
    case CONN_SHAKING_HANDS:
        shake_hands(conn);
        return;
    case CONN_TALKING:
        read_input(conn);
        return;
    case CONN_LINGERING:
        discard(conn);
        return;
    case CONN_CLOSED:
        return;
    }
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct conn *conn = poll->data;
    if (status < 0 || (events & UV_DISCONNECT)) {
        conn_close(conn);
        return;
    }
    if (events & UV_READABLE)
        on_readable(conn);
    if (!(events & UV_WRITABLE))
        return;
    if (conn->stage == CONN_SHAKING_HANDS)
        shake_hands(conn);
    else
        conn_mark_dirty(conn);
    if (wants_turn(conn))
        take_turn(conn);
}

/* --- taking over --- */

static int64_t aged_us(const struct conn *conn)
{
    uint32_t age_ms = conn_options(conn)->age_ms;
    return age_ms == 0 ? INT64_MAX
                       : conn->opened_us + conn_age_us(age_ms, hash_random());
}

void conn_adopt(struct rpc_net_worker *net, int fd, rpc_listen_mode mode,
                const struct sockaddr_storage *from)
{
    struct conn *conn = pool_alloc_zeroed(net->pool, sizeof *conn);
    conn->net = net;
    conn->id = channelz_take_id();
    conn->socket.fd = fd;
    conn->references = 1; /* the poll handle's */
    conn->key = peer_key(from);
    if (conn_options(conn)->proxies == 0) /* else it is a proxy's address */
        conn->share = memory_share_open(net->worker->shares, conn->key);
    peer_format(from, conn->peer);
    if (mode == RPC_LISTEN_OPERATOR) {
        conn->roles = RPC_ACCESS_OPERATOR;
        peer_format_operator(fd, conn->peer);
    }
    conn->opened_us = conn_now_us(conn);
    conn->received_us = conn->progress_us = conn->opened_us;
    conn->aged_us = aged_us(conn);
    socket_tune(&conn->socket, from->ss_family,
                conn_options(conn)->keepalive_timeout_ms);
    if (uv_poll_init(loop_uv(net->worker->loop), &conn->poll, fd) != 0)
        abort(); /* epoll refuses only what is no socket */
    conn->poll.data = conn;
    net->poll_handles++;
    link_conn(conn);

    conn->stage = CONN_SNIFFING;
    conn->mode = mode;
    set_interest(conn, false);
    if (mode == RPC_LISTEN_TLS)
        start_tls(conn);
}

/* --- the end --- */

/* Who is not settled yet may have sent a call behind its handshake, and a
 * GOAWAY as the first thing on a connection looks to clients as if there were
 * none: it is told when it has settled, and has a second for that
 * (sweep_handshake). */
void conn_drain(struct conn *conn, const char *reason)
{
    if (conn->stage == CONN_TALKING && conn->has_settled)
        conn->protocol->drain(conn, reason);
}
