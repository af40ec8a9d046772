/* A channel: the calls that wait, and the connections that they get. */
#include "rpc/channel_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* All connections are full for so long: one more is opened.  Short calls
     * free their places faster than a handshake takes. */
    CROWDED_MS = 10,
    /* Retry throttling of gRFC A6, in tenths of a token: a failure takes 10, a
     * success gives 1, and below half there are no retries. */
    RETRY_TOKENS_MAX = 100,
    RETRY_TOKENS_FAILURE = 10,
};

/* --- creating --- */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

static void fill_defaults(struct rpc_channel_options *o)
{
    o->message_bytes_max = or_default(o->message_bytes_max, 4 * 1024 * 1024);
    o->header_bytes_max = or_default(o->header_bytes_max, 16 * 1024);
    o->window_bytes = or_default(o->window_bytes, 64 * 1024);
    o->connections_max = or_default(o->connections_max, 4);
    o->waiting_max = or_default(o->waiting_max, 10000);
    o->connect_timeout_ms = or_default(o->connect_timeout_ms, 20000);
    o->backoff_min_ms = or_default(o->backoff_min_ms, 1000);
    o->backoff_max_ms = or_default(o->backoff_max_ms, 120000);
    o->idle_ms = or_default(o->idle_ms, 1800000);
    o->keepalive_timeout_ms = or_default(o->keepalive_timeout_ms, 20000);
    if (o->keepalive_ms != 0 && o->keepalive_ms < RPC_CHANNEL_KEEPALIVE_MS_MIN)
        o->keepalive_ms = RPC_CHANNEL_KEEPALIVE_MS_MIN;
    if (o->user_agent == NULL)
        o->user_agent = "prbal";
}

static bool read_target(struct rpc_channel *channel, char *error,
                        size_t error_size)
{
    char host[ADDRESS_HOST_BYTES];
    const char *target = channel->options.target;
    channel->unix_path = address_unix_path(target);
    if (channel->unix_path != NULL) {
        channel->host = "localhost";
        return true;
    }
    if (!address_split(target, host, &channel->port)) {
        snprintf(error, error_size,
                 "\"%s\" is not HOST:PORT, [V6]:PORT or unix:/path", target);
        return false;
    }
    channel->host =
        arena_strdup(channel->arena, *host == '\0' ? "localhost" : host);
    return true;
}

static bool load_tls(struct rpc_channel *channel, char *error,
                     size_t error_size)
{
    const struct rpc_channel_tls *tls = channel->options.tls;
    channel->server_name = channel->host;
    if (tls == NULL)
        return true;
    if (tls->server_name != NULL)
        channel->server_name = arena_strdup(channel->arena, tls->server_name);
    channel->identity = tls_client_load(tls->ca_path, tls->certificate_path,
                                        tls->key_path, error, error_size);
    channel->options.tls = NULL; /* the caller's */
    return channel->identity != NULL;
}

/* A name that was chosen for TLS is also the one to ask for. */
static const char *authority_of(const struct rpc_channel *channel)
{
    if (channel->options.authority != NULL)
        return channel->options.authority;
    if (channel->unix_path != NULL || channel->server_name != channel->host)
        return channel->server_name;
    return channel->options.target;
}

static void on_crowded(struct loop_timer *timer);

static struct rpc_channel *allocate(struct loop *loop,
                                    const struct rpc_channel_options *options)
{
    struct rpc_channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL)
        abort();
    channel->loop = loop;
    channel->shared = channel_shared_take(loop);
    channel->arena = arena_create();
    channel->references = 1; /* the owner's */
    channel->retry_tokens = RETRY_TOKENS_MAX;
    channel->options = *options;
    loop_timer_init(&channel->crowded, on_crowded);
    loop_timer_init(&channel->backoff, channel_dial_backoff_over);
    fill_defaults(&channel->options);
    return channel;
}

static void copy_texts(struct rpc_channel *channel)
{
    struct rpc_channel_options *o = &channel->options;
    o->target = arena_strdup(channel->arena, o->target);
    o->user_agent = arena_strdup(channel->arena, o->user_agent);
    o->authority = arena_strdup(channel->arena, o->authority);
    o->echoes = arena_strdup(channel->arena, o->echoes);
}

struct rpc_channel *rpc_channel_create(
    struct loop *loop, const struct rpc_channel_options *options, char *error,
    size_t error_size)
{
    struct rpc_channel *channel = allocate(loop, options);
    copy_texts(channel);
    if (!read_target(channel, error, error_size) ||
        !load_tls(channel, error, error_size)) {
        channel_release(channel);
        return NULL;
    }
    channel->options.authority = authority_of(channel);
    return channel;
}

/* --- destroying --- */

void channel_hold(struct rpc_channel *channel)
{
    channel->references++;
}

void channel_release(struct rpc_channel *channel)
{
    assert(channel->references > 0);
    if (--channel->references > 0)
        return;
    tls_identity_release(channel->identity);
    arena_destroy(channel->arena);
    channel_shared_give(channel->shared);
    free(channel);
}

static void cancel_all(struct channel_list *list)
{
    while (list->first != NULL)
        channel_stream_end(list->first, RPC_CANCELLED,
                           "the channel was closed");
}

void rpc_channel_destroy(struct rpc_channel *channel)
{
    if (channel == NULL)
        return;
    channel->is_closed = true;
    loop_timer_stop(&channel->crowded);
    channel_dial_stop(channel);
    cancel_all(&channel->waiting);
    cancel_all(&channel->pausing);
    while (channel->links != NULL) {
        cancel_all(&channel->links->streams);
        channel_link_close(channel->links, "the channel was closed");
    }
    channel_release(channel);
}

/* --- who gets a connection --- */

static struct channel_link *link_with_room(struct rpc_channel *channel)
{
    for (struct channel_link *l = channel->links; l != NULL; l = l->next)
        if (channel_link_has_room(l))
            return l;
    return NULL;
}

static bool has_link(const struct rpc_channel *channel)
{
    for (const struct channel_link *l = channel->links; l != NULL; l = l->next)
        if (l->stage == CHANNEL_LINK_READY && !l->is_leaving)
            return true;
    return false;
}

static void on_crowded(struct loop_timer *timer)
{
    struct rpc_channel *channel =
        (struct rpc_channel *)((char *)timer -
                               offsetof(struct rpc_channel, crowded));
    if (channel->waiting.first != NULL &&
        channel->link_count < channel->options.connections_max)
        channel_dial(channel);
}

static void ask_for_link(struct rpc_channel *channel)
{
    if (!has_link(channel))
        channel_dial(channel);
    else if (channel->crowded.heap_index < 0 &&
             channel->link_count < channel->options.connections_max)
        loop_timer_start(channel->loop, &channel->crowded, CROWDED_MS);
}

void channel_pump(struct rpc_channel *channel)
{
    if (channel->is_closed)
        return;
    while (channel->waiting.first != NULL) {
        struct channel_link *link = link_with_room(channel);
        if (link == NULL) {
            ask_for_link(channel);
            return;
        }
        struct rpc_channel_stream *stream = channel->waiting.first;
        channel_list_remove(stream);
        channel_h2_submit(link, stream);
    }
}

void channel_place(struct rpc_channel *channel,
                   struct rpc_channel_stream *stream)
{
    stream->phase = CHANNEL_STREAM_WAITING;
    channel_list_add(&channel->waiting, stream);
    if (channel->waiting.count > channel->options.waiting_max)
        channel_stream_end(stream, RPC_RESOURCE_EXHAUSTED,
                           "%u calls wait for a connection to %s",
                           channel->options.waiting_max,
                           channel->options.target);
    else if (channel->is_backing_off && !stream->wait_for_ready &&
             !has_link(channel))
        channel_stream_fail(stream, CHANNEL_FAILED, RPC_UNAVAILABLE, "%s",
                            channel->problem);
    else
        channel_pump(channel);
}

bool channel_may_retry(const struct rpc_channel *channel)
{
    return channel->retry_tokens > RETRY_TOKENS_MAX / 2;
}

void channel_note_result(struct rpc_channel *channel, rpc_code code)
{
    int32_t *tokens = &channel->retry_tokens;
    *tokens += code == RPC_UNAVAILABLE ? -RETRY_TOKENS_FAILURE : 1;
    if (*tokens < 0)
        *tokens = 0;
    if (*tokens > RETRY_TOKENS_MAX)
        *tokens = RETRY_TOKENS_MAX;
}
