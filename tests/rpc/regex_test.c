/* Regular expressions: what they match, and that they take linear time. */
#include "rpc/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int start_arena(void **state)
{
    *state = arena_create();
    return 0;
}

static int end_arena(void **state)
{
    arena_destroy(*state);
    return 0;
}

static const struct {
    const char *pattern;
    const char *text;
    bool matches;
} rows[] = {
    {"", "", true},
    {"", "x", true},
    {"a", "xay", true},
    {"a", "xy", false},
    {"^a", "ab", true},
    {"^a", "ba", false},
    {"a$", "ba", true},
    {"a$", "ab", false},
    {"a$", "a\n", false},
    {"^$", "", true},
    {"^$", "x", false},
    {"^.$", "\xe2\x82\xac", true},
    {"^..$", "\xe2\x82\xac", false},
    {"^.$", "\n", false},
    {"^[a-c]+$", "abc", true},
    {"^[a-c]+$", "abd", false},
    {"^[^a-c]+$", "xyz\n", true},
    {"^[^a-c]+$", "xaz", false},
    {"^[]a]+$", "]a", true},
    {"^[a-]+$", "a-", true},
    {"^[\\]\\\\-]+$", "]\\-", true},
    {"^[\\d.]+$", "1.2", true},
    {"^[\xc3\xa0-\xc3\xbf]$", "\xc3\xbc", true},
    {"^\\d\\D\\w\\W\\s\\S$", "1a_- x", true},
    {"^\\d$", "a", false},
    {"^\\d$", "\xd9\xa1", false}, /* an Arabic digit */
    {"^\\.$", ".", true},
    {"^\\.$", "x", false},
    {"^\\x41\\x{20AC}\\t$", "A\xe2\x82\xac\t", true},
    {"(?i)^[a-z0-9]+$", "Foo123", true},
    {"(?i)^[a-z0-9]+$", "Foo 123", false},
    {"^(?i)strasse$", "STRASSE", true},
    {"^(?i)k+$", "k\xe2\x84\xaa", true}, /* the Kelvin sign */
    {"^(?i)s+$", "S\xc5\xbf", true},     /* the long s */
    {"^(?i)[^a-c]$", "B", false},
    {"^(?i)@_1$", "@_1", true},
    {"^a(?i)b(?-i)c$", "aBc", true},
    {"^a(?i)b(?-i)c$", "aBC", false},
    {"^a(?i:b)c$", "aBc", true},
    {"^a(?i:b)c$", "aBC", false},
    {"^((?i)b)c$", "BC", false},
    {"^a(?i)b|c$", "C", true},
    {"^(?s).$", "\n", true},
    {"^(?s:.).$", "\n\n", false},
    {"^(?U)a+$", "aa", true},
    {"^(ab|cd|e)$", "cd", true},
    {"^(ab|cd|e)$", "e", true},
    {"^(ab|cd|e)$", "abcd", false},
    {"^(a|)b$", "b", true},
    {"^(?:a(b|c(d|e)))+$", "abacdace", true},
    {"^(?:a(b|c(d|e)))+$", "abaca", false},
    {"^a*$", "", true},
    {"^a*b$", "aaab", true},
    {"^a+$", "", false},
    {"^ab?c$", "ac", true},
    {"^ab?c$", "abbc", false},
    {"^a{3}$", "aaa", true},
    {"^a{3}$", "aa", false},
    {"^a{3}$", "aaaa", false},
    {"^a{2,}$", "aaaa", true},
    {"^a{2,}$", "a", false},
    {"^a{1,3}$", "aaa", true},
    {"^a{1,3}$", "aaaa", false},
    {"^a{0}b$", "b", true},
    {"^(ab){2,3}$", "ababab", true},
    {"^(ab){2,3}$", "abababab", false},
    {"^(a*)*$", "aaa", true},
    {"^(a|b*)*c$", "abbac", true},
    {"^a+?b*?$", "aab", true},
    {"(^a|b$)", "cb", true},
    {"(^a|b$)", "bac", false},
    {"a|b|^$", "", true},
    {"^[A-Z]{3}$", "USD", true},
    {"^\\+[1-9][0-9]{6,14}$", "+4915112345678", true},
    {"^\\+[1-9][0-9]{6,14}$", "+0915112345678", false},
};

static void patterns_match_what_they_say(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *problem;
        const struct regex *regex =
            regex_compile(*state, rows[i].pattern, &problem);
        if (regex == NULL)
            fail_msg("%s: %s", rows[i].pattern, problem);
        bool found = regex_matches(regex, rows[i].text, strlen(rows[i].text));
        if (found != rows[i].matches)
            fail_msg("%s on \"%s\": %d", rows[i].pattern, rows[i].text, found);
    }
}

static void what_is_not_regular_is_refused(void **state)
{
    static const char *const patterns[] = {
        "(",
        ")",
        "a)",
        "(a",
        "[a",
        "[",
        "[b-a]",
        "*",
        "a**",
        "a|*",
        "\\1",
        "\\b",
        "(?=a)",
        "(?m)^a",
        "(?i",
        "(?i)*",
        "(?i)\xc3\xbc",
        "(?i)[a-\xc3\xbc]",
        "(?P<n>a)",
        "\\p{L}",
        "a{,3}",
        "a{3,2}",
        "a{1001}",
        "[[:alpha:]]",
        "\\",
        "\\x4",
        "\\x{110000}",
        "a{2",
        "(a{100}){100}",
        "(((((((((((((((((((((a)))))))))))))))))))))",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        const char *problem = NULL;
        if (regex_compile(*state, patterns[i], &problem) != NULL)
            fail_msg("%s is accepted", patterns[i]);
        assert_non_null(problem);
    }
}

static clock_t time_on(struct arena *arena, const char *pattern,
                       const char *text, size_t size)
{
    const char *problem;
    const struct regex *regex = regex_compile(arena, pattern, &problem);
    clock_t start = clock();
    assert_false(regex_matches(regex, text, size));
    return clock() - start;
}

/* These take a backtracking matcher longer than the universe is old, and a
 * quadratic one ten thousand times as long for a hundred times the text; the
 * bound is ten times what is linear. */
static void time_is_linear_in_the_text(void **state)
{
    enum { SHORT = 10000, LONG = 100 * SHORT };
    static const char *const patterns[] = {"^(a+)+$", "(a+a+)+c", "^(a|a|aa)*$",
                                           "(a*)*c"};
    char *text = malloc(LONG);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        memset(text, 'a', LONG);
        text[SHORT - 1] = 'b';
        clock_t brief = time_on(*state, patterns[i], text, SHORT);
        text[SHORT - 1] = 'a';
        text[LONG - 1] = 'b';
        clock_t full = time_on(*state, patterns[i], text, LONG);
        assert_in_range(full, 0, 1000 * (brief + CLOCKS_PER_SEC / 1000));
    }
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start_arena, end_arena)
    const struct CMUnitTest tests[] = {
        TEST(patterns_match_what_they_say),
        TEST(what_is_not_regular_is_refused),
        TEST(time_is_linear_in_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
