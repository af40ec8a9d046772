#include "rpc/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    *state = arena_create();
    return 0;
}

static int teardown(void **state)
{
    arena_destroy(*state);
    arena_thread_finish();
    return 0;
}

static void memory_is_zeroed_and_aligned_also_when_reused(void **state)
{
    struct arena *arena = *state;
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 20000; size = size * 3 / 2 + 1) {
            unsigned char *bytes = arena_alloc(arena, size);
            assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(bytes[i], 0);
            memset(bytes, 0xab, size);
        }
        arena_reset(arena);
        assert_int_equal(arena_bytes(arena), 0);
    }
}

static void allocations_never_overlap(void **state)
{
    struct arena *arena = *state;
    enum { COUNT = 2000 };
    unsigned char *at[COUNT];
    for (int i = 0; i < COUNT; i++) {
        at[i] = arena_alloc(arena, (size_t)i % 97 + 1);
        memset(at[i], i & 0xff, (size_t)i % 97 + 1);
    }
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k <= i % 97; k++)
            assert_int_equal(at[i][k], i & 0xff);
}

/* A large piece goes behind the block that is being filled: the rest of that
 * block is not lost. */
static void a_large_allocation_does_not_end_the_block(void **state)
{
    struct arena *arena = *state;
    char *before = arena_alloc(arena, 16);
    arena_alloc(arena, 100 * 1000);
    char *after = arena_alloc(arena, 16);
    assert_ptr_equal(after, before + 16);
}

static void nothing_has_an_address_too(void **state)
{
    struct arena *arena = *state;
    assert_non_null(arena_alloc(arena, 0));
    assert_non_null(arena_array(arena, 0, 8));
    assert_non_null(arena_memdup(arena, "", 0));
}

static void a_grown_array_begins_as_the_old_one(void **state)
{
    struct arena *arena = *state;
    int *numbers = arena_grown(arena, NULL, 0, 2, sizeof *numbers);
    numbers[0] = 7;
    numbers[1] = 8;
    int *more = arena_grown(arena, numbers, 2, 4, sizeof *more);
    assert_int_equal(more[0], 7);
    assert_int_equal(more[1], 8);
    assert_int_equal(more[3], 0);
}

static void texts_are_copied_and_null_stays_null(void **state)
{
    struct arena *arena = *state;
    char text[] = "hello";
    char *copy = arena_strdup(arena, text);
    char *part = arena_strndup(arena, text, 2);
    char *printed = arena_printf(arena, "%s %d", text, 7);
    text[0] = 'x';
    assert_string_equal(copy, "hello");
    assert_string_equal(part, "he");
    assert_string_equal(printed, "hello 7");
    assert_null(arena_strdup(arena, NULL));
    assert_null(arena_strndup(arena, NULL, 3));
    assert_null(arena_memdup(arena, NULL, 3));
}

static void the_budget_counts_what_was_taken(void **state)
{
    struct arena *arena = *state;
    assert_int_equal(arena_bytes(arena), 0);
    arena_alloc(arena, 1);
    size_t one_block = arena_bytes(arena);
    assert_in_range(one_block, 4096, 16384);
    arena_alloc(arena, 1000000);
    assert_in_range(arena_bytes(arena), one_block + 1000000,
                    one_block + 1000000 + 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(memory_is_zeroed_and_aligned_also_when_reused),
        CASE(allocations_never_overlap),
        CASE(a_large_allocation_does_not_end_the_block),
        CASE(nothing_has_an_address_too),
        CASE(a_grown_array_begins_as_the_old_one),
        CASE(texts_are_copied_and_null_stays_null),
        CASE(the_budget_counts_what_was_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
