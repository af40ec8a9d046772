/* Binary formats at the ends of their ranges, which PostgreSQL's own types do
 * not reach. */
#include "db/type.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void the_earliest_and_latest_times_have_a_text(void **state)
{
    static const struct {
        const char *bytes, *text;
    } rows[] = {
        {"\x80\0\0\0\0\0\0\1", "290279-12-22 19:59:05.224193 BC"},
        {"\x7f\xff\xff\xff\xff\xff\xff\xfe", "294277-01-09 04:00:54.775806"},
        {"\xff\xff\xff\xff\xff\xff\xff\xff", "1999-12-31 23:59:59.999999"},
        {"\0\0\0\0\0\0\0\0", "2000-01-01 00:00:00"},
    };
    char text[128];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(type_timestamp_text(rows[i].bytes, 8, text));
        assert_string_equal(text, rows[i].text);
    }
    assert_false(type_timestamp_text(rows[0].bytes, 7, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_and_latest_times_have_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
