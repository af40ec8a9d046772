#include "rpc/co.h"
#include "rpc/co_pool.h"
#include "rpc/co_stack.h"
#include "rpc/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FILLERS = 1000 };

typedef struct {
    struct loop *loop;
    struct co *parked[FILLERS];
    char trace[64];
    struct co *first;
    bool done;
    int rounds, left;
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

static void parks_between_a_and_c(void *argument)
{
    fixture *t = argument;
    t->first = co_current();
    mark(t, 'a');
    co_park();
    mark(t, 'c');
    t->done = true;
}

static void wakes_the_first(void *argument)
{
    fixture *t = argument;
    mark(t, 'b');
    co_wake(t->first);
    mark(t, 'B');
}

static void a_parked_coroutine_goes_on_where_it_was(void **state)
{
    fixture *t = *state;
    co_spawn(t->loop, parks_between_a_and_c, t);
    co_spawn(t->loop, wakes_the_first, t);
    assert_int_equal(co_pool_live(loop_co_pool(t->loop)), 2);
    loop_run_until(t->loop, &t->done);
    assert_string_equal(t->trace, "abBc");
    assert_int_equal(co_pool_live(loop_co_pool(t->loop)), 0);
    assert_null(co_current());
}

static void wakes_itself_and_parks(void *argument)
{
    fixture *t = argument;
    co_wake(co_current());
    co_park();
    t->done = true;
}

static void a_wake_before_the_park_is_not_lost(void **state)
{
    fixture *t = *state;
    co_spawn(t->loop, wakes_itself_and_parks, t);
    loop_run_until(t->loop, &t->done);
    assert_true(t->done);
}

static void spawns_another_one(void *argument)
{
    fixture *t = argument;
    mark(t, '1');
    co_spawn(t->loop, wakes_itself_and_parks, t);
    mark(t, '2');
}

static void a_coroutine_can_spawn_another(void **state)
{
    fixture *t = *state;
    co_spawn(t->loop, spawns_another_one, t);
    loop_run_until(t->loop, &t->done);
    assert_string_equal(t->trace, "12");
}

/* Each writes over most of its stack, so that a shared or short stack shows. */
static void fills_its_stack(void *argument)
{
    fixture *t = argument;
    volatile char bytes[3000];
    char value = (char)t->rounds;
    t->parked[t->rounds++ % FILLERS] = co_current();
    memset((char *)bytes, value, sizeof bytes);
    co_park();
    for (size_t i = 0; i < sizeof bytes; i++)
        if (bytes[i] != value)
            abort();
    if (--t->left == 0)
        t->done = true;
}

static void wakes_all_fillers(void *argument)
{
    fixture *t = argument;
    for (int i = 0; i < FILLERS; i++)
        co_wake(t->parked[i]);
}

static void a_thousand_coroutines_keep_their_own_stacks(void **state)
{
    fixture *t = *state;
    for (int round = 0; round < 3; round++) {
        t->left = FILLERS;
        t->done = false;
        for (int i = 0; i < FILLERS; i++)
            assert_non_null(co_spawn(t->loop, fills_its_stack, t));
        co_spawn(t->loop, wakes_all_fillers, t);
        loop_run_until(t->loop, &t->done);
    }
    assert_int_equal(t->rounds, 3 * FILLERS);
    assert_int_equal(co_pool_live(loop_co_pool(t->loop)), 0);
}

static unsigned long left_at_depth(int depth)
{
    volatile char frame[1024];
    frame[0] = 0;
    unsigned long left =
        depth == 0 ? co_stack_left() : left_at_depth(depth - 1);
    return left + (unsigned long)frame[0];
}

struct stack_report {
    unsigned long shallow, deep;
    bool done;
};

static void measures_its_stack(void *argument)
{
    struct stack_report *r = argument;
    r->shallow = co_stack_left();
    r->deep = left_at_depth(20);
    r->done = true;
}

static void the_rest_of_the_stack_is_known(void **state)
{
    fixture *t = *state;
    struct stack_report r = {0};
    co_spawn(t->loop, measures_its_stack, &r);
    loop_run_until(t->loop, &r.done);
    assert_in_range(r.shallow, CO_STACK_BYTES - 16 * 1024, CO_STACK_BYTES);
    assert_true(r.deep + 20 * 1024 <= r.shallow);
    assert_true(co_stack_left() > CO_STACK_BYTES);
}

static void parks_and_counts(void *argument)
{
    fixture *t = argument;
    t->parked[t->rounds++] = co_current();
    co_park();
    if (--t->left == 0)
        t->done = true;
}

static void says_done(void *argument)
{
    ((fixture *)argument)->done = true;
}

/* The kernel grants a process some 65,000 mappings, two for a stack. */
static void a_coroutine_too_many_is_refused_until_one_has_ended(void **state)
{
    fixture *t = *state;
    co_stacks_limit(10);
    for (t->left = 0; t->left < 10; t->left++)
        assert_non_null(co_spawn(t->loop, parks_and_counts, t));
    assert_null(co_spawn(t->loop, says_done, t));
    bool at_once = true;
    loop_run_until(t->loop, &at_once); /* all ten park */
    assert_int_equal(t->rounds, 10);
    assert_null(co_spawn(t->loop, says_done, t));

    for (int i = 0; i < 10; i++)
        co_wake(t->parked[i]);
    loop_run_until(t->loop, &t->done);
    t->done = false;
    assert_non_null(co_spawn(t->loop, says_done, t));
    loop_run_until(t->loop, &t->done);
    assert_int_equal(co_pool_live(loop_co_pool(t->loop)), 0);
    co_stacks_limit(30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(a_parked_coroutine_goes_on_where_it_was),
        CASE(a_wake_before_the_park_is_not_lost),
        CASE(a_coroutine_can_spawn_another),
        CASE(a_thousand_coroutines_keep_their_own_stacks),
        CASE(a_coroutine_too_many_is_refused_until_one_has_ended),
        CASE(the_rest_of_the_stack_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
