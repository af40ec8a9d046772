#include "rpc/loop.h"

#include "rpc/clock.h"
#include "rpc/co.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

typedef struct {
    struct loop *loop;
    bool done;
    char trace[64];
} fixture;

static int setup(void **state)
{
    fixture *t = calloc(1, sizeof *t);
    t->loop = loop_create();
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    fixture *t = *state;
    loop_destroy(t->loop);
    free(t);
    return 0;
}

static void mark(fixture *t, char c)
{
    t->trace[strlen(t->trace)] = c;
}

/* --- posts ---------------------------------------------------------------- */

enum { SENDERS = 4, POSTS_EACH = 5000 };

struct sender {
    struct inbox *inbox;
    int last_seen;
    uv_thread_t thread;
};

struct inbox {
    struct loop *loop;
    struct sender senders[SENDERS];
    int received, out_of_order;
    bool done;
};

struct letter {
    struct sender *sender;
    int number;
};

static void receive(void *argument)
{
    struct letter *letter = argument;
    struct inbox *inbox = letter->sender->inbox;
    if (letter->number != letter->sender->last_seen + 1)
        inbox->out_of_order++;
    letter->sender->last_seen = letter->number;
    inbox->done = ++inbox->received == SENDERS * POSTS_EACH;
    free(letter);
}

static void send_letters(void *argument)
{
    struct sender *sender = argument;
    for (int i = 1; i <= POSTS_EACH; i++) {
        struct letter *letter = malloc(sizeof *letter);
        *letter = (struct letter){sender, i};
        loop_post(sender->inbox->loop, receive, letter);
    }
}

static void posts_of_many_threads_all_arrive_in_each_ones_order(void **state)
{
    fixture *t = *state;
    struct inbox inbox = {.loop = t->loop};
    for (int i = 0; i < SENDERS; i++) {
        inbox.senders[i].inbox = &inbox;
        uv_thread_create(&inbox.senders[i].thread, send_letters,
                         &inbox.senders[i]);
    }
    loop_run_until(t->loop, &inbox.done);
    for (int i = 0; i < SENDERS; i++)
        uv_thread_join(&inbox.senders[i].thread);
    assert_int_equal(inbox.received, SENDERS * POSTS_EACH);
    assert_int_equal(inbox.out_of_order, 0);
}

static void run_loop(void *argument)
{
    loop_run(argument);
}

static void set_done(void *argument)
{
    fixture *t = argument;
    t->done = loop_current() == t->loop;
    loop_stop(t->loop);
}

static void a_stop_from_a_post_ends_the_run_on_its_thread(void **state)
{
    fixture *t = *state;
    uv_thread_t thread;
    uv_thread_create(&thread, run_loop, t->loop);
    loop_post(t->loop, set_done, t);
    uv_thread_join(&thread);
    assert_true(t->done);
}

static void post_again(void *argument)
{
    struct letter *letter = argument;
    assert_ptr_equal(loop_current(), letter->sender->inbox->loop);
    loop_post(loop_current(), receive, letter);
}

/* And with them goes what their arguments own. */
static void what_was_posted_to_a_loop_that_has_ended_can_still_run(void **state)
{
    fixture *t = *state;
    struct inbox inbox = {.loop = t->loop};
    struct letter *letter = malloc(sizeof *letter);
    *letter = (struct letter){&inbox.senders[0], 1};
    inbox.senders[0].inbox = &inbox;
    loop_stop(t->loop);
    loop_run(t->loop);
    loop_post(t->loop, post_again, letter);
    assert_true(loop_run_posts(t->loop));
    assert_int_equal(inbox.received, 0);
    assert_true(loop_run_posts(t->loop));
    assert_int_equal(inbox.received, 1);
    assert_false(loop_run_posts(t->loop));
    assert_null(loop_current());
}

/* --- a pass --------------------------------------------------------------- */

struct marking_flush {
    struct loop_flush flush;
    fixture *t;
    struct co *wakes;
};

static void on_flush(struct loop_flush *flush)
{
    struct marking_flush *m = (struct marking_flush *)flush;
    mark(m->t, 'f');
    if (m->wakes != NULL)
        co_wake(m->wakes);
    m->wakes = NULL;
}

static void parks_once(void *argument)
{
    struct marking_flush *m = argument;
    mark(m->t, '1');
    m->wakes = co_current();
    co_park();
    mark(m->t, '2');
    m->t->done = true;
}

static void what_a_flush_makes_ready_runs_in_the_same_pass(void **state)
{
    fixture *t = *state;
    struct marking_flush m = {.flush.fn = on_flush, .t = t};
    loop_add_flush(t->loop, &m.flush);
    co_spawn(t->loop, parks_once, &m);
    loop_run_until(t->loop, &t->done);
    loop_remove_flush(t->loop, &m.flush);
    assert_memory_equal(t->trace, "1f2f", 4);
}

struct restless {
    fixture *t;
    struct co *players[2];
    int left;
};

static void plays_ping_pong(void *argument)
{
    struct restless *r = argument;
    int me = r->left++;
    r->players[me] = co_current();
    do {
        if (r->players[!me] != NULL)
            co_wake(r->players[!me]);
        if (!r->t->done)
            co_park();
    } while (!r->t->done);
    r->players[me] = NULL;
    if (r->players[!me] != NULL)
        co_wake(r->players[!me]);
    r->left--;
}

static void on_due(struct loop_timer *timer);

struct marking_timer {
    struct loop_timer timer;
    fixture *t;
    char name;
    bool last;
    int64_t rang_us;
};

static void on_due(struct loop_timer *timer)
{
    struct marking_timer *m = (struct marking_timer *)timer;
    m->rang_us = clock_monotonic_us();
    mark(m->t, m->name);
    if (m->last)
        m->t->done = true;
}

static void restless_coroutines_do_not_starve_timers(void **state)
{
    fixture *t = *state;
    struct restless r = {.t = t};
    struct marking_timer m = {.t = t, .name = 'x', .last = true};
    loop_timer_init(&m.timer, on_due);
    loop_timer_start(t->loop, &m.timer, 5);
    co_spawn(t->loop, plays_ping_pong, &r);
    co_spawn(t->loop, plays_ping_pong, &r);
    loop_run_until(t->loop, &t->done);
    while (r.left > 0)
        loop_run_until(t->loop, &t->done);
    assert_string_equal(t->trace, "x");
}

/* --- timers --------------------------------------------------------------- */

enum { MARKING_COUNT = 8 };

static void start_them(void *argument)
{
    static const int after_ms[MARKING_COUNT] = {90,  10, 70, 30,
                                                120, 50, 20, 110};
    static const char names[] = "hbfdkgce";
    struct marking_timer *m = argument;
    for (int i = 0; i < MARKING_COUNT; i++) {
        m[i].name = names[i];
        loop_timer_init(&m[i].timer, on_due);
        loop_timer_start(m[i].t->loop, &m[i].timer, after_ms[i]);
    }
    m[4].last = true;
    loop_timer_stop(&m[5].timer);                     /* 'g' never rings */
    loop_timer_start(m[1].t->loop, &m[1].timer, 100); /* 'b' rings late */
}

/* All are started at one moment of the loop, however slow the machine is. */
static void timers_ring_in_the_order_of_their_due_times(void **state)
{
    fixture *t = *state;
    struct marking_timer m[MARKING_COUNT] = {0};
    for (int i = 0; i < MARKING_COUNT; i++)
        m[i].t = t;
    loop_post(t->loop, start_them, m);
    loop_run_until(t->loop, &t->done);
    assert_string_equal(t->trace, "cdfhbek");
    for (int i = 0; i < MARKING_COUNT; i++)
        assert_int_equal(m[i].timer.heap_index, -1);
}

static void a_timer_never_rings_early(void **state)
{
    fixture *t = *state;
    struct marking_timer m = {.t = t, .name = 'x', .last = true};
    loop_timer_init(&m.timer, on_due);
    int64_t start_us = clock_monotonic_us();
    loop_timer_start(t->loop, &m.timer, 20);
    loop_run_until(t->loop, &t->done);
    assert_true(m.rang_us - start_us >= 20 * 1000);
}

static void any_mix_of_starts_and_stops_keeps_the_heap(void **state)
{
    fixture *t = *state;
    enum { COUNT = 500 };
    struct marking_timer *m = calloc(COUNT, sizeof *m);
    srand(7);
    for (int i = 0; i < COUNT; i++)
        loop_timer_init(&m[i].timer, on_due);
    for (int i = 0; i < 20000; i++) {
        struct loop_timer *timer = &m[rand() % COUNT].timer;
        if (rand() % 3 == 0)
            loop_timer_stop(timer);
        else
            loop_timer_start(t->loop, timer, 100000 + rand() % 100000);
        assert_true(timer->heap_index < COUNT);
    }
    for (int i = 0; i < COUNT; i++)
        loop_timer_stop(&m[i].timer);
    a_timer_never_rings_early(state);
    free(m);
}

static void slots_are_a_layers_own(void **state)
{
    fixture *t = *state;
    int a = loop_slot(), b = loop_slot();
    assert_int_not_equal(a, b);
    loop_set(t->loop, a, t);
    assert_ptr_equal(loop_get(t->loop, a), t);
    assert_null(loop_get(t->loop, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(posts_of_many_threads_all_arrive_in_each_ones_order),
        CASE(a_stop_from_a_post_ends_the_run_on_its_thread),
        CASE(what_was_posted_to_a_loop_that_has_ended_can_still_run),
        CASE(what_a_flush_makes_ready_runs_in_the_same_pass),
        CASE(restless_coroutines_do_not_starve_timers),
        CASE(timers_ring_in_the_order_of_their_due_times),
        CASE(a_timer_never_rings_early),
        CASE(any_mix_of_starts_and_stops_keeps_the_heap),
        CASE(slots_are_a_layers_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
