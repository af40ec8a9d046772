/* The decoder against what strangers may send. */
#include "rpc/utf8.h"
#include "tests/rpc/codec_bytes.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void assert_refused(struct arena *arena, const void *bytes, size_t size,
                           const char *because)
{
    struct codec_error error;
    assert_null(
        codec_decode(arena, EVERYTHING_DESCRIPTOR, bytes, size, &error));
    if (strstr(error.text, because) == NULL)
        fail_msg("refused with \"%s\", not \"%s\"", error.text, because);
}

#define ASSERT_REFUSED(arena, literal, because) \
    assert_refused((arena), (literal), sizeof(literal) - 1, (because))

static void nothing_is_a_message_of_defaults(void **state)
{
    Everything *e = DECODE(*state, "");
    assert_non_null(e);
    assert_string_equal(e->text, "");
    assert_int_equal(e->i32, 0);
    assert_null(e->child);
    assert_int_equal(e->pick_case, 0);
}

/* Types that are made at run time have no message_init. */
static void a_type_needs_no_function_of_its_own(void **state)
{
    static const char bytes[] = "\x08\x05";
    ProtobufCMessageDescriptor type = *EVERYTHING_DESCRIPTOR;
    struct codec_error error;
    type.message_init = NULL;
    Everything *e = (Everything *)codec_decode(*state, &type, bytes,
                                               sizeof bytes - 1, &error);
    assert_non_null(e);
    assert_ptr_equal(e->base.descriptor, &type);
    assert_int_equal(e->i32, 5);
    assert_string_equal(e->text, "");
}

static void numbers_keep_their_sign(void **state)
{
    Everything *e =
        DECODE(*state, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* -1 */
                       "\x28\x01\x30\x03" /* zigzag -1, -2 */
                       "\x4d\xfe\xff\xff\xff");
    assert_int_equal(e->i32, -1);
    assert_int_equal(e->s32, -1);
    assert_int_equal(e->s64, -2);
    assert_int_equal(e->sf32, -2);
}

static void a_negative_int32_may_come_in_five_bytes(void **state)
{
    Everything *e = DECODE(*state, "\x08\xff\xff\xff\xff\x0f");
    assert_int_equal(e->i32, -1);
}

static void zigzag_reaches_the_ends(void **state)
{
    Everything *e =
        DECODE(*state, "\x28\xff\xff\xff\xff\x0f"
                       "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    assert_int_equal(e->s32, INT_MIN);
    assert_true(e->s64 == INT64_MIN);
}

static void any_number_but_zero_is_true(void **state)
{
    assert_int_equal(DECODE(*state, "\x68\x80\x01")->yes, 1);
    assert_int_equal(DECODE(*state, "\x68\x80\x80\x80\x80\x80\x01")->yes, 1);
    assert_int_equal(DECODE(*state, "\x68\x80\x00")->yes, 0);
}

static void the_last_of_several_wins(void **state)
{
    Everything *e = DECODE(*state, "\x08\x01\x08\x02\x72\x01"
                                   "a"
                                   "\x72\x01"
                                   "b");
    assert_int_equal(e->i32, 2);
    assert_string_equal(e->text, "b");
}

static void an_enum_keeps_numbers_that_have_no_name(void **state)
{
    assert_int_equal(DECODE(*state, "\x80\x01\x7b")->colour, 123);
}

static void packed_and_unpacked_mix(void **state)
{
    Everything *e = DECODE(*state, "\xaa\x01\x02\x01\x02" /* i32s packed 1 2 */
                                   "\xa8\x01\x03"         /* i32s 3 */
                                   "\xda\x01\x02\x07\x08" /* u64s packed */
                                   "\xaa\x01\x01\x04");
    assert_int_equal(e->n_i32s, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(e->i32s[i], i + 1);
    assert_int_equal(e->n_u64s, 2);
    assert_int_equal(e->u64s[1], 8);
}

static void packed_fixed_must_divide(void **state)
{
    assert_int_equal(
        DECODE(*state, "\xba\x01\x08\x01\x00\x00\x00\x02\x00\x00\x00")->n_f32s,
        2);
    ASSERT_REFUSED(*state, "\xba\x01\x05\x01\x00\x00\x00\x02",
                   "f32s: the message ends in the middle");
}

static void packed_varints_must_end(void **state)
{
    ASSERT_REFUSED(*state, "\xaa\x01\x02\x01\x80", "middle of a number");
}

static void an_optional_knows_zero_from_absent(void **state)
{
    Everything *e = DECODE(*state, "\xc8\x02\x00\xd2\x02\x00");
    assert_int_equal(e->_maybe_i32_case, EVERYTHING_MAYBE_I32_CASE);
    assert_int_equal(e->maybe_i32, 0);
    assert_int_equal(e->_maybe_text_case, EVERYTHING_MAYBE_TEXT_CASE);
    assert_string_equal(e->maybe_text, "");
    assert_int_equal(e->_maybe_yes_case, 0);
}

static void the_last_member_of_a_oneof_wins(void **state)
{
    Everything *e = DECODE(*state, "\x9a\x03\x01"
                                   "x" /* text */
                                   "\xa2\x03\x02\x08\x05" /* child {i32: 5} */);
    assert_int_equal(e->pick_case, EVERYTHING_PICK_CHILD_CASE);
    assert_int_equal(e->pick_child->i32, 5);

    e = DECODE(*state, "\xa2\x03\x02\x08\x05\x9a\x03\x01"
                       "x"
                       "\xa2\x03\x02\x10\x07");
    assert_int_equal(e->pick_child->i32, 0);
    assert_int_equal(e->pick_child->i64, 7);

    e = DECODE(*state, "\xa2\x03\x02\x08\x05\xa8\x03\x09");
    assert_int_equal(e->pick_case, EVERYTHING_PICK_NUMBER_CASE);
    assert_int_equal(e->pick_number, 9);
}

static void a_message_that_comes_twice_is_merged(void **state)
{
    Everything *e = DECODE(*state, "\x8a\x01\x05\x08\x01\xf2\x01\x00"
                                   "\x8a\x01\x05\x10\x02\xf2\x01\x00");
    assert_int_equal(e->child->i32, 1);
    assert_int_equal(e->child->i64, 2);
    assert_int_equal(e->child->n_children, 2);

    e = DECODE(*state, "\xa2\x03\x02\x08\x01\xa2\x03\x02\x10\x02");
    assert_int_equal(e->pick_child->i32, 1);
    assert_int_equal(e->pick_child->i64, 2);
}

static void map_entries_arrive_in_order(void **state)
{
    Everything *e = DECODE(*state, "\xfa\x01\x05\x0a\x01"
                                   "a"
                                   "\x10\x07"
                                   "\xfa\x01\x02\x10\x08");
    assert_int_equal(e->n_counts, 2);
    assert_string_equal(e->counts[0]->key, "a");
    assert_int_equal(e->counts[0]->value, 7);
    assert_string_equal(e->counts[1]->key, "");
    assert_int_equal(e->counts[1]->value, 8);
}

static void sparse_numbers_are_found(void **state)
{
    assert_int_equal(DECODE(*state, "\xf8\xff\xff\xff\x0f\x2a")->far_away, 42);
}

static void unknown_fields_are_passed_over(void **state)
{
    Everything *e =
        DECODE(*state, "\xa0\x06\x05" /* 100: 5 */
                       "\xa1\x06"
                       "12345678"
                       "\xa2\x06\x03"
                       "abc" /* ... */
                       "\xa5\x06"
                       "1234"
                       "\xa3\x06\x08\x01\xab\x06\xac\x06\xa4\x06" /* groups */
                       "\x08\x07");
    assert_non_null(e);
    assert_int_equal(e->i32, 7);
}

static void a_wrong_wire_type_counts_as_unknown(void **state)
{
    Everything *e = DECODE(*state, "\x0a\x02"
                                   "hi"
                                   "\x70\x05"
                                   "\x18\x09");
    assert_non_null(e);
    assert_int_equal(e->i32, 0);
    assert_string_equal(e->text, "");
    assert_int_equal(e->u32, 9);
}

static void groups_must_be_closed_by_their_own_end(void **state)
{
    ASSERT_REFUSED(*state, "\xa3\x06", "no end");
    ASSERT_REFUSED(*state, "\xa3\x06\xac\x06", "not open");
    ASSERT_REFUSED(*state, "\xa4\x06", "malformed field 100");
}

static void malformed_tags_are_refused(void **state)
{
    ASSERT_REFUSED(*state, "\x00\x00", "malformed tag");
    ASSERT_REFUSED(*state, "\x0e", "malformed field 1");
    ASSERT_REFUSED(*state, "\x0f", "malformed field 1");
    ASSERT_REFUSED(*state, "\x88\x80\x80\x80\x80\x01\x01", "malformed tag");
}

static void a_varint_has_ten_bytes_at_most(void **state)
{
    Everything *e =
        DECODE(*state, "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    assert_true(e->u64 == UINT64_MAX);
    ASSERT_REFUSED(*state, "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                   "malformed number");
    ASSERT_REFUSED(*state, "\x20\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
                   "malformed number");
}

static void lengths_cannot_leave_the_message(void **state)
{
    ASSERT_REFUSED(*state,
                   "\x72\x02"
                   "a",
                   "text: is longer");
    ASSERT_REFUSED(*state, "\x72\xff\xff\xff\xff\x0f", "text: is longer");
    ASSERT_REFUSED(*state, "\x7a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                   "raw: is longer");
    ASSERT_REFUSED(*state, "\xaa\x01\xff\xff\xff\xff\x0f", "i32s: is longer");
    /* An inner message cannot eat what follows it in the outer one. */
    ASSERT_REFUSED(*state,
                   "\x8a\x01\x02\x72\x01"
                   "a",
                   "text: is longer");
    ASSERT_REFUSED(*state, "\x8a\x01\x01\x08\x01", "malformed number");
}

/* `depth` messages, each the child of the one before. */
static uint8_t *nested(int depth, size_t *size)
{
    uint8_t *bytes = malloc((size_t)depth * 8);
    uint8_t *at = bytes + (size_t)depth * 8;
    uint8_t *end = at;
    for (int i = 0; i < depth; i++) {
        size_t length = (size_t)(end - at);
        uint8_t varint[5];
        size_t n = 0;
        do {
            varint[n] = (uint8_t)(length >> (7 * n)) | 0x80;
            n++;
        } while (length >> (7 * n) != 0);
        varint[n - 1] &= 0x7f;
        at -= n;
        memcpy(at, varint, n);
        *--at = 0x01;
        *--at = 0x8a;
    }
    *size = (size_t)(end - at);
    memmove(bytes, at, *size);
    return bytes;
}

static void a_hundred_levels_are_accepted(void **state)
{
    size_t size;
    uint8_t *bytes = nested(CODEC_DEPTH_MAX, &size);
    Everything *e = (Everything *)decode_bytes(*state, bytes, size);
    int depth = 0;
    for (; e->child != NULL; e = e->child)
        depth++;
    assert_int_equal(depth, CODEC_DEPTH_MAX);
    free(bytes);
}

static void ten_thousand_levels_are_refused(void **state)
{
    size_t size;
    uint8_t *bytes = nested(CODEC_DEPTH_MAX + 1, &size);
    assert_refused(*state, bytes, size, "nest deeper than 100");
    free(bytes);
    bytes = nested(10000, &size);
    assert_refused(*state, bytes, size, "nest deeper than 100");
    free(bytes);
}

static void unknown_groups_nest_no_deeper_than_messages(void **state)
{
    char bytes[2 * 1000];
    for (size_t i = 0; i < sizeof bytes; i += 2)
        memcpy(bytes + i, "\xa3\x06", 2);
    assert_refused(*state, bytes, sizeof bytes, "too deep");
}

/* Empty children: two bytes of input, some 500 of memory. */
static void memory_is_bounded_by_the_input(void **state)
{
    struct arena *arena = *state;
    size_t size = 3 * 1024 * 1024;
    char *bytes = malloc(size);
    for (size_t i = 0; i < size; i += 3)
        memcpy(bytes + i, "\xf2\x01", 3);
    size_t before = arena_bytes(arena);
    assert_refused(arena, bytes, size, "too much memory");
    assert_in_range(arena_bytes(arena) - before, 0, 17 * size);

    /* A small message may take its megabyte. */
    assert_non_null(decode_bytes(arena, bytes, 3 * 1000));
    free(bytes);
}

/* 160,000 times the same singular message: quadratic merging takes seconds,
 * and more than the budget. */
static void merging_is_linear(void **state)
{
    enum { TIMES = 160000 };
    char *bytes = malloc((size_t)TIMES * 5);
    for (size_t i = 0; i < TIMES; i++)
        memcpy(bytes + i * 5, "\x8a\x01\x02\x08\x01", 5);
    size_t before = arena_bytes(*state);
    Everything *e =
        (Everything *)decode_bytes(*state, bytes, (size_t)TIMES * 5);
    assert_int_equal(e->child->i32, 1);
    assert_in_range(arena_bytes(*state) - before, 0, 64 * 1024);
    free(bytes);
}

static void alternating_repeated_fields_stay_cheap(void **state)
{
    enum { TIMES = 100000 };
    char *bytes = malloc((size_t)TIMES * 6);
    for (size_t i = 0; i < TIMES; i++)
        memcpy(bytes + i * 6, "\xa8\x01\x05\xd8\x01\x06", 6);
    Everything *e =
        (Everything *)decode_bytes(*state, bytes, (size_t)TIMES * 6);
    assert_non_null(e);
    assert_int_equal(e->n_i32s, TIMES);
    assert_int_equal(e->n_u64s, TIMES);
    assert_int_equal(e->i32s[TIMES - 1], 5);
    assert_int_equal(e->u64s[TIMES - 1], 6);
    free(bytes);
}

static const struct {
    const char *bytes;
    bool good;
} texts[] = {
    {"plain", true},
    {"exactly8", true},
    {"more than eight bytes of it", true},
    {"gr\xc3\xbc\xc3\x9f", true},
    {"\xe2\x82\xac and after", true},
    {"\xf0\x9f\x98\x80", true},
    {"\xf4\x8f\xbf\xbf", true}, /* U+10FFFF */
    {"\xee\x80\x80", true},     /* U+E000 */
    {"\xed\x9f\xbf", true},     /* U+D7FF */
    {"\x7f", true},
    {"\xc2\x80", true},
    {"\xc0\x80", false},         /* overlong NUL */
    {"\xc1\xbf", false},         /* overlong */
    {"\xe0\x9f\xbf", false},     /* overlong */
    {"\xf0\x8f\xbf\xbf", false}, /* overlong */
    {"\xed\xa0\x80", false},     /* U+D800 */
    {"\xed\xbf\xbf", false},     /* U+DFFF */
    {"\xf4\x90\x80\x80", false}, /* U+110000 */
    {"\xf5\x80\x80\x80", false},
    {"\xff", false},
    {"\x80", false}, /* a tail alone */
    {"seven..\x80", false},
    {"eight bytes \xc3", false}, /* cut short */
    {"\xe2\x82", false},
    {"\xf0\x9f\x98", false},
    {"\xc3(", false},
    {"\xe2(\xa1", false},
};

static void text_is_utf8(void **state)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char bytes[64] = "\x72";
        size_t length = strlen(texts[i].bytes);
        bytes[1] = (char)length;
        memcpy(bytes + 2, texts[i].bytes, length);
        Everything *e = (Everything *)decode_bytes(*state, bytes, length + 2);
        if (texts[i].good)
            assert_string_equal(e->text, texts[i].bytes);
        else
            assert_refused(*state, bytes, length + 2, "text: is not UTF-8");
    }
}

static void a_text_with_nul_is_refused_wherever_it_is(void **state)
{
    for (size_t at = 0; at < 20; at++) {
        char bytes[22] = "\x72\x14"
                         "aaaaaaaaaaaaaaaaaaaa";
        bytes[2 + at] = '\0';
        assert_refused(*state, bytes, sizeof bytes, "NUL");
    }
}

static void bytes_may_be_anything(void **state)
{
    Everything *e = DECODE(*state, "\x7a\x03\x00\xff\x80");
    assert_int_equal(e->raw.len, 3);
    assert_memory_equal(e->raw.data, "\x00\xff\x80", 3);
}

static void map_keys_are_text_too(void **state)
{
    ASSERT_REFUSED(*state, "\xfa\x01\x03\x0a\x01\xff", "CountsEntry.key");
}

/* Sixteen fields, to cut and to mutate. */
static const char sample[] =
    "\x08\x01\x10\x02\x3d"
    "abcd"
    "\x41"
    "abcdefgh"
    "\x68\x01"
    "\x72\x05"
    "gr\xc3\xbc"
    "n"
    "\x7a\x02\x00\x01\x8a\x01\x02\x08\x05\xaa\x01\x03\x01\x02\x03"
    "\xba\x01\x04"
    "wxyz"
    "\xe2\x01\x02"
    "hi"
    "\xf2\x01\x04\x72\x02"
    "ok"
    "\xfa\x01\x05\x0a\x01"
    "k"
    "\x10\x07\xc8\x02\x00\xa2\x03\x02\x08\x05"
    "\xa3\x06\x08\x01\xa4\x06";

/* A message cut anywhere is either complete up to there or refused; ASan sees
 * every byte that is read behind the end. */
static void every_cut_is_survived(void **state)
{
    int accepted = 0;
    for (size_t length = 1; length < sizeof sample; length++) {
        uint8_t *cut = malloc(length);
        memcpy(cut, sample, length);
        arena_reset(*state);
        accepted += decode_bytes(*state, cut, length) != NULL;
        free(cut);
    }
    assert_int_equal(accepted, 16); /* after each of the sample's fields */
}

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    return *seed ^= *seed << 5;
}

/* What is accepted encodes, and decodes again to the same encoding. */
static void whatever_is_accepted_round_trips(void **state)
{
    struct arena *arena = *state;
    uint32_t seed = 20240817;
    size_t size = sizeof sample - 1;
    int accepted = 0;
    for (int i = 0; i < 20000; i++) {
        uint8_t *bytes = malloc(size);
        memcpy(bytes, sample, size);
        for (uint32_t n = next_random(&seed) % 4; n > 0; n--)
            bytes[next_random(&seed) % size] = (uint8_t)next_random(&seed);
        arena_reset(arena);
        ProtobufCMessage *message = decode_bytes(arena, bytes, size);
        free(bytes);
        if (message == NULL)
            continue;
        accepted++;
        size_t first_size, second_size;
        uint8_t *first = codec_pack(arena, message, &first_size);
        message = decode_bytes(arena, first, first_size);
        assert_non_null(message);
        uint8_t *second = codec_pack(arena, message, &second_size);
        assert_int_equal(first_size, second_size);
        assert_memory_equal(first, second, first_size);
    }
    assert_in_range(accepted, 1000, 19999);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_a_message_of_defaults),
        TEST(a_type_needs_no_function_of_its_own),
        TEST(numbers_keep_their_sign),
        TEST(a_negative_int32_may_come_in_five_bytes),
        TEST(zigzag_reaches_the_ends),
        TEST(any_number_but_zero_is_true),
        TEST(the_last_of_several_wins),
        TEST(an_enum_keeps_numbers_that_have_no_name),
        TEST(packed_and_unpacked_mix),
        TEST(packed_fixed_must_divide),
        TEST(packed_varints_must_end),
        TEST(an_optional_knows_zero_from_absent),
        TEST(the_last_member_of_a_oneof_wins),
        TEST(a_message_that_comes_twice_is_merged),
        TEST(map_entries_arrive_in_order),
        TEST(sparse_numbers_are_found),
        TEST(unknown_fields_are_passed_over),
        TEST(a_wrong_wire_type_counts_as_unknown),
        TEST(groups_must_be_closed_by_their_own_end),
        TEST(malformed_tags_are_refused),
        TEST(a_varint_has_ten_bytes_at_most),
        TEST(lengths_cannot_leave_the_message),
        TEST(a_hundred_levels_are_accepted),
        TEST(ten_thousand_levels_are_refused),
        TEST(unknown_groups_nest_no_deeper_than_messages),
        TEST(memory_is_bounded_by_the_input),
        TEST(merging_is_linear),
        TEST(alternating_repeated_fields_stay_cheap),
        TEST(text_is_utf8),
        TEST(a_text_with_nul_is_refused_wherever_it_is),
        TEST(bytes_may_be_anything),
        TEST(map_keys_are_text_too),
        TEST(every_cut_is_survived),
        TEST(whatever_is_accepted_round_trips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
