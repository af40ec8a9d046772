#include "rpc/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void equal_bytes_have_equal_hashes_wherever_they_lie(void **state)
{
    (void)state;
    char text[64] = "xprbal.v1.BidService/AcceptBid";
    char shifted[64];
    for (size_t size = 0; size < 30; size++) {
        memcpy(shifted + 3, text, sizeof text - 3);
        assert_true(hash_bytes(text, size) == hash_bytes(shifted + 3, size));
    }
}

static void every_bit_and_the_length_count(void **state)
{
    (void)state;
    unsigned char bytes[24] = {0};
    uint64_t zero = hash_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes * 8; i++) {
        bytes[i / 8] ^= (unsigned char)(1u << i % 8);
        assert_true(hash_bytes(bytes, sizeof bytes) != zero);
        bytes[i / 8] = 0;
    }
    for (size_t size = 0; size < sizeof bytes; size++)
        assert_true(hash_bytes(bytes, size) != zero);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void random_numbers_do_not_repeat(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    uint64_t *numbers = calloc(COUNT, sizeof *numbers);
    for (int i = 0; i < COUNT; i++)
        numbers[i] = hash_random();
    qsort(numbers, COUNT, sizeof *numbers, compare);
    for (int i = 1; i < COUNT; i++)
        assert_true(numbers[i] != numbers[i - 1]);
    free(numbers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_bytes_have_equal_hashes_wherever_they_lie),
        cmocka_unit_test(every_bit_and_the_length_count),
        cmocka_unit_test(random_numbers_do_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
