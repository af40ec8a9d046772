/* The encoder against two that are not ours: protobuf-c's, byte by byte, and
 * protoc's, from text. */
#include "tests/rpc/codec_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_same_as_protobuf_c(struct arena *arena,
                                      const ProtobufCMessage *message)
{
    size_t size;
    uint8_t *ours = codec_pack(arena, message, &size);
    assert_int_equal(size, protobuf_c_message_get_packed_size(message));
    assert_int_equal(size, codec_size(message));
    uint8_t *theirs = arena_alloc(arena, size);
    protobuf_c_message_pack(message, theirs);
    assert_memory_equal(ours, theirs, size);

    uint8_t *again = arena_alloc(arena, size);
    codec_encode(message, again);
    assert_memory_equal(ours, again, size);
}

static Everything *example(struct arena *arena)
{
    static int32_t i32s[] = {0, -1, 300, INT32_MIN};
    static int64_t s64s[] = {0, -1, INT64_MIN, INT64_MAX};
    static uint32_t f32s[] = {1, UINT32_MAX};
    static double wide_reals[] = {0.5, -1e300};
    static protobuf_c_boolean yeses[] = {1, 0, 1};
    static Colour colours[] = {COLOUR_RED, COLOUR_BELOW_ZERO};
    static uint64_t u64s[] = {127, 128, UINT64_MAX};
    static const char *texts[] = {"", "a", "gr\xc3\xbc\xc3\x9f"};
    static ProtobufCBinaryData raws[] = {{0, NULL}, {2, (uint8_t *)"\0\xff"}};

    Everything *e = (Everything *)codec_new(arena, EVERYTHING_DESCRIPTOR);
    e->i32 = -7;
    e->i64 = INT64_MIN;
    e->u32 = UINT32_MAX;
    e->u64 = UINT64_MAX;
    e->s32 = INT32_MIN;
    e->s64 = -1;
    e->f32 = 1;
    e->f64 = 2;
    e->sf32 = -3;
    e->sf64 = -4;
    e->real = 1.5f;
    e->wide_real = -2.25;
    e->yes = 1;
    e->text = "text";
    e->raw = raws[1];
    e->colour = COLOUR_BELOW_ZERO;
    e->n_i32s = 4;
    e->i32s = i32s;
    e->n_s64s = 4;
    e->s64s = s64s;
    e->n_f32s = 2;
    e->f32s = f32s;
    e->n_wide_reals = 2;
    e->wide_reals = wide_reals;
    e->n_yeses = 3;
    e->yeses = yeses;
    e->n_colours = 2;
    e->colours = colours;
    e->n_u64s = 3;
    e->u64s = u64s;
    e->n_texts = 3;
    e->texts = texts;
    e->n_raws = 2;
    e->raws = raws;
    e->_maybe_i32_case = EVERYTHING_MAYBE_I32_CASE;
    e->pick_case = EVERYTHING_PICK_NUMBER_CASE;
    e->pick_number = -5;
    e->far_away = 9;
    return e;
}

static void an_empty_message_has_no_bytes(void **state)
{
    Everything e = EVERYTHING_INIT;
    assert_int_equal(codec_size(&e.base), 0);
    assert_same_as_protobuf_c(*state, &e.base);
}

static void each_kind_of_field_is_encoded_as_by_protobuf_c(void **state)
{
    struct arena *arena = *state;
    assert_same_as_protobuf_c(arena, &example(arena)->base);
}

static void nested_messages_are_encoded_as_by_protobuf_c(void **state)
{
    struct arena *arena = *state;
    Everything *e = example(arena);
    e->child = example(arena);
    e->child->child = example(arena);
    Everything *children[] = {
        example(arena), (Everything *)codec_new(arena, EVERYTHING_DESCRIPTOR)};
    e->n_children = 2;
    e->children = children;
    EverythingCountsEntry entry = EVERYTHING_COUNTS_ENTRY_INIT;
    entry.key = "k";
    entry.value = 300;
    EverythingCountsEntry *entries[] = {&entry};
    e->n_counts = 1;
    e->counts = entries;
    e->pick_case = EVERYTHING_PICK_CHILD_CASE;
    e->pick_child = example(arena);
    assert_same_as_protobuf_c(arena, &e->base);
}

/* ASan sees what would be written before the room. */
static void without_a_byte_to_spare_nothing_is_given(void **state)
{
    struct arena *arena = *state;
    Everything *e = example(arena);
    e->child = example(arena);
    size_t size;
    const uint8_t *packed = codec_pack(arena, &e->base, &size);
    for (size_t room = 0; room <= size + 2; room++) {
        uint8_t *bytes = malloc(room);
        const uint8_t *at = codec_write_end(&e->base, bytes, room);
        if (room <= size)
            assert_null(at);
        else
            assert_memory_equal(at, packed, size);
        if (at != NULL)
            assert_ptr_equal(at + size, bytes + room);
        free(bytes);
    }
}

static void an_optional_empty_text_is_sent(void **state)
{
    struct arena *arena = *state;
    Everything e = EVERYTHING_INIT;
    e._maybe_text_case = EVERYTHING_MAYBE_TEXT_CASE;
    e.maybe_text = "";
    size_t size;
    uint8_t *bytes = codec_pack(arena, &e.base, &size);
    assert_int_equal(size, 3);
    assert_memory_equal(bytes, "\xd2\x02\x00", 3);
}

static void negative_zero_is_a_value(void **state)
{
    struct arena *arena = *state;
    Everything e = EVERYTHING_INIT;
    e.real = -0.0f;
    size_t size;
    uint8_t *bytes = codec_pack(arena, &e.base, &size);
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "\x5d\x00\x00\x00\x80", 5);
}

static void null_text_counts_as_not_set(void **state)
{
    (void)state;
    Everything e = EVERYTHING_INIT;
    e.text = NULL;
    e.pick_case = EVERYTHING_PICK_TEXT_CASE;
    e.pick_text = NULL;
    assert_int_equal(codec_size(&e.base), 0);
}

static void a_copy_shares_nothing(void **state)
{
    struct arena *theirs = arena_create();
    struct arena *ours = *state;
    Everything *e = example(theirs);
    e->child = example(theirs);
    e->child->text = arena_strdup(theirs, "inner");
    EverythingCountsEntry *entry = (EverythingCountsEntry *)codec_new(
        theirs, EVERYTHING_COUNTS_ENTRY_DESCRIPTOR);
    entry->key = arena_strdup(theirs, "key");
    e->n_counts = 1;
    e->counts = arena_memdup(theirs, &entry, sizeof entry);
    size_t size;
    uint8_t *before = codec_pack(ours, &e->base, &size);

    ProtobufCMessage *copy = codec_copy(ours, &e->base);
    arena_destroy(theirs); /* ASan sees a pointer that still goes there */
    size_t copy_size;
    uint8_t *after = codec_pack(ours, copy, &copy_size);
    assert_int_equal(copy_size, size);
    assert_memory_equal(before, after, size);
}

/* Runs protoc over the descriptors that the build made. */
static size_t by_protoc(const char *mode, const void *in, size_t in_size,
                        char *out, size_t room)
{
    char path[] = "/tmp/prbal_encode_test.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, in, in_size), in_size);
    close(fd);
    char command[512];
    snprintf(command, sizeof command,
             "protoc --descriptor_set_in=%s --%s=prbal.test.Everything "
             "tests/rpc/codec.proto < %s",
             PRBAL_DESCRIPTORS, mode, path);
    FILE *pipe = popen(command, "r");
    size_t size = fread(out, 1, room - 1, pipe);
    assert_int_equal(pclose(pipe), 0);
    out[size] = '\0';
    unlink(path);
    return size;
}

static void protoc_agrees(void **state)
{
    static const char text[] =
        "i32: -2 i64: -3 u32: 4 u64: 18446744073709551615 s32: -5 s64: -6 "
        "f32: 7 f64: 8 sf32: -9 sf64: -10 real: 1.25 wide_real: -3.5 "
        "yes: true text: 'gr\\303\\274\\303\\237' raw: '\\000\\377' "
        "colour: COLOUR_BELOW_ZERO child { i32: 1 child { text: 'deep' } } "
        "i32s: [0, -1] s64s: [-1, 1] f32s: 9 wide_reals: 0.1 yeses: true "
        "colours: [COLOUR_RED, COLOUR_BELOW_ZERO] u64s: [1, 300] "
        "texts: ['', 'x'] raws: 'r' children {} children { yes: true } "
        "counts { key: 'a' value: 1 } maybe_i32: 0 maybe_text: '' "
        "maybe_yes: true pick_child { i64: 5 } far_away: 77";
    static char bytes[4096], back[4096], again[4096];
    struct arena *arena = *state;

    size_t size =
        by_protoc("encode", text, sizeof text - 1, bytes, sizeof bytes);
    assert_true(size > 200);
    ProtobufCMessage *message = decode_bytes(arena, bytes, size);
    assert_non_null(message);
    Everything *e = (Everything *)message;
    assert_string_equal(e->child->child->text, "deep");
    assert_string_equal(e->text, "gr\xc3\xbc\xc3\x9f");
    assert_int_equal(e->pick_child->i64, 5);

    size_t packed_size;
    uint8_t *packed = codec_pack(arena, message, &packed_size);
    assert_int_equal(packed_size, size);
    assert_memory_equal(packed, bytes, size);

    size = by_protoc("decode", packed, packed_size, back, sizeof back);
    size = by_protoc("encode", back, size, again, sizeof again);
    assert_int_equal(size, packed_size);
    assert_memory_equal(again, packed, size);
}

static void equal_messages_are_those_that_say_the_same(void **state)
{
    struct arena *arena = *state;
    Everything one = EVERYTHING_INIT, other = EVERYTHING_INIT;
    assert_true(codec_is_equal(arena, &one.base, &other.base));
    one.text = "same";
    char text[] = "same";
    other.text = text;
    one._maybe_i32_case = EVERYTHING_MAYBE_I32_CASE; /* set, and zero */
    assert_false(codec_is_equal(arena, &one.base, &other.base));
    other._maybe_i32_case = EVERYTHING_MAYBE_I32_CASE;
    assert_true(codec_is_equal(arena, &one.base, &other.base));
    text[0] = 'S';
    assert_false(codec_is_equal(arena, &one.base, &other.base));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(an_empty_message_has_no_bytes),
        TEST(each_kind_of_field_is_encoded_as_by_protobuf_c),
        TEST(nested_messages_are_encoded_as_by_protobuf_c),
        TEST(without_a_byte_to_spare_nothing_is_given),
        TEST(an_optional_empty_text_is_sent),
        TEST(negative_zero_is_a_value),
        TEST(null_text_counts_as_not_set),
        TEST(a_copy_shares_nothing),
        TEST(protoc_agrees),
        TEST(equal_messages_are_those_that_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
