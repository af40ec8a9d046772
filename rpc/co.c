/* Stacks, switches and the ready queue.
 *
 *   low                                                     high
 *   | guard page |        stack, grows down        | struct co |
 *
 * A stack is entered once by swapcontext() and from then on only by
 * _longjmp(), also when it is reused for the next coroutine: its bottom frame
 * is the endless loop in stack_main().  To the sanitizers a stack is a fibre
 * that never ends, so they keep no garbage of finished coroutines. */

/* The checked longjmp() takes a jump between stacks for an attack. */
#undef _FORTIFY_SOURCE

#include "rpc/co.h"
#include "rpc/co_pool.h"
#include "rpc/loop.h"

#include <assert.h>
#include <limits.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef VALGRIND_STACK_REGISTER
#define VALGRIND_STACK_REGISTER(low, high) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

/* One side of a switch: where to go back to, and what the sanitizers know. */
struct side {
    jmp_buf place;
    void *fake_stack;
    const void *stack_low;
    size_t stack_bytes;
    void *fibre;
};

typedef enum { CO_READY, CO_RUNNING, CO_PARKED, CO_ENDED } co_state;

struct co {
    struct co *next; /* in the ready queue or among the spare */
    struct co_pool *pool;
    void (*fn)(void *argument);
    void *argument;
    co_state state;
    bool woken; /* a wake came before the park */
    char *mapping;
    unsigned valgrind_id;
    struct side side;
};

struct co_pool {
    struct co *first_ready, **last_ready;
    struct co *spare;
    size_t spare_count;
    size_t live;
    size_t created; /* stacks ever */
    struct side loop_side;
};

static _Thread_local struct co *current;
static _Thread_local struct co *booting;
static _Thread_local struct side *booter;

/* --- switching ------------------------------------------------------------ */

static void before_switch(struct side *from, const struct side *to)
{
    (void)from;
    (void)to;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_low,
                                   to->stack_bytes);
#endif
#if defined(__SANITIZE_THREAD__)
    __tsan_switch_to_fiber(to->fibre, 0);
#endif
}

/* On arrival, `from` is where we came from: the loop's own stack is learnt
 * here, as nobody else tells its bounds. */
static void after_switch(struct side *self, struct side *from)
{
    (void)self;
    (void)from;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(self->fake_stack, &from->stack_low,
                                    &from->stack_bytes);
#endif
}

static void switch_sides(struct side *from, struct side *to)
{
    if (_setjmp(from->place) == 0) {
        before_switch(from, to);
        _longjmp(to->place, 1);
    }
}

static void suspend(struct co *self)
{
    switch_sides(&self->side, &self->pool->loop_side);
    after_switch(&self->side, &self->pool->loop_side);
}

static void resume(struct co *co)
{
#if defined(__SANITIZE_THREAD__)
    co->pool->loop_side.fibre = __tsan_get_current_fiber();
#endif
    co->state = CO_RUNNING;
    current = co;
    switch_sides(&co->pool->loop_side, &co->side);
    after_switch(&co->pool->loop_side, &co->side);
    current = NULL;
}

/* --- stacks --------------------------------------------------------------- */

static void stack_main(void)
{
    struct co *self = booting;
    after_switch(&self->side, booter);
    switch_sides(&self->side, booter);
    after_switch(&self->side, &self->pool->loop_side);
    for (;;) {
        self->fn(self->argument);
        self->state = CO_ENDED;
        suspend(self);
    }
}

/* Runs stack_main() up to its first switch, from the loop or from a coroutine
 * that spawns another one. */
static void stack_boot(struct co *co)
{
    static _Thread_local ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = (void *)co->side.stack_low;
    context.uc_stack.ss_size = co->side.stack_bytes;
    context.uc_link = NULL;
    makecontext(&context, stack_main, 0);

    struct side here = {0};
    booting = co;
    booter = &here;
#if defined(__SANITIZE_THREAD__)
    co->side.fibre = __tsan_create_fiber(0);
    here.fibre = __tsan_get_current_fiber();
#endif
    if (_setjmp(here.place) == 0) {
        before_switch(&here, &co->side);
        setcontext(&context);
        abort();
    }
    after_switch(&here, &co->side);
}

/* Stacks are equal to the cache when their tops lie at equal offsets: a few
 * dozen would push each other out.  So each begins some lines further down. */
static size_t colour(struct co_pool *pool)
{
    enum { COLOURS = 48, STEP_BYTES = 5 * 64 };
    return pool->created++ % COLOURS * STEP_BYTES;
}

static struct co *stack_create(struct co_pool *pool)
{
    size_t guard = (size_t)sysconf(_SC_PAGESIZE);
    char *mapping =
        mmap(NULL, CO_STACK_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping, guard, PROT_NONE) != 0) {
        munmap(mapping, CO_STACK_BYTES);
        return NULL;
    }
    size_t co_bytes = ((sizeof(struct co) + 63) & ~(size_t)63) + colour(pool);
    struct co *co = (struct co *)(mapping + CO_STACK_BYTES - co_bytes);
    co->pool = pool;
    co->mapping = mapping;
    co->side.stack_low = mapping + guard;
    co->side.stack_bytes = CO_STACK_BYTES - guard - co_bytes;
    co->valgrind_id = VALGRIND_STACK_REGISTER(mapping + guard, co);
    stack_boot(co);
    return co;
}

static void stack_destroy(struct co *co)
{
    VALGRIND_STACK_DEREGISTER(co->valgrind_id);
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(co->side.fibre);
#endif
#if defined(__SANITIZE_ADDRESS__)
    /* Whoever maps this address next must not meet our red zones. */
    __asan_unpoison_memory_region(co->side.stack_low, co->side.stack_bytes);
#endif
    munmap(co->mapping, CO_STACK_BYTES);
}

static struct co *stack_take(struct co_pool *pool)
{
    struct co *co = pool->spare;
    if (co == NULL)
        return stack_create(pool);
    pool->spare = co->next;
    pool->spare_count--;
    return co;
}

static void stack_give(struct co *co)
{
    struct co_pool *pool = co->pool;
    pool->live--;
    if (pool->spare_count >= CO_SPARE_MAX) {
        stack_destroy(co);
        return;
    }
    co->next = pool->spare;
    pool->spare = co;
    pool->spare_count++;
}

/* --- the pool ------------------------------------------------------------- */

struct co_pool *co_pool_create(void)
{
    struct co_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        abort();
    pool->last_ready = &pool->first_ready;
    return pool;
}

void co_pool_destroy(struct co_pool *pool)
{
    assert(pool->live == 0);
    while (pool->spare != NULL) {
        struct co *co = pool->spare;
        pool->spare = co->next;
        stack_destroy(co);
    }
    free(pool);
}

static void push_ready(struct co *co)
{
    co->state = CO_READY;
    co->next = NULL;
    *co->pool->last_ready = co;
    co->pool->last_ready = &co->next;
}

bool co_pool_run(struct co_pool *pool)
{
    struct co *batch = pool->first_ready;
    if (batch == NULL)
        return false;
    pool->first_ready = NULL;
    pool->last_ready = &pool->first_ready;
    while (batch != NULL) {
        struct co *co = batch;
        batch = co->next;
        resume(co);
        if (co->state == CO_ENDED)
            stack_give(co);
    }
    return true;
}

bool co_pool_is_ready(const struct co_pool *pool)
{
    return pool->first_ready != NULL;
}

size_t co_pool_live(const struct co_pool *pool)
{
    return pool->live;
}

/* --- for everybody -------------------------------------------------------- */

struct co *co_spawn(struct loop *loop, void (*fn)(void *argument),
                    void *argument)
{
    struct co_pool *pool = loop_co_pool(loop);
    struct co *co = stack_take(pool);
    if (co == NULL)
        return NULL;
    pool->live++;
    co->fn = fn;
    co->argument = argument;
    co->woken = false;
    push_ready(co);
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
    suspend(self);
}

void co_wake(struct co *co)
{
    if (co->state == CO_PARKED)
        push_ready(co);
    else
        co->woken = true;
}

unsigned long co_stack_left(void)
{
    if (current == NULL)
        return ULONG_MAX;
    const char *here = __builtin_frame_address(0);
    return (unsigned long)(here - (const char *)current->side.stack_low);
}
