/* One connection of a channel.
 *
 *   CONNECTING -> SHAKING_HANDS -> GREETING -> READY -> CLOSED
 *       |            (TLS)            ^  (the server's SETTINGS came)
 *       +-------- clear text ---------+
 *
 * Reads are handed to the session at once; writes are gathered and leave once
 * per pass of the loop. */
#include "rpc/channel_state.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How much one connection may write in a pass before others get theirs. */
enum { WRITE_ROUNDS_MAX = 4 };

static void on_poll(uv_poll_t *poll, int status, int events);

static int64_t now_us(const struct channel_link *link)
{
    return loop_now_us(link->shared->loop);
}

static const struct rpc_channel_options *options_of(
    const struct channel_link *link)
{
    return &link->channel->options;
}

/* --- life --- */

static void release(struct channel_link *link)
{
    assert(link->references > 0);
    if (--link->references > 0)
        return;
    struct rpc_channel *channel = link->channel;
    pool_free(link->shared->pool, link);
    channel_release(channel);
}

static void on_poll_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void unlink_link(struct channel_link *link)
{
    if (link->previous != NULL)
        link->previous->next = link->next;
    else
        link->channel->links = link->next;
    if (link->next != NULL)
        link->next->previous = link->previous;
    link->channel->link_count--;
}

static void say_goodbye(struct channel_link *link);

void channel_link_close(struct channel_link *link, const char *reason)
{
    if (link->stage == CHANNEL_LINK_CLOSED)
        return;
    struct rpc_channel *channel = link->channel;
    bool was_ready = link->stage == CHANNEL_LINK_READY;
    say_goodbye(link);
    link->stage = CHANNEL_LINK_CLOSED;
    loop_timer_stop(&link->timer);
    unlink_link(link);
    uv_close((uv_handle_t *)&link->poll, on_poll_closed);
    if (was_ready) {
        metrics_add(channel_counters()->connections, -1);
        channel_dial_lost(channel, link, reason);
    } else {
        channel_dial_failed(channel, link->peer, reason);
    }
    channel_h2_close(link, reason);
    /* At last: `reason` may be a text of its TLS. */
    socket_close(&link->socket, link->shared->pool);
}

/* --- what is waited for --- */

static void set_interest(struct channel_link *link, int interest)
{
    if (link->stage == CHANNEL_LINK_CLOSED || interest == link->interest)
        return;
    link->interest = interest;
    if (uv_poll_start(&link->poll, interest, on_poll) != 0)
        abort(); /* only a wrong handle or fd can do that */
}

/* --- writing --- */

void channel_link_mark_dirty(struct channel_link *link)
{
    if (link->is_dirty || link->stage == CHANNEL_LINK_CLOSED)
        return;
    link->is_dirty = true;
    link->next_dirty = link->shared->dirty;
    link->shared->dirty = link;
    link->references++;
}

static void on_broken(struct channel_link *link);

/* False when the socket is full or gone. */
static bool went_out(struct channel_link *link, tls_result result, size_t sent)
{
    if (sent > 0)
        link->fills_begun = link->fills;
    if (result == TLS_CLOSED || result == TLS_FAILED)
        on_broken(link);
    return result == TLS_DONE;
}

static void block(struct channel_link *link)
{
    link->is_blocked = true;
    set_interest(link, UV_READABLE | UV_WRITABLE);
}

/* What an earlier pass could not send.  False while some is left. */
static bool send_rest(struct channel_link *link)
{
    size_t sent;
    tls_result result =
        socket_send_rest(&link->socket, link->shared->pool, &sent);
    if (went_out(link, result, sent))
        return true;
    if (link->stage != CHANNEL_LINK_CLOSED)
        block(link);
    return false;
}

/* One buffer full.  False when there is nothing left, or no use going on. */
static bool send_next(struct channel_link *link)
{
    uint8_t *output = link->shared->output;
    size_t size = channel_h2_fill(link, output, SOCKET_OUTPUT_BYTES);
    if (size == 0)
        return false;
    size_t sent;
    tls_result result = socket_send(&link->socket, output, size, &sent);
    if (went_out(link, result, sent))
        return true;
    if (link->stage == CHANNEL_LINK_CLOSED)
        return false;
    socket_keep(&link->socket, link->shared->pool, output + sent, size - sent);
    block(link);
    return false;
}

static void flush(struct channel_link *link)
{
    if (link->session == NULL || !send_rest(link))
        return;
    link->is_blocked = false;
    int rounds = 0;
    while (rounds < WRITE_ROUNDS_MAX && send_next(link))
        rounds++;
    if (link->stage == CHANNEL_LINK_CLOSED || link->is_blocked)
        return;
    if (rounds == WRITE_ROUNDS_MAX)
        block(link); /* until the loop has seen to the others */
    else if (channel_h2_is_over(link))
        channel_link_close(link, link->complaint != NULL ? link->complaint
                                                         : "it is over");
    else
        set_interest(link, UV_READABLE);
}

void channel_link_flush_all(struct channel_shared *shared)
{
    while (shared->dirty != NULL) {
        struct channel_link *link = shared->dirty;
        shared->dirty = link->next_dirty;
        link->is_dirty = false;
        flush(link);
        release(link);
    }
}

/* A last buffer, GOAWAY in it, if the socket takes it now. */
static void say_goodbye(struct channel_link *link)
{
    if (link->session == NULL || link->socket.rest != NULL ||
        link->doom != NULL)
        return;
    channel_h2_leave(link);
    size_t size =
        channel_h2_fill(link, link->shared->output, SOCKET_OUTPUT_BYTES);
    size_t sent;
    if (size > 0)
        socket_send(&link->socket, link->shared->output, size, &sent);
    if (link->socket.tls != NULL)
        tls_say_goodbye(link->socket.tls);
}

/* --- reading --- */

/* The server's windows and ours bound how much TLS can have decrypted. */
static void read_frames(struct channel_link *link)
{
    uint8_t *input = link->shared->input;
    do {
        size_t count;
        tls_result result =
            socket_read(&link->socket, input, SOCKET_INPUT_BYTES, &count);
        if (result == TLS_WANT_READ || result == TLS_WANT_WRITE)
            return;
        if (result != TLS_DONE) {
            link->doom = "it was closed by the server";
            channel_link_close(link, link->doom);
            return;
        }
        link->received_us = now_us(link);
        if (!channel_h2_receive(link, input, count)) {
            channel_link_close(link, link->doom);
            return;
        }
    } while (socket_has_pending(&link->socket));
}

/* --- beginning --- */

static void greet(struct channel_link *link)
{
    link->stage = CHANNEL_LINK_GREETING;
    channel_h2_open(link);
    channel_link_mark_dirty(link);
    set_interest(link, UV_READABLE);
}

static void shake_hands(struct channel_link *link)
{
    switch (tls_handshake(link->socket.tls)) {
    case TLS_DONE:
        greet(link);
        read_frames(link); /* SETTINGS may have come with the last flight */
        return;
    case TLS_WANT_READ:
        set_interest(link, UV_READABLE);
        return;
    case TLS_WANT_WRITE:
        set_interest(link, UV_WRITABLE);
        return;
    case TLS_CLOSED:
        channel_link_close(link, "the server closed during the TLS handshake");
        return;
    case TLS_FAILED:
        channel_link_close(link, tls_failure(link->socket.tls));
        return;
    }
}

static void start_tls(struct channel_link *link)
{
    link->socket.tls = tls_client_create(
        link->channel->identity, link->socket.fd, link->channel->server_name);
    if (link->socket.tls == NULL) {
        channel_link_close(link, "TLS could not begin");
        return;
    }
    link->stage = CHANNEL_LINK_SHAKING_HANDS;
    shake_hands(link);
}

/* What the kernel says of a socket that broke. */
static const char *socket_problem(const struct channel_link *link)
{
    int problem = 0;
    socklen_t size = sizeof problem;
    getsockopt(link->socket.fd, SOL_SOCKET, SO_ERROR, &problem, &size);
    return problem == 0 ? NULL : strerror(problem);
}

static void on_connected(struct channel_link *link, int status)
{
    const char *problem = socket_problem(link);
    if (problem == NULL && status < 0)
        problem = uv_strerror(status);
    if (problem != NULL)
        channel_link_close(link, problem);
    else if (link->channel->identity != NULL)
        start_tls(link);
    else
        greet(link);
}

/* What came before it broke still counts. */
static void on_broken(struct channel_link *link)
{
    const char *problem = socket_problem(link);
    if (link->session != NULL)
        read_frames(link);
    channel_link_close(link, problem != NULL ? problem
                                             : "it was closed by the server");
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel_link *link = poll->data;
    if (link->stage == CHANNEL_LINK_CONNECTING) {
        on_connected(link, status);
    } else if (status < 0) {
        on_broken(link);
    } else if (link->stage == CHANNEL_LINK_SHAKING_HANDS) {
        shake_hands(link);
    } else {
        if (events & UV_READABLE)
            read_frames(link);
        if (events & UV_WRITABLE)
            channel_link_mark_dirty(link);
    }
}

/* --- time limits --- */

static int64_t after_ms(int64_t since_us, uint32_t ms)
{
    return since_us + (int64_t)ms * 1000;
}

/* When there is something to look at next. */
static int64_t due_us(const struct channel_link *link)
{
    const struct rpc_channel_options *o = options_of(link);
    if (link->streams.count == 0)
        return after_ms(link->idle_us, o->idle_ms);
    if (link->ping_us != 0)
        return after_ms(link->ping_us, o->keepalive_timeout_ms);
    if (o->keepalive_ms != 0)
        return after_ms(link->received_us, o->keepalive_ms);
    return INT64_MAX;
}

/* A timer that runs for an earlier time is left: it will look again. */
void channel_link_watch(struct channel_link *link)
{
    int64_t due = due_us(link);
    if (link->stage != CHANNEL_LINK_READY || due == INT64_MAX ||
        (link->timer.heap_index >= 0 && link->timer.due_us <= due))
        return;
    int64_t left_us = due - now_us(link);
    loop_timer_start(link->shared->loop, &link->timer,
                     left_us <= 0 ? 0 : (left_us + 999) / 1000);
}

static void on_timer(struct loop_timer *timer)
{
    struct channel_link *link =
        (struct channel_link *)((char *)timer -
                                offsetof(struct channel_link, timer));
    if (link->stage != CHANNEL_LINK_READY) {
        channel_link_close(link, "the server did not answer in time");
        return;
    }
    if (due_us(link) <= now_us(link)) {
        if (link->streams.count == 0) {
            channel_link_close(link, "it was idle");
            return;
        }
        if (link->ping_us != 0) {
            channel_link_close(link, "a keepalive PING was not answered");
            return;
        }
        channel_h2_ping(link);
    }
    channel_link_watch(link);
}

/* --- opening --- */

static struct channel_link *link_create(struct rpc_channel *channel, int fd,
                                        const char *peer)
{
    struct channel_shared *shared = channel->shared;
    struct channel_link *link = pool_alloc_zeroed(shared->pool, sizeof *link);
    link->channel = channel;
    link->shared = shared;
    link->socket.fd = fd;
    link->references = 1; /* the poll handle's */
    link->opened_us = now_us(link);
    snprintf(link->peer, sizeof link->peer, "%s", peer);
    channel_hold(channel);
    link->next = channel->links;
    if (link->next != NULL)
        link->next->previous = link;
    channel->links = link;
    channel->link_count++;
    return link;
}

static int connect_to(const struct sockaddr *at, size_t size)
{
    int fd =
        socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, at, (socklen_t)size) == 0 || errno == EINPROGRESS)
        return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

struct channel_link *channel_link_open(struct rpc_channel *channel,
                                       const struct sockaddr *at, size_t size,
                                       const char *peer)
{
    int fd = connect_to(at, size);
    if (fd < 0) {
        channel_dial_note(channel, peer, strerror(errno));
        return NULL;
    }
    struct channel_link *link = link_create(channel, fd, peer);
    socket_tune(&link->socket, at->sa_family,
                channel->options.keepalive_timeout_ms);
    if (uv_poll_init(loop_uv(channel->loop), &link->poll, fd) != 0)
        abort(); /* epoll refuses only what is no socket */
    link->poll.data = link;
    loop_timer_init(&link->timer, on_timer);
    loop_timer_start(channel->loop, &link->timer,
                     channel->options.connect_timeout_ms);
    set_interest(link, UV_WRITABLE);
    return link;
}
