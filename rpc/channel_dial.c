/* From a target to a connection: names, addresses, and patience.
 *
 *   dial -> [look up] -> address -> address -> ... -> back off -> dial
 *                           |
 *                           v  SETTINGS came
 *                          done
 */
#include "rpc/channel_state.h"

#include "rpc/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

struct channel_lookup {
    uv_getaddrinfo_t request;
    struct rpc_channel *channel; /* NULL: nobody waits for it any more */
};

/* A time around `mean`, so that the clients of a server that came back do not
 * all knock at once. */
static int64_t jittered_ms(int64_t mean_ms)
{
    int64_t spread = mean_ms * 2 / 5; /* 0.2 to either side */
    return mean_ms - spread / 2 +
           (int64_t)(hash_random() % (uint64_t)(spread + 1));
}

static int64_t backoff_ms(const struct rpc_channel *channel)
{
    int64_t ms = channel->options.backoff_min_ms;
    for (uint32_t i = 1; i < channel->failures; i++) {
        ms = ms * 8 / 5;
        if (ms >= channel->options.backoff_max_ms)
            return jittered_ms(channel->options.backoff_max_ms);
    }
    return jittered_ms(ms);
}

void channel_dial_backoff_over(struct loop_timer *timer)
{
    struct rpc_channel *channel =
        (struct rpc_channel *)((char *)timer -
                               offsetof(struct rpc_channel, backoff));
    channel->is_backing_off = false;
    channel_pump(channel);
}

static void back_off(struct rpc_channel *channel)
{
    channel->failures++;
    channel->is_backing_off = true;
    loop_timer_start(channel->loop, &channel->backoff, backoff_ms(channel));
}

/* Those who do not want to wait hear of it; a connection that is merely full
 * still serves all. */
static void fail_waiting(struct rpc_channel *channel)
{
    for (struct channel_link *l = channel->links; l != NULL; l = l->next)
        if (l->stage == CHANNEL_LINK_READY && !l->is_leaving)
            return;
    for (struct rpc_channel_stream *s = channel->waiting.first, *next;
         s != NULL; s = next) {
        next = s->next;
        if (!s->wait_for_ready)
            channel_stream_fail(s, CHANNEL_FAILED, RPC_UNAVAILABLE, "%s",
                                channel->problem);
    }
}

static void free_addresses(struct rpc_channel *channel)
{
    uv_freeaddrinfo(channel->addresses);
    channel->addresses = channel->next_address = NULL;
}

static void give_up(struct rpc_channel *channel)
{
    free_addresses(channel);
    back_off(channel);
    fail_waiting(channel);
}

void channel_dial_note(struct rpc_channel *channel, const char *peer,
                       const char *reason)
{
    metrics_add(channel_counters()->connect_failures, 1);
    snprintf(channel->problem, sizeof channel->problem,
             "cannot connect to %s: %s", peer, reason);
}

static void try_next(struct rpc_channel *channel)
{
    while (channel->next_address != NULL && channel->dialing == NULL) {
        const struct addrinfo *at = channel->next_address;
        struct sockaddr_storage from = {0};
        char peer[PEER_TEXT_BYTES];
        memcpy(&from, at->ai_addr, at->ai_addrlen);
        peer_format(&from, peer);
        channel->next_address = at->ai_next;
        channel->dialing =
            channel_link_open(channel, at->ai_addr, at->ai_addrlen, peer);
    }
    if (channel->dialing == NULL)
        give_up(channel);
}

void channel_dial_failed(struct rpc_channel *channel, const char *peer,
                         const char *reason)
{
    channel->dialing = NULL;
    channel_dial_note(channel, peer, reason);
    if (!channel->is_closed)
        try_next(channel);
}

static void on_addresses(uv_getaddrinfo_t *request, int status,
                         struct addrinfo *addresses)
{
    struct channel_lookup *lookup = (struct channel_lookup *)request;
    struct rpc_channel *channel = lookup->channel;
    free(lookup);
    if (channel == NULL) {
        uv_freeaddrinfo(addresses);
        return;
    }
    channel->lookup = NULL;
    if (status != 0) {
        snprintf(channel->problem, sizeof channel->problem,
                 "cannot find the host %s: %s", channel->host,
                 uv_strerror(status));
        metrics_add(channel_counters()->connect_failures, 1);
    }
    channel->addresses = channel->next_address = addresses;
    try_next(channel);
}

static void look_up(struct rpc_channel *channel)
{
    static const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    struct channel_lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        abort();
    lookup->channel = channel;
    channel->lookup = lookup;
    int result =
        uv_getaddrinfo(loop_uv(channel->loop), &lookup->request, on_addresses,
                       channel->host, channel->port, &hints);
    if (result != 0)
        on_addresses(&lookup->request, result, NULL);
}

static void dial_unix(struct rpc_channel *channel)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(channel->unix_path) >= sizeof at.sun_path) {
        channel_dial_failed(channel, channel->options.target,
                            "the socket path is too long");
        return;
    }
    strcpy(at.sun_path, channel->unix_path);
    channel->dialing = channel_link_open(channel, (const struct sockaddr *)&at,
                                         sizeof at, channel->options.target);
    if (channel->dialing == NULL)
        give_up(channel);
}

void channel_dial(struct rpc_channel *channel)
{
    if (channel->is_backing_off || channel->lookup != NULL ||
        channel->dialing != NULL || channel->is_closed)
        return;
    if (channel->unix_path != NULL)
        dial_unix(channel);
    else
        look_up(channel);
}

void channel_dial_stop(struct rpc_channel *channel)
{
    if (channel->lookup != NULL) {
        channel->lookup->channel = NULL;
        uv_cancel((uv_req_t *)&channel->lookup->request);
        channel->lookup = NULL;
    }
    if (channel->is_backing_off)
        loop_timer_stop(&channel->backoff);
    free_addresses(channel);
}

void channel_dial_done(struct channel_link *link)
{
    struct rpc_channel *channel = link->channel;
    channel->dialing = NULL;
    if (channel->is_backing_off)
        loop_timer_stop(&channel->backoff);
    channel->is_backing_off = false;
    free_addresses(channel);
    metrics_add(channel_counters()->connected, 1);
    channel_pump(channel);
}

/* A server that greets and hangs up must not be called in a circle: success is
 * a connection that has answered a call, or lasted. */
void channel_dial_lost(struct rpc_channel *channel,
                       const struct channel_link *link, const char *reason)
{
    int64_t lived_us = loop_now_us(channel->loop) - link->opened_us;
    if (link->has_answered ||
        lived_us >= (int64_t)channel->options.backoff_min_ms * 1000) {
        channel->failures = 0;
    } else if (!channel->is_backing_off && !channel->is_closed) {
        snprintf(channel->problem, sizeof channel->problem,
                 "the connection to %s was lost: %s", link->peer, reason);
        back_off(channel);
        fail_waiting(channel);
    }
    channel_pump(channel);
}
