/* The event loop: libuv for descriptors, and our own passes, posts and timers.
 *
 * Coroutines and flush hooks run in libuv's prepare phase, that is after the
 * callbacks of one poll and before the next. */
#include "rpc/loop.h"

#include "rpc/arena.h"
#include "rpc/clock.h"
#include "rpc/co_pool.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

struct post {
    struct post *next;
    void (*fn)(void *argument);
    void *argument;
};

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_idle_t again; /* active while ready coroutines were left for later */
    uv_async_t wake;
    uv_timer_t alarm;

    uv_mutex_t post_lock;
    struct post *first_post, **last_post;
    atomic_bool stopping;

    struct co_pool *coroutines;
    struct loop_flush *flushes;
    const bool *until;

    struct loop_timer **heap;
    int timer_count, heap_size;
    int64_t alarm_us; /* when `alarm` rings; INT64_MAX = not set */

    int64_t now_us; /* 0 = to be read */
    int64_t pass_end_us;
    uint64_t passes;
    _Atomic int64_t lag_us;
    void *slots[LOOP_SLOTS_MAX];
};

/* Coroutines that wake each other must not starve the sockets for ever. */
enum { ROUNDS_MAX = 64 };

static _Thread_local struct loop *this_loop;

struct loop *loop_current(void)
{
    return this_loop;
}

uv_loop_t *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

struct co_pool *loop_co_pool(struct loop *loop)
{
    return loop->coroutines;
}

int64_t loop_lag_us(const struct loop *loop)
{
    return atomic_load_explicit(&loop->lag_us, memory_order_relaxed);
}

uint64_t loop_passes(const struct loop *loop)
{
    return loop->passes;
}

/* A loop that has waited in poll for longer than its passes take is not behind
 * any more, however slow they were.  Once a pass: what runs for each question
 * is short. */
__attribute__((cold, noinline)) static int64_t read_clock(struct loop *loop)
{
    loop->now_us = clock_monotonic_us();
    if (loop->now_us - loop->pass_end_us > loop_lag_us(loop))
        atomic_store_explicit(&loop->lag_us, 0, memory_order_relaxed);
    return loop->now_us;
}

/* The clock is a cache: reading it changes nothing that anyone can see.  It is
 * of no use before the loop runs, when nobody would empty it. */
int64_t loop_now_us(const struct loop *loop)
{
    if (this_loop != loop)
        return clock_monotonic_us();
    if (loop->now_us == 0)
        return read_clock((struct loop *)loop);
    return loop->now_us;
}

/* --- timers: a binary heap under one libuv timer -------------------------- */

static void heap_put(struct loop *loop, int i, struct loop_timer *timer)
{
    loop->heap[i] = timer;
    timer->heap_index = i;
}

static void heap_up(struct loop *loop, int i, struct loop_timer *timer)
{
    while (i > 0) {
        int parent = (i - 1) / 2;
        if (loop->heap[parent]->due_us <= timer->due_us)
            break;
        heap_put(loop, i, loop->heap[parent]);
        i = parent;
    }
    heap_put(loop, i, timer);
}

static void heap_down(struct loop *loop, int i, struct loop_timer *timer)
{
    for (;;) {
        int child = 2 * i + 1;
        if (child >= loop->timer_count)
            break;
        if (child + 1 < loop->timer_count &&
            loop->heap[child + 1]->due_us < loop->heap[child]->due_us)
            child++;
        if (timer->due_us <= loop->heap[child]->due_us)
            break;
        heap_put(loop, i, loop->heap[child]);
        i = child;
    }
    heap_put(loop, i, timer);
}

static void heap_add(struct loop *loop, struct loop_timer *timer)
{
    if (loop->timer_count == loop->heap_size) {
        loop->heap_size = loop->heap_size == 0 ? 64 : loop->heap_size * 2;
        loop->heap =
            realloc(loop->heap, (size_t)loop->heap_size * sizeof *loop->heap);
        if (loop->heap == NULL)
            abort();
    }
    heap_up(loop, loop->timer_count++, timer);
}

static void heap_remove(struct loop *loop, struct loop_timer *timer)
{
    int hole = timer->heap_index;
    struct loop_timer *last = loop->heap[--loop->timer_count];
    timer->heap_index = -1;
    if (last == timer)
        return;
    heap_down(loop, hole, last);
    heap_up(loop, last->heap_index, last);
}

void loop_timer_init(struct loop_timer *timer,
                     void (*fn)(struct loop_timer *timer))
{
    *timer = (struct loop_timer){.fn = fn, .heap_index = -1};
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer,
                      int64_t after_ms)
{
    loop_timer_stop(timer);
    timer->loop = loop;
    timer->due_us = loop_now_us(loop) + after_ms * 1000;
    heap_add(loop, timer);
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (timer->heap_index >= 0)
        heap_remove(timer->loop, timer);
}

static void run_due_timers(struct loop *loop)
{
    int64_t now = loop_now_us(loop);
    while (loop->timer_count > 0 && loop->heap[0]->due_us <= now) {
        struct loop_timer *timer = loop->heap[0];
        heap_remove(loop, timer);
        timer->fn(timer);
    }
}

static void on_alarm(uv_timer_t *alarm)
{
    struct loop *loop = alarm->data;
    loop->alarm_us = INT64_MAX;
    loop->now_us = 0;
    run_due_timers(loop);
}

/* Only ever moves the alarm forward: one that rings too early costs less than
 * a libuv timer moved for each call. */
static void set_alarm(struct loop *loop)
{
    if (loop->timer_count == 0 || loop->heap[0]->due_us >= loop->alarm_us)
        return;
    loop->alarm_us = loop->heap[0]->due_us;
    int64_t after_us = loop->alarm_us - clock_monotonic_us();
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->alarm, on_alarm,
                   after_us <= 0 ? 0 : (uint64_t)(after_us + 999) / 1000, 0);
}

/* --- a pass --------------------------------------------------------------- */

static void run_flushes(struct loop *loop)
{
    for (struct loop_flush *f = loop->flushes, *next; f != NULL; f = next) {
        next = f->next;
        f->fn(f);
    }
}

static void on_again(uv_idle_t *again)
{
    (void)again;
}

/* A quarter of each new pass: one slow pass is forgiven, four are not. */
static void measure_pass(struct loop *loop, int64_t began_us)
{
    int64_t lag_us = loop_lag_us(loop);
    loop->pass_end_us = clock_monotonic_us();
    loop->passes++;
    lag_us += (loop->pass_end_us - began_us - lag_us) / 4;
    atomic_store_explicit(&loop->lag_us, lag_us, memory_order_relaxed);
}

static void run_pass(struct loop *loop)
{
    int64_t began_us = loop_now_us(loop); /* callbacks may have read it */
    loop->now_us = 0;
    int rounds = 0;
    do {
        while (rounds < ROUNDS_MAX && co_pool_run(loop->coroutines))
            rounds++;
        run_flushes(loop);
    } while (rounds < ROUNDS_MAX && co_pool_is_ready(loop->coroutines));

    measure_pass(loop, began_us);
    if (co_pool_is_ready(loop->coroutines))
        uv_idle_start(&loop->again, on_again);
    else
        uv_idle_stop(&loop->again);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    run_pass(loop);
    set_alarm(loop);
    if (loop->until != NULL && *loop->until)
        uv_stop(&loop->uv);
    loop->now_us = 0;
}

void loop_add_flush(struct loop *loop, struct loop_flush *flush)
{
    struct loop_flush **at = &loop->flushes;
    while (*at != NULL)
        at = &(*at)->next;
    flush->next = NULL;
    *at = flush;
}

void loop_remove_flush(struct loop *loop, struct loop_flush *flush)
{
    for (struct loop_flush **at = &loop->flushes; *at != NULL;
         at = &(*at)->next) {
        if (*at == flush) {
            *at = flush->next;
            return;
        }
    }
}

/* --- posts ---------------------------------------------------------------- */

static struct post *take_posts(struct loop *loop)
{
    uv_mutex_lock(&loop->post_lock);
    struct post *posts = loop->first_post;
    loop->first_post = NULL;
    loop->last_post = &loop->first_post;
    uv_mutex_unlock(&loop->post_lock);
    return posts;
}

static void run_posts(struct post *posts)
{
    for (struct post *p = posts, *next; p != NULL; p = next) {
        next = p->next;
        p->fn(p->argument);
        free(p);
    }
}

bool loop_run_posts(struct loop *loop)
{
    struct post *posts = take_posts(loop);
    struct loop *outer_loop = this_loop;
    this_loop = loop;
    run_posts(posts);
    this_loop = outer_loop;
    return posts != NULL;
}

static void on_wake(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    run_posts(take_posts(loop));
    if (atomic_load(&loop->stopping))
        uv_stop(&loop->uv);
}

void loop_post(struct loop *loop, void (*fn)(void *argument), void *argument)
{
    struct post *post = malloc(sizeof *post);
    if (post == NULL)
        abort();
    *post = (struct post){NULL, fn, argument};

    uv_mutex_lock(&loop->post_lock);
    bool was_empty = loop->first_post == NULL;
    *loop->last_post = post;
    loop->last_post = &post->next;
    uv_mutex_unlock(&loop->post_lock);
    if (was_empty)
        uv_async_send(&loop->wake);
}

/* --- life ----------------------------------------------------------------- */

static void must(int result)
{
    if (result != 0)
        abort();
}

struct loop *loop_create(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        abort();
    must(uv_loop_init(&loop->uv));
    must(uv_prepare_init(&loop->uv, &loop->prepare));
    must(uv_idle_init(&loop->uv, &loop->again));
    must(uv_async_init(&loop->uv, &loop->wake, on_wake));
    must(uv_timer_init(&loop->uv, &loop->alarm));
    must(uv_mutex_init(&loop->post_lock));
    loop->prepare.data = loop->wake.data = loop->alarm.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    loop->last_post = &loop->first_post;
    loop->alarm_us = INT64_MAX;
    loop->coroutines = co_pool_create();
    return loop;
}

static void on_foreign_handle(uv_handle_t *handle, void *argument)
{
    (void)argument;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void loop_destroy(struct loop *loop)
{
    if (loop == NULL)
        return;
    uv_prepare_stop(&loop->prepare);
    uv_walk(&loop->uv, on_foreign_handle, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop->uv));
    co_pool_destroy(loop->coroutines);
    for (struct post *p = take_posts(loop), *next; p != NULL; p = next) {
        next = p->next;
        free(p);
    }
    uv_mutex_destroy(&loop->post_lock);
    free(loop->heap);
    free(loop);
}

void loop_run(struct loop *loop)
{
    this_loop = loop;
    while (!atomic_load(&loop->stopping))
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    atomic_store(&loop->stopping, false);
    this_loop = NULL;
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    uv_async_send(&loop->wake);
}

void loop_run_until(struct loop *loop, const bool *done)
{
    struct loop *outer_loop = this_loop;
    const bool *outer_until = loop->until;
    this_loop = loop;
    loop->until = done;
    while (!*done)
        uv_run(&loop->uv, UV_RUN_ONCE);
    run_pass(loop);
    loop->until = outer_until;
    this_loop = outer_loop;
}

int loop_slot(void)
{
    static atomic_int next_slot;
    int slot = atomic_fetch_add(&next_slot, 1);
    assert(slot < LOOP_SLOTS_MAX);
    return slot;
}

void loop_set(struct loop *loop, int slot, void *value)
{
    loop->slots[slot] = value;
}

void *loop_get(const struct loop *loop, int slot)
{
    return loop->slots[slot];
}
