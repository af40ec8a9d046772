/* One call of a channel: its attempts, its deadline, its end.
 *
 *   start -> WAITING -> OPEN -> OVER
 *               ^         |
 *               |         v  failed, and may be made again
 *               +----- PAUSING
 *
 * Without the pause where the server has certainly done nothing. */
#include "rpc/channel_state.h"

#include "rpc/clock.h"
#include "rpc/hash.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* So often a call may lose its connection before the server has seen it: a
     * server that does so each time is broken. */
    RESENDS_MAX = 5,
    /* Between attempts that retries_max allows, unless the server says. */
    RETRY_MS_MIN = 100,
    RETRY_MS_MAX = 5000,
    PUSHBACK_MS_MAX = 60000,
};

/* --- lists --- */

void channel_list_add(struct channel_list *list,
                      struct rpc_channel_stream *stream)
{
    assert(stream->list == NULL);
    stream->list = list;
    stream->next = NULL;
    stream->previous = list->last;
    if (list->last != NULL)
        list->last->next = stream;
    else
        list->first = stream;
    list->last = stream;
    list->count++;
}

void channel_list_remove(struct rpc_channel_stream *stream)
{
    struct channel_list *list = stream->list;
    if (list == NULL)
        return;
    if (stream->previous != NULL)
        stream->previous->next = stream->next;
    else
        list->first = stream->next;
    if (stream->next != NULL)
        stream->next->previous = stream->previous;
    else
        list->last = stream->previous;
    list->count--;
    stream->list = NULL;
}

/* --- beginning --- */

static void on_deadline(struct loop_timer *timer)
{
    struct rpc_channel_stream *stream =
        (struct rpc_channel_stream *)((char *)timer -
                                      offsetof(struct rpc_channel_stream,
                                               deadline));
    const struct rpc_channel *channel = stream->channel;
    if (stream->phase == CHANNEL_STREAM_WAITING && *channel->problem != '\0')
        channel_stream_end(stream, RPC_DEADLINE_EXCEEDED,
                           "the deadline has passed: %s", channel->problem);
    else if (stream->phase == CHANNEL_STREAM_WAITING)
        channel_stream_end(stream, RPC_DEADLINE_EXCEEDED,
                           "the deadline has passed without a connection to %s",
                           channel->options.target);
    else
        channel_stream_end(stream, RPC_DEADLINE_EXCEEDED, "%s",
                           "the deadline has passed");
}

static void on_pause_over(struct loop_timer *timer)
{
    struct rpc_channel_stream *stream =
        (struct rpc_channel_stream *)((char *)timer -
                                      offsetof(struct rpc_channel_stream,
                                               pause));
    channel_list_remove(stream);
    channel_place(stream->channel, stream);
}

/* The earlier of the calling call's deadline and the option's. */
static void start_deadline(struct rpc_channel_stream *stream,
                           int64_t timeout_ms)
{
    stream->deadline_us = stream->call->deadline_us;
    int64_t own_us = stream->start_us + timeout_ms * 1000;
    if (timeout_ms > 0 &&
        (stream->deadline_us == 0 || own_us < stream->deadline_us))
        stream->deadline_us = own_us;
    if (stream->deadline_us == 0)
        return;
    int64_t left_us = stream->deadline_us - stream->start_us;
    loop_timer_start(stream->channel->loop, &stream->deadline,
                     left_us <= 0 ? 0 : (left_us + 999) / 1000);
}

void channel_stream_start(struct rpc_channel_stream *stream,
                          struct rpc_call *call, struct rpc_channel *channel,
                          const struct rpc_method *method,
                          const struct rpc_channel_call_options *options)
{
    static const struct rpc_channel_call_options none;
    const struct rpc_channel_call_options *o = options ? options : &none;
    assert(call->loop == channel->loop);
    stream->call = call;
    stream->channel = channel;
    stream->shared = channel_shared_take(channel->loop);
    stream->method = method;
    stream->numbers = channel_numbers_of(channel->shared, method->path);
    stream->reply = o->reply;
    stream->start_us = loop_now_us(channel->loop);
    stream->response_bytes_max = o->response_bytes_max != 0
                                     ? o->response_bytes_max
                                     : channel->options.message_bytes_max;
    stream->retries_left = o->retries_max;
    stream->wait_for_ready = o->wait_for_ready;
    stream->encoding = o->encoding;
    stream->may_compress = stream->is_replayable = true;
    stream->peer = "";
    stream->received_end = &stream->received;
    loop_timer_init(&stream->deadline, on_deadline);
    loop_timer_init(&stream->pause, on_pause_over);
    channel_response_init(&stream->response);
    channel_request_build(stream, o->metadata);

    start_deadline(stream, o->timeout_ms);
    if (channel->is_closed)
        channel_stream_end(stream, RPC_CANCELLED, "the channel was closed");
    else
        channel_place(channel, stream);
}

/* --- attempts --- */

static void drop_received(struct rpc_channel_stream *stream)
{
    while (stream->received != NULL) {
        struct rpc_received *r = stream->received;
        stream->received = r->next;
        free(r);
    }
    stream->received_end = &stream->received;
}

/* Off the connection, or out of the line. */
static void let_go(struct rpc_channel_stream *stream)
{
    channel_response_drop(stream);
    loop_timer_stop(&stream->pause);
    if (stream->link != NULL)
        channel_h2_forget(stream);
    else
        channel_list_remove(stream);
}

static void forget_attempt(struct rpc_channel_stream *stream)
{
    let_go(stream);
    drop_received(stream);
    channel_response_init(&stream->response);
    stream->body.start = 0;
}

static int64_t pause_ms(const struct rpc_channel_stream *stream)
{
    if (stream->response.has_pushback)
        return stream->response.pushback_ms;
    int64_t ms = RETRY_MS_MIN;
    for (uint32_t i = 1; i < stream->attempts && ms < RETRY_MS_MAX; i++)
        ms *= 2;
    return ms * 4 / 5 + (int64_t)(hash_random() % (uint64_t)(ms * 2 / 5));
}

/* The server has not seen it, or says that it did nothing: once for the
 * latter, since a server that refuses all would otherwise be asked for ever. */
static bool try_again_unseen(struct rpc_channel_stream *stream,
                             channel_failure failure)
{
    if (failure == CHANNEL_FAILED || stream->resends >= RESENDS_MAX ||
        (failure == CHANNEL_REFUSED && stream->was_refused))
        return false;
    stream->was_refused |= failure == CHANNEL_REFUSED;
    stream->resends++;
    metrics_add(channel_counters()->retries_transparent, 1);
    forget_attempt(stream);
    channel_place(stream->channel, stream);
    return true;
}

static bool try_again_later(struct rpc_channel_stream *stream, rpc_code code)
{
    struct rpc_channel *channel = stream->channel;
    const struct channel_response *r = &stream->response;
    if (code != RPC_UNAVAILABLE || stream->retries_left == 0 ||
        !channel_may_retry(channel))
        return false;
    int64_t ms = pause_ms(stream);
    if (ms < 0 || ms > PUSHBACK_MS_MAX || (r->has_headers && !r->is_last_block))
        return false;
    stream->retries_left--;
    metrics_add(channel_counters()->retries_policy, 1);
    forget_attempt(stream);
    stream->phase = CHANNEL_STREAM_PAUSING;
    channel_list_add(&channel->pausing, stream);
    loop_timer_start(channel->loop, &stream->pause, ms);
    return true;
}

static bool try_again(struct rpc_channel_stream *stream,
                      channel_failure failure, rpc_code code)
{
    struct rpc_channel *channel = stream->channel;
    bool is_seen = stream->phase == CHANNEL_STREAM_OPEN;
    if (is_seen && failure != CHANNEL_UNSEEN)
        channel_note_result(channel, code);
    if (!stream->is_replayable || channel->is_closed ||
        stream->call->ended.code != RPC_OK)
        return false;
    return try_again_unseen(stream, failure) || try_again_later(stream, code);
}

/* --- ending --- */

static void fill_reply(struct rpc_channel_stream *stream)
{
    const struct channel_response *r = &stream->response;
    struct rpc_channel_reply *reply = stream->reply;
    if (reply == NULL)
        return;
    reply->headers = r->headers.first;
    reply->trailers = r->trailers.first;
    reply->details = r->details;
    reply->details_size = r->details_size;
    reply->peer = stream->peer;
    reply->attempts = stream->attempts;
}

static void end(struct rpc_channel_stream *stream, rpc_status status)
{
    struct rpc_channel *channel = stream->channel;
    int64_t took_us = loop_now_us(channel->loop) - stream->start_us;
    fill_reply(stream);
    let_go(stream);
    loop_timer_stop(&stream->deadline);
    pool_free(channel->shared->pool, stream->fields);
    pool_free(channel->shared->pool, stream->body.bytes);
    stream->body = (struct channel_body){0};
    stream->phase = CHANNEL_STREAM_OVER;
    stream->status = status;
    stream->channel = NULL;
    channel_numbers_ended(stream->numbers, status.code, took_us);
    rpc_wake(stream->call);
}

void channel_stream_end(struct rpc_channel_stream *stream, rpc_code code,
                        const char *format, ...)
{
    if (stream->phase == CHANNEL_STREAM_OVER)
        return;
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(stream->call->arena, format, args);
    va_end(args);
    end(stream, (rpc_status){code, message});
}

/* A server resets a stream at the deadline that we told it, and may be a
 * little earlier than our timer, which counts whole milliseconds. */
static bool is_past_deadline(const struct rpc_channel_stream *stream)
{
    return stream->deadline_us != 0 &&
           clock_monotonic_us() >= stream->deadline_us;
}

void channel_stream_fail(struct rpc_channel_stream *stream,
                         channel_failure failure, rpc_code code,
                         const char *format, ...)
{
    if (stream->phase == CHANNEL_STREAM_OVER ||
        try_again(stream, failure, code))
        return;
    if (code == RPC_CANCELLED && is_past_deadline(stream)) {
        on_deadline(&stream->deadline);
        return;
    }
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(stream->call->arena, format, args);
    va_end(args);
    end(stream, (rpc_status){code, message});
}

void channel_stream_complete(struct rpc_channel_stream *stream)
{
    if (stream->phase == CHANNEL_STREAM_OVER)
        return;
    rpc_status status = channel_response_status(stream);
    stream->response.is_complete = stream->response.is_last_block;
    if (status.code != RPC_OK && try_again(stream, CHANNEL_FAILED, status.code))
        return;
    if (status.code == RPC_OK)
        channel_note_result(stream->channel, RPC_OK);
    end(stream, status);
}

void channel_stream_finish(struct rpc_channel_stream *stream)
{
    assert(stream->phase == CHANNEL_STREAM_OVER);
    drop_received(stream);
    arena_destroy(stream->arena);
    stream->arena = NULL;
    channel_shared_give(stream->shared);
}
