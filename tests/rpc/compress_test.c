#include "rpc/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* What every encoding promises is tested with each of them. */
struct subject {
    struct compress *compress;
    encoding which;
    /* Independent of the code under test: the library's one-shot use. */
    uint8_t *(*pack)(const void *bytes, size_t size, size_t *packed_size);
};

static uint8_t *pack_gzip(const void *bytes, size_t size, size_t *packed_size)
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

static uint8_t *pack_zstd_window(const void *bytes, size_t size, int window_log,
                                 size_t *packed_size)
{
    ZSTD_CCtx *z = ZSTD_createCCtx();
    size_t room = ZSTD_compressBound(size);
    uint8_t *packed = malloc(room);
    assert_non_null(packed);
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(z, ZSTD_c_windowLog, window_log);
    ZSTD_inBuffer in = {bytes, size, 0};
    ZSTD_outBuffer out = {packed, room, 0};
    /* In one go the frame would need no window but its own size. */
    assert_false(
        ZSTD_isError(ZSTD_compressStream2(z, &out, &in, ZSTD_e_flush)));
    assert_int_equal(ZSTD_compressStream2(z, &out, &in, ZSTD_e_end), 0);
    ZSTD_freeCCtx(z);
    *packed_size = out.pos;
    return packed;
}

static uint8_t *pack_zstd(const void *bytes, size_t size, size_t *packed_size)
{
    return pack_zstd_window(bytes, size, 0, packed_size);
}

static int create_gzip(void **state)
{
    static struct subject subject = {.which = ENCODING_GZIP, .pack = pack_gzip};
    subject.compress = compress_create();
    *state = &subject;
    return 0;
}

static int create_zstd(void **state)
{
    static struct subject subject = {.which = ENCODING_ZSTD, .pack = pack_zstd};
    subject.compress = compress_create();
    *state = &subject;
    return 0;
}

static int destroy(void **state)
{
    compress_destroy(((struct subject *)*state)->compress);
    return 0;
}

static compress_result inflate_to(struct subject *s, const void *bytes,
                                  size_t size, size_t bytes_max,
                                  const uint8_t **out, size_t *out_size)
{
    return compress_inflate(s->compress, s->which, bytes, size, bytes_max, out,
                            out_size);
}

static void assert_broken(struct subject *s, const void *bytes, size_t size)
{
    const uint8_t *out;
    size_t out_size;
    assert_int_equal(inflate_to(s, bytes, size, 100000, &out, &out_size),
                     COMPRESS_BROKEN);
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
    struct subject *s = *state;
    static char text[5000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "marketplace "[i % 12];
    for (int round = 0; round < 3; round++) {
        const uint8_t *out;
        size_t size;
        assert_int_equal(compress_deflate(s->compress, s->which, text,
                                          sizeof text, &out, &size),
                         COMPRESS_DONE);
        assert_true(size < 200);
        uint8_t packed[200];
        memcpy(packed, out, size);
        assert_int_equal(inflate_to(s, packed, size, sizeof text, &out, &size),
                         COMPRESS_DONE);
        assert_int_equal(size, sizeof text);
        assert_memory_equal(out, text, size);
        compress_trim(s->compress);
    }
}

static void noise_is_not_sent_deflated(void **state)
{
    struct subject *s = *state;
    uint8_t *bytes = noise(4000);
    const uint8_t *out;
    size_t size;
    assert_int_equal(
        compress_deflate(s->compress, s->which, bytes, 4000, &out, &size),
        COMPRESS_TOO_LARGE);
    free(bytes);
}

static void inflating_stops_at_the_limit(void **state)
{
    struct subject *s = *state;
    uint8_t *bytes = noise(300000);
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = s->pack(bytes, 300000, &packed_size);
    assert_int_equal(inflate_to(s, packed, packed_size, 299999, &out, &size),
                     COMPRESS_TOO_LARGE);
    assert_int_equal(inflate_to(s, packed, packed_size, 300000, &out, &size),
                     COMPRESS_DONE);
    assert_int_equal(size, 300000);
    assert_memory_equal(out, bytes, size);
    compress_trim(s->compress);
    free(packed);
    free(bytes);
}

static void a_bomb_is_refused_by_its_ratio(void **state)
{
    struct subject *s = *state;
    size_t zeros_size = 3 * 1024 * 1024;
    uint8_t *zeros = calloc(1, zeros_size);
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = s->pack(zeros, zeros_size, &packed_size);
    assert_true(zeros_size / packed_size > 500);
    assert_int_equal(
        inflate_to(s, packed, packed_size, zeros_size, &out, &size),
        COMPRESS_BOMB);
    free(packed);

    size_t free_size = COMPRESS_RATIO_FREE_BYTES;
    packed = s->pack(zeros, free_size, &packed_size);
    assert_true(free_size / packed_size > 500);
    assert_int_equal(
        inflate_to(s, packed, packed_size, zeros_size, &out, &size),
        COMPRESS_DONE);
    free(packed);
    free(zeros);
}

static void every_cut_of_a_stream_is_broken(void **state)
{
    struct subject *s = *state;
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = s->pack("a message", 9, &packed_size);
    for (size_t cut = 0; cut < packed_size; cut++)
        assert_broken(s, packed, cut);
    assert_int_equal(inflate_to(s, packed, packed_size, 9, &out, &size),
                     COMPRESS_DONE);
    assert_int_equal(size, 9);
    free(packed);
}

/* gzip's is eight bytes before the end, zstd's the last four. */
static void a_wrong_checksum_is_broken(void **state)
{
    struct subject *s = *state;
    size_t packed_size;
    uint8_t *packed = s->pack("a message", 9, &packed_size);
    packed[packed_size - (s->which == ENCODING_GZIP ? 8 : 1)] ^= 1;
    assert_broken(s, packed, packed_size);
    free(packed);
}

static void parts_may_follow_one_another_but_nothing_else(void **state)
{
    struct subject *s = *state;
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = s->pack("twice", 5, &packed_size);
    uint8_t both[200];
    memcpy(both, packed, packed_size);
    memcpy(both + packed_size, packed, packed_size);
    assert_int_equal(inflate_to(s, both, 2 * packed_size, 10, &out, &size),
                     COMPRESS_DONE);
    assert_int_equal(size, 10);
    assert_memory_equal(out, "twicetwice", 10);
    memcpy(both + packed_size, "junk", 4);
    assert_broken(s, both, packed_size + 4);
    free(packed);
}

static void one_encoding_is_not_the_other(void **state)
{
    struct subject *s = *state;
    size_t size;
    uint8_t *other = s->which == ENCODING_GZIP ? pack_zstd("text", 4, &size)
                                               : pack_gzip("text", 4, &size);
    assert_broken(s, other, size);
    free(other);
}

static void zlib_and_raw_deflate_are_not_gzip(void **state)
{
    struct subject *s = *state;
    uint8_t zlib_format[64];
    uLongf zlib_size = sizeof zlib_format;
    assert_int_equal(
        compress(zlib_format, &zlib_size, (const Bytef *)"text", 4), Z_OK);
    assert_broken(s, zlib_format, zlib_size);
    assert_broken(s, zlib_format + 2, zlib_size - 6);
}

/* A frame of a few bytes may ask for gigabytes to be remembered. */
static void a_window_wider_than_8_mib_is_refused(void **state)
{
    struct subject *s = *state;
    size_t packed_size, size;
    const uint8_t *out;
    uint8_t *packed = pack_zstd_window("text", 4, 23, &packed_size);
    assert_int_equal(inflate_to(s, packed, packed_size, 4, &out, &size),
                     COMPRESS_DONE);
    free(packed);
    packed = pack_zstd_window("text", 4, 24, &packed_size);
    assert_broken(s, packed, packed_size);
    free(packed);
}

/* --- names --- */

static void the_accepted_list_names_them_all(void **state)
{
    (void)state;
    char list[100] = "";
    for (int i = 0; i < ENCODING_COUNT; i++) {
        encoding found = ENCODING_COUNT;
        const char *name = encoding_name((encoding)i);
        assert_true(encoding_find(name, strlen(name), &found));
        assert_int_equal(found, i);
        strcat(strcat(list, i > 0 ? "," : ""), name);
    }
    assert_string_equal(list, ENCODINGS_ACCEPTED);
}

static const struct {
    const char *accepted;
    encoding chosen;
} lists[] = {
    {"", ENCODING_IDENTITY},
    {"identity", ENCODING_IDENTITY},
    {"gzip", ENCODING_GZIP},
    {"identity,gzip,zstd", ENCODING_GZIP},
    {"zstd, gzip", ENCODING_ZSTD},
    {"br ,\tzstd", ENCODING_ZSTD},
    {"gzip;q=0.5,zstd", ENCODING_GZIP},
    {"gzip;q=0,zstd", ENCODING_ZSTD},
    {"gzip; q=0.000 , zstd", ENCODING_ZSTD},
    {"gzip;q=0", ENCODING_IDENTITY},
    {"gzip;q=0.001", ENCODING_GZIP},
    {"gzip;", ENCODING_GZIP},
    {"gzip;q", ENCODING_GZIP},
    {"gzi", ENCODING_IDENTITY},
    {"gzip2", ENCODING_IDENTITY},
    {"GZIP", ENCODING_IDENTITY},
    {",,,;,", ENCODING_IDENTITY},
};

static void the_first_of_a_list_that_we_have_is_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(lists); i++)
        if (encoding_choose(lists[i].accepted) != lists[i].chosen)
            fail_msg("\"%s\" chose %s", lists[i].accepted,
                     encoding_name(encoding_choose(lists[i].accepted)));
}

#define OF_EVERY_ENCODING                                                \
    cmocka_unit_test(what_was_deflated_inflates_to_the_same),            \
        cmocka_unit_test(noise_is_not_sent_deflated),                    \
        cmocka_unit_test(inflating_stops_at_the_limit),                  \
        cmocka_unit_test(a_bomb_is_refused_by_its_ratio),                \
        cmocka_unit_test(every_cut_of_a_stream_is_broken),               \
        cmocka_unit_test(a_wrong_checksum_is_broken),                    \
        cmocka_unit_test(parts_may_follow_one_another_but_nothing_else), \
        cmocka_unit_test(one_encoding_is_not_the_other)

int main(void)
{
    const struct CMUnitTest gzip[] = {
        OF_EVERY_ENCODING,
        cmocka_unit_test(zlib_and_raw_deflate_are_not_gzip),
    };
    const struct CMUnitTest zstd[] = {
        OF_EVERY_ENCODING,
        cmocka_unit_test(a_window_wider_than_8_mib_is_refused),
    };
    const struct CMUnitTest names[] = {
        cmocka_unit_test(the_accepted_list_names_them_all),
        cmocka_unit_test(the_first_of_a_list_that_we_have_is_chosen),
    };
    return cmocka_run_group_tests(gzip, create_gzip, destroy) +
           cmocka_run_group_tests(zstd, create_zstd, destroy) +
           cmocka_run_group_tests(names, NULL, NULL);
}
