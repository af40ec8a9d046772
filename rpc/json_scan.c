#include "rpc/json_scan.h"

#include "rpc/codec.h"
#include "rpc/hex.h"
#include "rpc/utf8.h"

#include <string.h>

static bool fail(struct json_scan *scan, const char *at, const char *problem)
{
    scan->at = at;
    scan->problem = problem;
    return false;
}

/* Strings */

enum { WORD_BYTES = 8 };

/* The high bit of each byte that is a quote, a backslash or a control
 * character.  A borrow can mark a byte above the first one that is, never one
 * below it. */
static uint64_t special_bytes(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t quote = word ^ ones * '"';
    uint64_t slash = word ^ ones * '\\';
    return (((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
            ((word - ones * 0x20) & ~word)) &
           (ones << 7);
}

static bool is_special(char c)
{
    return c == '"' || c == '\\' || (unsigned char)c < 0x20;
}

const char *json_pass_plain(const char *at, const char *end, uint64_t *seen)
{
    for (; end - at >= WORD_BYTES; at += WORD_BYTES) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t special = special_bytes(word);
        if (special != 0)
            break;
        *seen |= word;
    }
    for (; at < end && !is_special(*at); at++)
        *seen |= (unsigned char)*at;
    return at;
}

/* Four digits behind "\u". */
static bool read_unit(const char *at, const char *end, uint32_t *unit)
{
    *unit = 0;
    if (end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int value = hex_value(at[i]);
        if (value < 0)
            return false;
        *unit = *unit << 4 | (uint32_t)value;
    }
    return true;
}

static bool is_high_surrogate(uint32_t unit)
{
    return unit >= 0xd800 && unit < 0xdc00;
}

static bool is_low_surrogate(uint32_t unit)
{
    return unit >= 0xdc00 && unit < 0xe000;
}

/* Behind "\u"; a pair of surrogates is one character. */
static const char *pass_unicode(struct json_scan *scan, const char *at,
                                const char *end)
{
    uint32_t unit, low;
    const char *start = at - 2;
    if (!read_unit(at, end, &unit)) {
        fail(scan, start, "\"\\u\" wants four hexadecimal digits");
        return NULL;
    }
    if (unit == 0) {
        fail(scan, start, "a string cannot hold a NUL");
        return NULL;
    }
    at += 4;
    if (unit < 0xd800 || unit >= 0xe000)
        return at;
    if (!is_high_surrogate(unit) || end - at < 2 || at[0] != '\\' ||
        at[1] != 'u' || !read_unit(at + 2, end, &low) ||
        !is_low_surrogate(low)) {
        fail(scan, start, "half of a surrogate pair");
        return NULL;
    }
    return at + 6;
}

/* At a backslash; NULL when the escape is none. */
static const char *pass_escape(struct json_scan *scan, const char *at,
                               const char *end)
{
    char c = end - at < 2 ? '\0' : at[1];
    if (c == 'u')
        return pass_unicode(scan, at + 2, end);
    if (c != '\0' && strchr("\"\\/bfnrt", c) != NULL)
        return at + 2;
    fail(scan, at, "an escape that JSON does not have");
    return NULL;
}

bool json_scan_string(struct json_scan *scan, struct json_string *string)
{
    const char *start = scan->at, *at = start + 1;
    uint64_t seen = 0;
    string->is_escaped = false;
    for (;;) {
        at = json_pass_plain(at, scan->end, &seen);
        if (at == scan->end)
            return fail(scan, start, "a string without an end");
        if (*at == '"')
            break;
        if (*at != '\\')
            return fail(scan, at, "a control character in a string");
        string->is_escaped = true;
        at = pass_escape(scan, at, scan->end);
        if (at == NULL)
            return false;
    }
    string->raw = start + 1;
    string->size = (size_t)(at - string->raw);
    if (json_has_wide(seen) && !utf8_is_text(string->raw, string->size))
        return fail(scan, start, "a string that is not UTF-8");
    scan->at = at + 1;
    return true;
}

static size_t put_character(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3f));
    to[0] = (char)((0xf00u >> size & 0xf0) | c);
    return size;
}

/* Behind "\u", which json_scan_string() has checked. */
static const char *unescape_unicode(const char *at, char **to)
{
    uint32_t c, low;
    read_unit(at, at + 4, &c);
    at += 4;
    if (is_high_surrogate(c)) {
        read_unit(at + 2, at + 6, &low);
        at += 6;
        c = 0x10000 + ((c - 0xd800) << 10 | (low - 0xdc00));
    }
    *to += put_character(*to, c);
    return at;
}

static char unescaped(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c; /* a quote, a backslash, a slash */
    }
}

size_t json_unescape(const struct json_string *string, char *to)
{
    const char *at = string->raw, *end = at + string->size;
    char *start = to;
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((slash == NULL ? end : slash) - at);
        memcpy(to, at, plain);
        to += plain;
        at += plain;
        if (slash == NULL)
            break;
        if (at[1] == 'u') {
            at = unescape_unicode(at + 2, &to);
        } else {
            *to++ = unescaped(at[1]);
            at += 2;
        }
    }
    return (size_t)(to - start);
}

/* Numbers */

/* Zeros are kept back until another digit follows: those at the end go into
 * the exponent. */
struct digits {
    struct json_number *number;
    int64_t zeros;
};

static bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static void add_digit(struct digits *digits, char c)
{
    struct json_number *number = digits->number;
    if (c == '0') {
        digits->zeros++;
        return;
    }
    bool overflow = false;
    if (number->digits == 0)
        digits->zeros = 0; /* leading ones */
    for (; digits->zeros >= 0 && !overflow; digits->zeros--)
        overflow = __builtin_mul_overflow(number->digits, 10, &number->digits);
    digits->zeros = 0;
    if (overflow || __builtin_add_overflow(number->digits, (uint64_t)(c - '0'),
                                           &number->digits))
        number->is_exact = false;
}

static const char *pass_digits(struct digits *digits, const char *at,
                               const char *end)
{
    for (; is_digit(at, end); at++)
        add_digit(digits, *at);
    return at;
}

/* Behind an "e"; NULL when there is no number.  What no text could make up for
 * with zeros is as good as infinite. */
static const char *pass_exponent(const char *at, const char *end,
                                 int64_t *exponent)
{
    const int64_t enough = INT64_C(1000000000000000);
    bool is_negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (!is_digit(at, end))
        return NULL;
    *exponent = 0;
    for (; is_digit(at, end); at++)
        if (*exponent < enough)
            *exponent = *exponent * 10 + (*at - '0');
    if (is_negative)
        *exponent = -*exponent;
    return at;
}

static bool no_number(struct json_scan *scan)
{
    return fail(scan, scan->at, "not a number as JSON has them");
}

bool json_scan_number(struct json_scan *scan, struct json_number *number)
{
    const char *at = scan->at, *end = scan->end;
    struct digits digits = {number, 0};
    int64_t exponent = 0;
    *number = (struct json_number){.text = at, .is_exact = true};
    number->is_negative = at < end && *at == '-';
    at += number->is_negative;
    if (!is_digit(at, end) || (*at == '0' && is_digit(at + 1, end)))
        return no_number(scan);
    at = pass_digits(&digits, at, end);
    if (at < end && *at == '.') {
        const char *point = at++;
        if (!is_digit(at, end))
            return no_number(scan);
        at = pass_digits(&digits, at, end);
        number->exponent = -(int64_t)(at - point - 1);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = pass_exponent(at + 1, end, &exponent);
        if (at == NULL)
            return no_number(scan);
    }
    number->exponent += exponent + digits.zeros;
    number->size = (size_t)(at - scan->at);
    scan->at = at;
    return true;
}

/* The rest */

bool json_scan_word(struct json_scan *scan, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(scan->end - scan->at) < size ||
        memcmp(scan->at, word, size) != 0)
        return fail(scan, scan->at, "expected a value");
    scan->at += size;
    return true;
}

static bool skip_scalar(struct json_scan *scan)
{
    struct json_string string;
    struct json_number number;
    char c = json_peek(scan);
    if (c == '"')
        return json_scan_string(scan, &string);
    if (c == '-' || (c >= '0' && c <= '9'))
        return json_scan_number(scan, &number);
    return json_scan_word(scan, c == 't'   ? "true"
                                : c == 'f' ? "false"
                                           : "null");
}

static bool skip_name(struct json_scan *scan)
{
    struct json_string name;
    if (json_peek(scan) != '"')
        return fail(scan, scan->at, "expected a name in quotes");
    if (!json_scan_string(scan, &name))
        return false;
    return json_accept(scan, ':') || fail(scan, scan->at, "expected \":\"");
}

bool json_scan_skip(struct json_scan *scan)
{
    char closing[CODEC_DEPTH_MAX]; /* of what is open */
    int depth = 0;
    for (bool is_new = false;;) {
        /* A value comes next, or the end of what was just opened. */
        if (!is_new || json_peek(scan) != closing[depth - 1]) {
            if (depth > 0 && closing[depth - 1] == '}' && !skip_name(scan))
                return false;
            char c = json_peek(scan);
            is_new = c == '{' || c == '[';
            if (is_new && depth == CODEC_DEPTH_MAX)
                return fail(scan, scan->at, "values nest too deep");
            if (is_new) {
                closing[depth++] = c == '{' ? '}' : ']';
                scan->at++;
                continue;
            }
            if (!skip_scalar(scan))
                return false;
        }
        while (depth > 0 && json_accept(scan, closing[depth - 1]))
            depth--;
        if (depth == 0)
            return true;
        if (!json_accept(scan, ','))
            return fail(scan, scan->at, "expected \",\" or the end");
        is_new = false;
    }
}
