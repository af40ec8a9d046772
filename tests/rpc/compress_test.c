#include "rpc/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static int create(void **state)
{
    *state = gzip_create();
    return 0;
}

static int destroy(void **state)
{
    gzip_destroy(*state);
    return 0;
}

/* Independent of the code under test: zlib's own one-shot use. */
static uint8_t *pack(const void *bytes, size_t size, size_t *packed_size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, 0), Z_OK);
    size_t room = deflateBound(&z, size);
    uint8_t *packed = malloc(room);
    assert_non_null(packed);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)size;
    z.next_out = packed;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *packed_size = room - z.avail_out;
    deflateEnd(&z);
    return packed;
}

static uint8_t *noise(size_t size)
{
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    uint32_t x = 1;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    return bytes;
}

static void what_was_deflated_inflates_to_the_same(void **state)
{
    struct gzip *gzip = *state;
    static char text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "marketplace "[i % 12];
    for (int round = 0; round < 3; round++) {
        const uint8_t *out;
        size_t size;
        assert_int_equal(gzip_deflate(gzip, text, sizeof text, &out, &size),
                         GZIP_DONE);
        assert_true(size < 200);
        uint8_t packed[200];
        memcpy(packed, out, size);
        assert_int_equal(
            gzip_inflate(gzip, packed, size, sizeof text, &out, &size),
            GZIP_DONE);
        assert_int_equal(size, sizeof text);
        assert_memory_equal(out, text, size);
    }
}

static void noise_is_not_sent_deflated(void **state)
{
    struct gzip *gzip = *state;
    uint8_t *bytes = noise(4000);
    const uint8_t *out;
    size_t size;
    assert_int_equal(gzip_deflate(gzip, bytes, 4000, &out, &size),
                     GZIP_TOO_LARGE);
    free(bytes);
}

static void inflating_stops_at_the_limit(void **state)
{
    struct gzip *gzip = *state;
    uint8_t *bytes = noise(300000);
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = pack(bytes, 300000, &packed_size);
    assert_int_equal(
        gzip_inflate(gzip, packed, packed_size, 299999, &out, &size),
        GZIP_TOO_LARGE);
    assert_int_equal(
        gzip_inflate(gzip, packed, packed_size, 300000, &out, &size),
        GZIP_DONE);
    assert_int_equal(size, 300000);
    assert_memory_equal(out, bytes, size);
    free(packed);
    free(bytes);
}

static void a_bomb_is_refused_by_its_ratio(void **state)
{
    struct gzip *gzip = *state;
    size_t zeros_size = 3 * 1024 * 1024;
    uint8_t *zeros = calloc(1, zeros_size);
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = pack(zeros, zeros_size, &packed_size);
    assert_true(zeros_size / packed_size > 500);
    assert_int_equal(
        gzip_inflate(gzip, packed, packed_size, zeros_size, &out, &size),
        GZIP_TOO_LARGE);
    free(packed);

    packed = pack(zeros, 60000, &packed_size);
    assert_true(60000 / packed_size > 100);
    assert_int_equal(
        gzip_inflate(gzip, packed, packed_size, zeros_size, &out, &size),
        GZIP_DONE);
    free(packed);
    free(zeros);
}

static void every_cut_of_a_stream_is_broken(void **state)
{
    struct gzip *gzip = *state;
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = pack("a message", 9, &packed_size);
    for (size_t cut = 0; cut < packed_size; cut++)
        assert_int_equal(gzip_inflate(gzip, packed, cut, 1000, &out, &size),
                         GZIP_BROKEN);
    assert_int_equal(gzip_inflate(gzip, packed, packed_size, 9, &out, &size),
                     GZIP_DONE);
    assert_int_equal(size, 9);
    free(packed);
}

static void a_wrong_checksum_is_broken(void **state)
{
    struct gzip *gzip = *state;
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = pack("a message", 9, &packed_size);
    packed[packed_size - 8] ^= 1;
    assert_int_equal(gzip_inflate(gzip, packed, packed_size, 1000, &out, &size),
                     GZIP_BROKEN);
    free(packed);
}

static void members_may_follow_one_another_but_nothing_else(void **state)
{
    struct gzip *gzip = *state;
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = pack("twice", 5, &packed_size);
    uint8_t both[200];
    memcpy(both, packed, packed_size);
    memcpy(both + packed_size, packed, packed_size);
    assert_int_equal(gzip_inflate(gzip, both, 2 * packed_size, 10, &out, &size),
                     GZIP_DONE);
    assert_int_equal(size, 10);
    assert_memory_equal(out, "twicetwice", 10);
    memcpy(both + packed_size, "junk", 4);
    assert_int_equal(gzip_inflate(gzip, both, packed_size + 4, 10, &out, &size),
                     GZIP_BROKEN);
    free(packed);
}

static void zlib_and_raw_deflate_are_not_gzip(void **state)
{
    struct gzip *gzip = *state;
    uint8_t zlib_format[64];
    uLongf zlib_size = sizeof zlib_format;
    assert_int_equal(
        compress(zlib_format, &zlib_size, (const Bytef *)"text", 4), Z_OK);
    const uint8_t *out;
    size_t size;
    assert_int_equal(
        gzip_inflate(gzip, zlib_format, zlib_size, 100, &out, &size),
        GZIP_BROKEN);
    assert_int_equal(
        gzip_inflate(gzip, zlib_format + 2, zlib_size - 6, 100, &out, &size),
        GZIP_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_deflated_inflates_to_the_same),
        cmocka_unit_test(noise_is_not_sent_deflated),
        cmocka_unit_test(inflating_stops_at_the_limit),
        cmocka_unit_test(a_bomb_is_refused_by_its_ratio),
        cmocka_unit_test(every_cut_of_a_stream_is_broken),
        cmocka_unit_test(a_wrong_checksum_is_broken),
        cmocka_unit_test(members_may_follow_one_another_but_nothing_else),
        cmocka_unit_test(zlib_and_raw_deflate_are_not_gzip),
    };
    return cmocka_run_group_tests(tests, create, destroy);
}
