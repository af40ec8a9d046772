#include "rpc/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void only_the_signs_for_62_and_63_differ(void **state)
{
    (void)state;
    char text[BASE64_SIZE(5)];
    base64_encode(text, "\xfb\xff\xfe\xff\xfe", 5);
    assert_memory_equal(text, "+//+//4", sizeof text);
    base64_encode_url(text, "\xfb\xff\xfe\xff\xfe", 5);
    assert_memory_equal(text, "-__-__4", sizeof text);
}

static void each_reader_takes_what_it_promises(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool standard, url, either;
    } rows[] = {
        {"", true, true, true},         {"Zm9v", true, true, true},
        {"Zg", true, true, true},       {"Zg==", true, false, true},
        {"Zm8=", true, false, true},    {"+//+", true, false, true},
        {"-__-", false, true, true},    {"+__+", false, false, true},
        {"Zh", false, false, true},     {"Zm9", false, false, true},
        {"Z", false, false, false},     {"Zm9vZ", false, false, false},
        {"Zg=", false, false, false},   {"Zm 9", false, false, false},
        {"Zm9\n", false, false, false}, {"====", false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const bool wanted[] = {
            [BASE64_STANDARD] = rows[i].standard,
            [BASE64_URL] = rows[i].url,
            [BASE64_EITHER] = rows[i].either,
        };
        for (int reader = BASE64_STANDARD; reader <= BASE64_EITHER; reader++) {
            uint8_t bytes[8];
            size_t count;
            if (base64_decode(bytes, &count, rows[i].text, strlen(rows[i].text),
                              (enum base64_alphabet)reader) != wanted[reader])
                fail_msg("reader %d, \"%s\"", reader, rows[i].text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_signs_for_62_and_63_differ),
        cmocka_unit_test(each_reader_takes_what_it_promises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
