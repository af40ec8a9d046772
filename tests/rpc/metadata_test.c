#include "rpc/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void applications_cannot_use_reserved_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool is_free;
    } names[] = {
        {"x-request-id", true},  {"a", true},
        {"trace_2.b-bin", true}, {"authorization", true},
        {"user-agent", true},    {"", false},
        {"grpc-status", false},  {"grpc-anything", false},
        {":path", false},        {"te", false},
        {"content-type", false}, {"X-Upper", false},
        {"with space", false},   {"connection", false},
        {"caf\xc3\xa9", false},  {"ten", true},
    };
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(
            metadata_name_is_free(names[i].name, strlen(names[i].name)),
            names[i].is_free);
}

static void a_name_is_binary_by_its_ending(void **state)
{
    (void)state;
    assert_true(metadata_name_is_binary("x-bin", 5));
    assert_false(metadata_name_is_binary("-bin", 4));
    assert_false(metadata_name_is_binary("x-bing", 6));
    assert_false(metadata_name_is_binary("bin", 3));
}

static void text_is_printable_ascii(void **state)
{
    (void)state;
    assert_true(metadata_text_is_valid(" ~", 2));
    assert_true(metadata_text_is_valid("", 0));
    assert_false(metadata_text_is_valid("a\nb", 3));
    assert_false(metadata_text_is_valid("\x7f", 1));
    assert_false(metadata_text_is_valid("\xc3\xa9", 2));
}

/* RFC 4648 section 10. */
static const struct {
    const char *bytes;
    const char *bare;
    const char *padded;
} base64_rows[] = {
    {"", "", ""},
    {"f", "Zg", "Zg=="},
    {"fo", "Zm8", "Zm8="},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg", "Zm9vYg=="},
    {"fooba", "Zm9vYmE", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "+//+"},
};

static void assert_decodes(const char *text, const char *bytes)
{
    uint8_t out[16];
    size_t count;
    assert_true(metadata_decode_base64(out, &count, text, strlen(text)));
    assert_int_equal(count, strlen(bytes));
    assert_memory_equal(out, bytes, count);
}

static void base64_is_written_bare_and_read_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(base64_rows); i++) {
        char text[16];
        size_t size = strlen(base64_rows[i].bytes);
        metadata_encode_base64(text, base64_rows[i].bytes, size);
        assert_int_equal(METADATA_BASE64_SIZE(size),
                         strlen(base64_rows[i].bare));
        assert_memory_equal(text, base64_rows[i].bare,
                            METADATA_BASE64_SIZE(size));
        assert_decodes(base64_rows[i].bare, base64_rows[i].bytes);
        assert_decodes(base64_rows[i].padded, base64_rows[i].bytes);
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "A",     "AAAAA", "Zg=",    "Zg===", "=",  "====",     "Z",
        "Zm9v!", "Zm 9v", "Zm9v\n", "_-__",  "Zh", "Zm9=Zm9v",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        uint8_t out[16];
        size_t count;
        if (metadata_decode_base64(out, &count, texts[i], strlen(texts[i])))
            fail_msg("decoded \"%s\"", texts[i]);
    }
}

static void base64_can_be_decoded_in_place(void **state)
{
    (void)state;
    char text[] = "Zm9vYmFy";
    size_t count;
    assert_true(metadata_decode_base64(text, &count, text, 8));
    assert_int_equal(count, 6);
    assert_memory_equal(text, "foobar", 6);
}

static void timeouts_have_six_units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t timeout_us;
    } rows[] = {
        {"1H", 3600000000},
        {"2M", 120000000},
        {"3S", 3000000},
        {"100m", 100000},
        {"7u", 7},
        {"1n", 1},
        {"1001n", 2},
        {"0S", 0},
        {"00000001S", 1000000},
        {"99999999H", 359999996400000000},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t timeout_us = -1;
        assert_true(metadata_parse_timeout(rows[i].text, strlen(rows[i].text),
                                           &timeout_us));
        assert_true(timeout_us == rows[i].timeout_us);
    }
}

static void a_timeout_is_written_as_finely_as_it_fits(void **state)
{
    (void)state;
    static const struct {
        int64_t timeout_us;
        const char *text;
    } rows[] = {
        {0, "0u"},
        {1, "1u"},
        {99999999, "99999999u"},
        {100000000, "100000m"},
        {100000001, "100001m"}, /* never shorter than it is */
        {INT64_C(99999999001), "100000S"},
        {INT64_C(3600000000) * 24 * 365, "31536000S"},
        {INT64_MAX, "99999999H"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[METADATA_TIMEOUT_BYTES];
        size_t size = metadata_encode_timeout(text, rows[i].timeout_us);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(size, strlen(text));
    }
}

static void a_malformed_timeout_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",           "S",
        "1",          "1s",
        "1h",         "-1S",
        "+1S",        "1.5S",
        "123456789S", " 1S",
        "1S ",        "0x1S",
        "1SS",        "99999999999999999999H",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        int64_t timeout_us;
        if (metadata_parse_timeout(texts[i], strlen(texts[i]), &timeout_us))
            fail_msg("parsed \"%s\"", texts[i]);
    }
}

static void assert_message(const char *message, const char *expected)
{
    char text[METADATA_MESSAGE_ENCODED_MAX];
    size_t size = metadata_encode_message(text, message);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

static void messages_are_percent_encoded(void **state)
{
    (void)state;
    assert_message("", "");
    assert_message("plain ~ text!", "plain ~ text!");
    assert_message("100%", "100%25");
    assert_message("\t\r\n", "%09%0D%0A");
    assert_message("\xe2\x98\xba\xf0\x9f\x98\x88", "%E2%98%BA%F0%9F%98%88");
    assert_message("\x7f", "%7F");
}

static void a_message_is_read_as_far_as_it_makes_sense(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"plain", "plain"}, {"%E2%98%ba%0A", "\xe2\x98\xba\n"},
        {"100%", "100%"},   {"100%2", "100%2"},
        {"%zz%25", "%zz%"}, {"a%00b", "a?b"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        strcpy(text, rows[i][0]);
        metadata_decode_message(text);
        assert_string_equal(text, rows[i][1]);
    }
}

static void a_long_message_is_cut_between_characters(void **state)
{
    (void)state;
    static char message[METADATA_MESSAGE_MAX + 10];
    static char text[METADATA_MESSAGE_ENCODED_MAX];
    memset(message, 'a', sizeof message);
    message[sizeof message - 1] = '\0';
    memcpy(message + METADATA_MESSAGE_MAX - 2, "\xe2\x98\xba", 3);
    assert_int_equal(metadata_encode_message(text, message),
                     METADATA_MESSAGE_MAX - 2);
    memcpy(message + METADATA_MESSAGE_MAX - 3,
           "\xe2\x98\xba"
           "a",
           4);
    assert_int_equal(metadata_encode_message(text, message),
                     METADATA_MESSAGE_MAX - 3 + 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applications_cannot_use_reserved_names),
        cmocka_unit_test(a_name_is_binary_by_its_ending),
        cmocka_unit_test(text_is_printable_ascii),
        cmocka_unit_test(base64_is_written_bare_and_read_both_ways),
        cmocka_unit_test(what_is_not_base64_is_refused),
        cmocka_unit_test(base64_can_be_decoded_in_place),
        cmocka_unit_test(timeouts_have_six_units),
        cmocka_unit_test(a_timeout_is_written_as_finely_as_it_fits),
        cmocka_unit_test(a_malformed_timeout_is_refused),
        cmocka_unit_test(messages_are_percent_encoded),
        cmocka_unit_test(a_message_is_read_as_far_as_it_makes_sense),
        cmocka_unit_test(a_long_message_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
