#include "rpc/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int create(void **state)
{
    *state = pool_create();
    return 0;
}

static int destroy(void **state)
{
    pool_destroy(*state);
    return 0;
}

static void objects_do_not_overlap_and_are_aligned(void **state)
{
    enum { COUNT = 200 };
    unsigned char *objects[COUNT];
    for (int i = 0; i < COUNT; i++) {
        objects[i] = pool_alloc(*state, (size_t)i * 17);
        assert_int_equal((uintptr_t)objects[i] % 16, 0);
        memset(objects[i], i, (size_t)i * 17);
    }
    for (int i = 0; i < COUNT; i++) {
        for (int at = 0; at < i * 17; at++)
            assert_int_equal(objects[i][at], i);
        pool_free(*state, objects[i]);
    }
}

static void zeroed_is_zero_also_the_second_time(void **state)
{
    for (int round = 0; round < 2; round++) {
        unsigned char *object = pool_alloc_zeroed(*state, 300);
        for (int i = 0; i < 300; i++)
            assert_int_equal(object[i], 0);
        memset(object, 0xff, 300);
        pool_free(*state, object);
    }
}

static void growing_keeps_the_contents(void **state)
{
    char *text = pool_realloc(*state, NULL, 6);
    memcpy(text, "prbal", 6);
    for (size_t size = 7; size < 100000; size *= 3)
        text = pool_realloc(*state, text, size);
    assert_string_equal(text, "prbal");
    pool_free(*state, text);
    pool_free(*state, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_do_not_overlap_and_are_aligned),
        cmocka_unit_test(zeroed_is_zero_also_the_second_time),
        cmocka_unit_test(growing_keeps_the_contents),
    };
    return cmocka_run_group_tests(tests, create, destroy);
}
