/* The simulator: it repeats itself, nothing breaks, and what somebody breaks is
 * found and made short. */
#include "tests/simulate/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SEEDS = 20, STEPS = 5000, PATIENCE = 400000, SHORT = 100 };

static void every_invariant_holds_after_each_step(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct run run = run_seed(&sound_rules, seed, STEPS);
        if (run.broken != NULL)
            fail_msg("seed %d, step %d: %s", (int)seed, (int)run.steps,
                     run.broken);
        assert_true(run.moves > STEPS / 20);
    }
}

static void the_same_seed_has_the_same_end(void **state)
{
    (void)state;
    struct run once = run_seed(&sound_rules, 7, STEPS);
    struct run again = run_seed(&sound_rules, 7, STEPS);
    struct run other = run_seed(&sound_rules, 8, STEPS);
    assert_true(once.hash == again.hash);
    assert_true(once.hash != other.hash);
}

static void each_planted_mistake_is_found_and_made_short(void **state)
{
    (void)state;
    for (const struct mistake *m = mistakes; m->name != NULL; m++) {
        run_plant(m);
        struct run run = run_seed(&sound_rules, 1, PATIENCE);
        if (run.broken == NULL)
            fail_msg("%s was not found", m->name);
        run_shrink(&sound_rules, 1, &run);
        if (run.trace_count > SHORT)
            fail_msg("%s takes %d steps", m->name, (int)run.trace_count);
        run_finish(&run);
        run_plant(NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_invariant_holds_after_each_step),
        cmocka_unit_test(the_same_seed_has_the_same_end),
        cmocka_unit_test(each_planted_mistake_is_found_and_made_short),
    };
    return cmocka_run_group_tests_name("simulate", tests, NULL, NULL);
}
