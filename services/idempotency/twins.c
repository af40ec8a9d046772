#include "services/idempotency/twins.h"

#include "rpc/hash.h"
#include "rpc/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 256 };

struct twins {
    struct twin *running[BUCKETS];
};

static int slot;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void take_slot(void)
{
    slot = loop_slot();
}

void twins_loop_start(struct loop *loop)
{
    pthread_once(&once, take_slot);
    struct twins *twins = calloc(1, sizeof *twins);
    if (twins == NULL)
        abort();
    loop_set(loop, slot, twins);
}

void twins_loop_stop(struct loop *loop)
{
    free(loop_get(loop, slot));
    loop_set(loop, slot, NULL);
}

/* Where the running twin of this name is, or would be added. */
static struct twin **place_of(const struct twin *twin)
{
    struct twins *twins = loop_get(twin->call->loop, slot);
    uint64_t hash = hash_bytes(twin->name, strlen(twin->name));
    struct twin **at = &twins->running[hash % BUCKETS];
    while (*at != NULL && strcmp((*at)->name, twin->name) != 0)
        at = &(*at)->next;
    return at;
}

static void add_waiter(struct twin *running, struct twin *twin)
{
    twin->done = false;
    twin->next = NULL;
    *running->last = twin;
    running->last = &twin->next;
}

static void remove_waiter(struct twin *running, struct twin *twin)
{
    struct twin **at = &running->first;
    while (*at != twin)
        at = &(*at)->next;
    *at = twin->next;
    if (running->last == &twin->next)
        running->last = at;
}

rpc_status twin_enter(struct twin *twin, twin_turn *turn)
{
    struct twin **place = place_of(twin);
    twin->first = NULL;
    twin->last = &twin->first;
    *turn = TWIN_RUN;
    if (*place == NULL) {
        twin->next = NULL;
        *place = twin;
        return RPC_SUCCESS;
    }
    add_waiter(*place, twin);
    rpc_status ended = rpc_wait_for(twin->call, "twin call", &twin->done);
    *turn = twin->turn;
    if (ended.code == RPC_OK)
        return RPC_SUCCESS;
    if (!twin->done)
        remove_waiter(*place_of(twin), twin);
    else if (twin->turn == TWIN_RUN)
        twin_leave(twin, TWIN_RUN);
    return ended;
}

static void pass_on(struct twin *from, struct twin **place)
{
    struct twin *next = from->first;
    next->first = next->next;
    next->last = next->first == NULL ? &next->first : from->last;
    next->next = *place;
    *place = next;
    next->turn = TWIN_RUN;
    next->done = true;
    rpc_wake(next->call);
}

static void tell(struct twin *waiter, const struct twin *from, twin_turn told)
{
    struct arena *arena = waiter->call->arena;
    if (told == TWIN_ANSWERED) {
        waiter->hash = arena_memdup(arena, from->hash, TWIN_HASH_BYTES);
        waiter->reply.len = from->reply.len;
        waiter->reply.data =
            arena_memdup(arena, from->reply.data, from->reply.len);
    }
    waiter->turn = told;
    waiter->done = true;
    rpc_wake(waiter->call);
}

void twin_leave(struct twin *twin, twin_turn told)
{
    struct twin **place = place_of(twin);
    *place = twin->next;
    if (told == TWIN_RUN) {
        if (twin->first != NULL)
            pass_on(twin, place);
        return;
    }
    for (struct twin *w = twin->first, *next; w != NULL; w = next) {
        next = w->next;
        tell(w, twin, told);
    }
}
