/* Coroutines and their ready queue; rpc/co_stack.c switches.
 *
 * A coroutine gets its stack when it first runs.  Of the hundreds that one
 * pass of a busy loop may spawn, those that end without ever parking then take
 * turns on one stack, which stays in the cache. */
#include "rpc/co.h"

#include "rpc/co_pool.h"
#include "rpc/co_stack.h"
#include "rpc/loop.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

typedef enum { CO_READY, CO_RUNNING, CO_PARKED, CO_ENDED } co_state;

struct co {
    struct co *next; /* in a queue, or among the spare */
    struct co_pool *pool;
    struct co_stack *stack; /* NULL before it first runs */
    void (*fn)(void *argument);
    void *argument;
    co_state state;
    bool woken; /* a wake came before the park */
};

struct co_queue {
    struct co *first, **last;
};

struct co_pool {
    struct co_stacks *stacks;
    struct co_queue ready;
    struct co_queue starved; /* found no stack; wait for one to be given back */
    struct co *spare;
    size_t live;
    size_t unstarted; /* live, but without a stack yet */
};

static _Thread_local struct co *current;

/* --- queues --------------------------------------------------------------- */

static void queue_init(struct co_queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

static void queue_push(struct co_queue *queue, struct co *co)
{
    co->next = NULL;
    *queue->last = co;
    queue->last = &co->next;
}

static struct co *queue_pop(struct co_queue *queue)
{
    struct co *co = queue->first;
    if (co == NULL)
        return NULL;
    queue->first = co->next;
    if (queue->first == NULL)
        queue->last = &queue->first;
    return co;
}

/* --- the pool ------------------------------------------------------------- */

struct co_pool *co_pool_create(void)
{
    struct co_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        abort();
    pool->stacks = co_stacks_create();
    queue_init(&pool->ready);
    queue_init(&pool->starved);
    return pool;
}

void co_pool_destroy(struct co_pool *pool)
{
    assert(pool->live == 0);
    co_stacks_destroy(pool->stacks);
    while (pool->spare != NULL) {
        struct co *co = pool->spare;
        pool->spare = co->next;
        free(co);
    }
    free(pool);
}

static void make_ready(struct co *co)
{
    co->state = CO_READY;
    queue_push(&co->pool->ready, co);
}

static void finish(struct co_pool *pool, struct co *co)
{
    co_stack_give(co->stack);
    pool->live--;
    co->next = pool->spare;
    pool->spare = co;
    struct co *starved = queue_pop(&pool->starved);
    if (starved != NULL)
        make_ready(starved);
}

static void co_main(void *argument)
{
    struct co *co = argument;
    co->fn(co->argument);
    co->state = CO_ENDED;
}

static void start(struct co_pool *pool, struct co *co)
{
    co->stack = co_stack_take(pool->stacks);
    if (co->stack == NULL) {
        co->state = CO_READY;
        queue_push(&pool->starved, co);
        return;
    }
    pool->unstarted--;
    co_stack_run(co->stack, co_main, co);
}

static void run(struct co_pool *pool, struct co *co)
{
    co->state = CO_RUNNING;
    current = co;
    if (co->stack == NULL)
        start(pool, co);
    else
        co_stack_resume(co->stack);
    current = NULL;
    if (co->state == CO_ENDED)
        finish(pool, co);
}

/* When nobody here has a stack to give back, the next pass tries again. */
static void feed_starved(struct co_pool *pool)
{
    if (pool->starved.first != NULL && pool->live == pool->unstarted)
        make_ready(queue_pop(&pool->starved));
}

bool co_pool_run(struct co_pool *pool)
{
    feed_starved(pool);
    struct co *batch = pool->ready.first;
    if (batch == NULL)
        return false;
    queue_init(&pool->ready);
    while (batch != NULL) {
        struct co *co = batch;
        batch = co->next;
        run(pool, co);
    }
    return true;
}

bool co_pool_is_ready(const struct co_pool *pool)
{
    return pool->ready.first != NULL;
}

size_t co_pool_spare_stacks(const struct co_pool *pool)
{
    return co_stacks_spare(pool->stacks);
}

size_t co_pool_live(const struct co_pool *pool)
{
    return pool->live;
}

/* --- for everybody -------------------------------------------------------- */

static struct co *co_take(struct co_pool *pool)
{
    struct co *co = pool->spare;
    if (co != NULL) {
        pool->spare = co->next;
        return co;
    }
    co = malloc(sizeof *co);
    if (co == NULL)
        abort();
    return co;
}

struct co *co_spawn(struct loop *loop, void (*fn)(void *argument),
                    void *argument)
{
    struct co_pool *pool = loop_co_pool(loop);
    if (!co_stacks_have(pool->stacks, pool->unstarted + 1))
        return NULL;
    struct co *co = co_take(pool);
    *co = (struct co){.pool = pool, .fn = fn, .argument = argument};
    pool->live++;
    pool->unstarted++;
    make_ready(co);
    return co;
}

struct co *co_current(void)
{
    return current;
}

void co_park(void)
{
    struct co *self = current;
    assert(self != NULL);
    if (self->woken) {
        self->woken = false;
        return;
    }
    self->state = CO_PARKED;
    co_stack_leave(self->stack);
}

void co_wake(struct co *co)
{
    if (co->state == CO_PARKED)
        make_ready(co);
    else
        co->woken = true;
}

unsigned long co_stack_left(void)
{
    if (current == NULL)
        return ULONG_MAX;
    return co_stack_rest(current->stack);
}
