/* prbal.bench.Streams: a stream is a tail, without a coroutine, in the list of
 * its loop; an event is encoded once and handed to every loop. */
#include "rpc/codec.h"
#include "rpc/loop.h"
#include "rpc/server.h"
#include "rpc/stream.h"
#include "tests/bench/peers/streams.rpc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct listener {
    struct rpc_tail *tail;
    struct listeners *list;
    struct listener *before, *after;
};

/* Of one loop. */
struct listeners {
    struct listener *first;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int slot;
static atomic_int_least64_t last_event_id;

static void take_slot(void)
{
    slot = loop_slot();
}

/* Made when the loop's first stream comes; the process ends with it. */
static struct listeners *listeners_of(struct loop *loop)
{
    pthread_once(&once, take_slot);
    struct listeners *list = loop_get(loop, slot);
    if (list != NULL)
        return list;
    list = calloc(1, sizeof *list);
    if (list == NULL)
        abort();
    loop_set(loop, slot, list);
    return list;
}

static void forget(struct rpc_tail *tail, void *owner)
{
    struct listener *gone = owner;
    (void)tail;
    if (gone->before != NULL)
        gone->before->after = gone->after;
    else
        gone->list->first = gone->after;
    if (gone->after != NULL)
        gone->after->before = gone->before;
    free(gone);
}

static void say_goodbye(struct rpc_tail *tail, void *owner)
{
    rpc_tail_end(tail, RPC_UNAVAILABLE, "the server is going down");
    forget(tail, owner);
}

rpc_status streams_subscribe(struct rpc_call *call, const SubscribeRequest *req,
                             struct rpc_out *out)
{
    static const struct rpc_tail_hooks hooks = {forget, say_goodbye};
    (void)req;
    TRY(rpc_send_headers(out));
    struct listener *added = calloc(1, sizeof *added);
    if (added == NULL)
        return rpc_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
    struct listeners *list = listeners_of(call->loop);
    added->list = list;
    added->after = list->first;
    if (list->first != NULL)
        list->first->before = added;
    list->first = added;
    added->tail = rpc_detach(out, &hooks, added);
    return RPC_SUCCESS;
}

/* ---- Publishing. */

struct publication {
    struct rpc_call *call;
    const uint8_t *bytes;
    size_t size;
    int64_t streams;
    int loops_left; /* the publisher's loop counts */
    bool is_done;
};

/* What one loop does of it. */
struct errand {
    struct publication *publication;
    struct loop *loop;
    int64_t streams;
};

static void come_back(void *argument)
{
    struct errand *errand = argument;
    struct publication *all = errand->publication;
    all->streams += errand->streams;
    if (--all->loops_left > 0)
        return;
    all->is_done = true;
    rpc_wake(all->call);
}

/* A listener that takes no more has lost an event: this is no log. */
static void hand_out(void *argument)
{
    struct errand *errand = argument;
    const struct publication *all = errand->publication;
    struct listeners *list = listeners_of(errand->loop);
    for (struct listener *l = list->first; l != NULL; l = l->after)
        errand->streams += rpc_tail_send(l->tail, all->bytes, all->size);
    loop_post(all->call->loop, come_back, errand);
}

static void encode(struct rpc_call *call, const PublishRequest *req,
                   struct publication *all)
{
    Event event = EVENT_INIT;
    event.event_id = atomic_fetch_add(&last_event_id, 1) + 1;
    event.published_unix_nanos = req->published_unix_nanos;
    event.payload = req->payload;
    all->size = codec_size(&event.base);
    uint8_t *bytes = arena_alloc(call->arena, all->size);
    codec_encode(&event.base, bytes);
    all->bytes = bytes;
}

rpc_status streams_publish(struct rpc_call *call, const PublishRequest *req,
                           PublishResponse *res)
{
    int loops = rpc_server_loop_count(call->server);
    struct publication all = {.call = call, .loops_left = loops};
    struct errand *errands =
        arena_array(call->arena, (size_t)loops, sizeof *errands);
    encode(call, req, &all);
    for (int i = 0; i < loops; i++) {
        errands[i] = (struct errand){&all, rpc_server_loop(call->server, i), 0};
        loop_post(errands[i].loop, hand_out, &errands[i]);
    }
    rpc_wait_always(call, &all.is_done);
    res->streams = all.streams;
    return RPC_SUCCESS;
}
