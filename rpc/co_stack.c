/* Stacks and switches.
 *
 *   low                                                               high
 *   | guard page |      stack, grows down      | struct co_stack | colour |
 *
 * A stack is entered once by setcontext() and from then on only by _longjmp(),
 * also when it is reused: its bottom frame is the endless loop in stack_main().
 * To the sanitizers a stack is a fibre that never ends, so they keep no garbage
 * of finished coroutines. */

/* The checked longjmp() takes a jump between stacks for an attack. */
#undef _FORTIFY_SOURCE

#include "rpc/co_stack.h"

#include <setjmp.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <uv.h>

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
#ifdef PRBAL_VALGRIND
#include <valgrind/valgrind.h>
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

struct co_stack {
    struct co_stack *next; /* among the spare */
    struct co_stacks *owner;
    void (*fn)(void *argument);
    void *argument;
    char *mapping;
    unsigned valgrind_id;
    struct side side;
};

struct co_stacks {
    struct co_stack *spare;
    size_t spare_count;
    size_t created; /* ever */
    struct side loop_side;
};

static _Thread_local struct co_stack *booting;
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

void co_stack_resume(struct co_stack *stack)
{
    struct side *loop_side = &stack->owner->loop_side;
#if defined(__SANITIZE_THREAD__)
    loop_side->fibre = __tsan_get_current_fiber();
#endif
    switch_sides(loop_side, &stack->side);
    after_switch(loop_side, &stack->side);
}

void co_stack_run(struct co_stack *stack, void (*fn)(void *argument),
                  void *argument)
{
    stack->fn = fn;
    stack->argument = argument;
    co_stack_resume(stack);
}

void co_stack_leave(struct co_stack *stack)
{
    switch_sides(&stack->side, &stack->owner->loop_side);
    after_switch(&stack->side, &stack->owner->loop_side);
}

size_t co_stack_rest(const struct co_stack *stack)
{
    const char *here = __builtin_frame_address(0);
    return (size_t)(here - (const char *)stack->side.stack_low);
}

/* --- making --------------------------------------------------------------- */

static void stack_main(void)
{
    struct co_stack *self = booting;
    after_switch(&self->side, booter);
    switch_sides(&self->side, booter);
    after_switch(&self->side, &self->owner->loop_side);
    for (;;) {
        self->fn(self->argument);
        co_stack_leave(self);
    }
}

/* Runs stack_main() up to its first switch. */
static void stack_boot(struct co_stack *stack)
{
    static _Thread_local ucontext_t context;
    getcontext(&context);
    context.uc_stack.ss_sp = (void *)stack->side.stack_low;
    context.uc_stack.ss_size = stack->side.stack_bytes;
    context.uc_link = NULL;
    makecontext(&context, stack_main, 0);

    struct side here = {0};
    booting = stack;
    booter = &here;
#if defined(__SANITIZE_THREAD__)
    stack->side.fibre = __tsan_create_fiber(0);
    here.fibre = __tsan_get_current_fiber();
#endif
    if (_setjmp(here.place) == 0) {
        before_switch(&here, &stack->side);
        setcontext(&context);
        abort();
    }
    after_switch(&here, &stack->side);
}

/* Stacks are equal to the cache when their tops lie at equal offsets: a few
 * dozen would push each other out.  So each begins some lines further down. */
static size_t colour(struct co_stacks *stacks)
{
    enum { COLOURS = 48, STEP_BYTES = 5 * 64 };
    return stacks->created++ % COLOURS * STEP_BYTES;
}

static char *map_guarded(size_t guard_bytes)
{
    char *mapping =
        mmap(NULL, CO_STACK_BYTES, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    if (mprotect(mapping, guard_bytes, PROT_NONE) == 0)
        return mapping;
    munmap(mapping, CO_STACK_BYTES);
    return NULL;
}

/* All stacks of the process: the kernel grants only so many mappings, and each
 * stack takes two. */
static atomic_size_t stack_total;
static size_t stack_total_max;
static uv_once_t stack_total_once = UV_ONCE_INIT;

static void read_stack_limit(void)
{
    enum { MAPPINGS_DEFAULT = 65530, MAPPINGS_FOR_OTHERS = 4096 };
    long mappings = MAPPINGS_DEFAULT;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    if (file != NULL) {
        if (fscanf(file, "%ld", &mappings) != 1)
            mappings = MAPPINGS_DEFAULT;
        fclose(file);
    }
    if (mappings < 2 * MAPPINGS_FOR_OTHERS)
        mappings = 2 * MAPPINGS_FOR_OTHERS;
    stack_total_max = (size_t)(mappings - MAPPINGS_FOR_OTHERS) / 2;
}

void co_stacks_limit(size_t count)
{
    uv_once(&stack_total_once, read_stack_limit);
    stack_total_max = count;
}

static struct co_stack *stack_create(struct co_stacks *stacks)
{
    size_t guard_bytes = (size_t)sysconf(_SC_PAGESIZE);
    char *mapping = map_guarded(guard_bytes);
    if (mapping == NULL)
        return NULL;
    size_t top_bytes =
        ((sizeof(struct co_stack) + 63) & ~(size_t)63) + colour(stacks);
    struct co_stack *stack =
        (struct co_stack *)(mapping + CO_STACK_BYTES - top_bytes);
    stack->owner = stacks;
    stack->mapping = mapping;
    stack->side.stack_low = mapping + guard_bytes;
    stack->side.stack_bytes = CO_STACK_BYTES - guard_bytes - top_bytes;
    stack->valgrind_id = VALGRIND_STACK_REGISTER(mapping + guard_bytes, stack);
    atomic_fetch_add(&stack_total, 1);
    stack_boot(stack);
    return stack;
}

static void stack_destroy(struct co_stack *stack)
{
    VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#if defined(__SANITIZE_THREAD__)
    __tsan_destroy_fiber(stack->side.fibre);
#endif
#if defined(__SANITIZE_ADDRESS__)
    /* Whoever maps this address next must not meet our red zones. */
    __asan_unpoison_memory_region(stack->side.stack_low,
                                  stack->side.stack_bytes);
#endif
    munmap(stack->mapping, CO_STACK_BYTES);
    atomic_fetch_sub(&stack_total, 1);
}

/* --- the spare ones ------------------------------------------------------- */

struct co_stacks *co_stacks_create(void)
{
    uv_once(&stack_total_once, read_stack_limit);
    struct co_stacks *stacks = calloc(1, sizeof *stacks);
    if (stacks == NULL)
        abort();
    return stacks;
}

void co_stacks_destroy(struct co_stacks *stacks)
{
    while (stacks->spare != NULL) {
        struct co_stack *stack = stacks->spare;
        stacks->spare = stack->next;
        stack_destroy(stack);
    }
    free(stacks);
}

bool co_stacks_have(const struct co_stacks *stacks, size_t count)
{
    if (count <= stacks->spare_count)
        return true;
    size_t total = atomic_load_explicit(&stack_total, memory_order_relaxed);
    return total + count <= stack_total_max + stacks->spare_count;
}

size_t co_stacks_spare(const struct co_stacks *stacks)
{
    return stacks->spare_count;
}

struct co_stack *co_stack_take(struct co_stacks *stacks)
{
    struct co_stack *stack = stacks->spare;
    if (stack == NULL)
        return stack_create(stacks);
    stacks->spare = stack->next;
    stacks->spare_count--;
    return stack;
}

void co_stack_give(struct co_stack *stack)
{
    struct co_stacks *stacks = stack->owner;
    if (stacks->spare_count >= CO_SPARE_MAX) {
        stack_destroy(stack);
        return;
    }
    stack->next = stacks->spare;
    stacks->spare = stack;
    stacks->spare_count++;
}
