/* Admission by simulation: a bottleneck with a queue, callers that come whether
 * or not it keeps up, and a clock that only moves here. */
#include "rpc/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    SLOTS = 4, /* calls that the bottleneck works on at once */
    QUEUE_MAX = 100000,
    DELAY_US = 100 * 1000,
    STEP_US = 100,
    SECOND_US = 1000 * 1000,
    USEFUL_US = 1000 * 1000, /* callers wait as long */
};

struct waiting {
    int64_t since_us;
    bool is_quiet;
};

struct world {
    struct admission admission;
    int64_t now_us, cost_us;
    bool is_guarded;
    int64_t busy_until_us[SLOTS];
    struct waiting served[SLOTS];
    bool is_busy[SLOTS];
    struct waiting queue[QUEUE_MAX];
    size_t first, count;
    double due; /* callers that should have come by now */
    /* since the last look */
    int came, refused, useful, late;
    int64_t longest_us;
};

static struct world *world_create(int64_t cost_us)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->now_us = 1;
    w->cost_us = cost_us;
    w->is_guarded = true;
    return w;
}

static void arrive(struct world *w)
{
    w->came++;
    if ((w->is_guarded && !admission_has_room(&w->admission)) ||
        w->count == QUEUE_MAX) {
        w->refused++;
        return;
    }
    struct waiting *slot = &w->queue[(w->first + w->count++) % QUEUE_MAX];
    *slot = (struct waiting){
        w->now_us, admission_begin(&w->admission, DELAY_US, w->now_us)};
}

static void answer(struct world *w, const struct waiting *served)
{
    int64_t took_us = w->now_us - served->since_us;
    admission_end(&w->admission, served->is_quiet, ADMISSION_ANSWERED, took_us,
                  DELAY_US, w->now_us);
    w->useful += took_us <= USEFUL_US;
    w->late += took_us > USEFUL_US;
    if (took_us > w->longest_us)
        w->longest_us = took_us;
}

static void work(struct world *w)
{
    for (int i = 0; i < SLOTS; i++) {
        if (w->is_busy[i] && w->busy_until_us[i] <= w->now_us) {
            w->is_busy[i] = false;
            answer(w, &w->served[i]);
        }
        if (w->is_busy[i] || w->count == 0)
            continue;
        w->served[i] = w->queue[w->first];
        w->first = (w->first + 1) % QUEUE_MAX;
        w->count--;
        w->is_busy[i] = true;
        w->busy_until_us[i] = w->now_us + w->cost_us;
    }
}

static void run(struct world *w, int64_t us, double calls_per_second)
{
    w->came = w->refused = w->useful = w->late = 0;
    w->longest_us = 0;
    for (int64_t end_us = w->now_us + us; w->now_us < end_us;
         w->now_us += STEP_US) {
        for (w->due += calls_per_second * STEP_US / SECOND_US; w->due >= 1;
             w->due--)
            arrive(w);
        work(w);
    }
}

static double capacity(const struct world *w)
{
    return (double)SLOTS * SECOND_US / (double)w->cost_us;
}

static void below_capacity_nobody_is_refused(void **state)
{
    struct world *w = world_create(1000);
    (void)state;
    run(w, 60 * SECOND_US, 0.8 * capacity(w));
    assert_true(w->came > 190000);
    assert_int_equal(w->refused, 0);
    assert_true(w->longest_us < 10 * 1000);
    free(w);
}

static void at_five_times_capacity_the_work_goes_on(void **state)
{
    struct world *w = world_create(1000);
    (void)state;
    run(w, 5 * SECOND_US, 0.5 * capacity(w));
    run(w, 5 * SECOND_US, 5 * capacity(w)); /* finds its limit */
    run(w, 30 * SECOND_US, 5 * capacity(w));
    assert_true(w->useful > 0.95 * 30 * capacity(w));
    assert_int_equal(w->late, 0);
    assert_true(w->longest_us < 3 * DELAY_US);
    free(w);
}

/* What the test above would be without it: the reason why it is there. */
static void without_it_everyone_would_come_too_late(void **state)
{
    struct world *w = world_create(1000);
    (void)state;
    w->is_guarded = false;
    run(w, 5 * SECOND_US, 0.5 * capacity(w));
    run(w, 10 * SECOND_US, 5 * capacity(w));
    run(w, 10 * SECOND_US, 5 * capacity(w));
    assert_int_equal(w->useful, 0);
    free(w);
}

static void after_a_storm_all_get_in_again(void **state)
{
    struct world *w = world_create(1000);
    (void)state;
    run(w, 2 * SECOND_US, 0.5 * capacity(w));
    run(w, 10 * SECOND_US, 5 * capacity(w));
    run(w, SECOND_US, 0.8 * capacity(w));
    run(w, 10 * SECOND_US, 0.8 * capacity(w));
    assert_int_equal(w->refused, 0);
    free(w);
}

/* Before the first of those who had to wait has been answered: nobody waits in
 * vain. */
static void a_storm_out_of_a_quiet_sky_is_noticed_in_time(void **state)
{
    struct world *w = world_create(10 * 1000);
    (void)state;
    run(w, 5 * SECOND_US, 0.3 * capacity(w));
    run(w, 3 * SECOND_US, 5 * capacity(w));
    assert_true(w->useful > 0.9 * 3 * capacity(w));
    assert_int_equal(w->late, 0);
    free(w);
}

/* The queue of those who gave up is not what the method costs. */
static void what_takes_long_for_a_while_is_not_its_cost(void **state)
{
    struct admission a = {0};
    int64_t now_us = 1;
    (void)state;
    for (int i = 0; i < 200; i++, now_us += SECOND_US) {
        int64_t took_us = i < 100 ? 1000 : 900 * 1000;
        bool quiet = admission_begin(&a, DELAY_US, now_us);
        admission_end(&a, quiet, ADMISSION_ANSWERED, took_us, DELAY_US,
                      now_us + took_us);
    }
    assert_in_range((int64_t)a.cost_us, 1000, 10 * 1000);
}

/* The method has become 300 times dearer for good. */
static void a_new_cost_is_learned_and_not_taken_for_a_queue(void **state)
{
    struct world *w = world_create(1000);
    (void)state;
    run(w, 5 * SECOND_US, 0.5 * capacity(w));
    w->cost_us = 300 * 1000;
    run(w, 120 * SECOND_US, 5 * capacity(w));
    run(w, 120 * SECOND_US, 5 * capacity(w));
    assert_true(w->useful > 0.8 * 120 * capacity(w));
    free(w);
}

static void a_method_never_seen_in_quiet_is_let_in(void **state)
{
    struct admission a = {0};
    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(admission_has_room(&a));
        admission_begin(&a, DELAY_US, i + 1);
    }
    assert_int_equal(a.running, 1000);
}

static void calls_that_were_given_up_tell_nothing(void **state)
{
    struct admission a = {0};
    (void)state;
    for (int64_t i = 1; i < 1000; i++) {
        bool quiet = admission_begin(&a, DELAY_US, i * SECOND_US);
        admission_end(&a, quiet, ADMISSION_OTHER, i * SECOND_US, DELAY_US,
                      i * SECOND_US);
    }
    assert_int_equal(a.running, 0);
    assert_true(a.limit == 0 && a.cost_us == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(below_capacity_nobody_is_refused),
        cmocka_unit_test(at_five_times_capacity_the_work_goes_on),
        cmocka_unit_test(without_it_everyone_would_come_too_late),
        cmocka_unit_test(after_a_storm_all_get_in_again),
        cmocka_unit_test(a_storm_out_of_a_quiet_sky_is_noticed_in_time),
        cmocka_unit_test(what_takes_long_for_a_while_is_not_its_cost),
        cmocka_unit_test(a_new_cost_is_learned_and_not_taken_for_a_queue),
        cmocka_unit_test(a_method_never_seen_in_quiet_is_let_in),
        cmocka_unit_test(calls_that_were_given_up_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
