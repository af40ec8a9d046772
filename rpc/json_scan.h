#ifndef PRBAL_RPC_JSON_SCAN_H
#define PRBAL_RPC_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The tokens of a JSON text (RFC 8259), one after the other, from bytes that
 * strangers sent.  Pure functions: nothing is allocated, nothing recurses. */

struct json_scan {
    const char *at;
    const char *end;
    /* After a function has returned false: a literal that says what is wrong
     * at `at`. */
    const char *problem;
};

/* What stands between the quotes: well-formed UTF-8 without NUL, also behind
 * its escapes. */
struct json_string {
    const char *raw;
    size_t size;
    bool is_escaped;
};

/* A number is digits x 10^exponent; `digits` ends in no zero, and is 0 for a
 * zero.  Without `is_exact` there were more than 64 bits of digits. */
struct json_number {
    const char *text;
    size_t size;
    uint64_t digits;
    int64_t exponent;
    bool is_negative;
    bool is_exact;
};

/* The next character that is no white space, not passed; NUL at the end. */
static inline char json_peek(struct json_scan *scan)
{
    for (; scan->at < scan->end; scan->at++) {
        char c = *scan->at;
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            return c;
    }
    return '\0';
}

/* Passes over `wanted` behind white space; false, with nothing passed but
 * that, when something else is there. */
static inline bool json_accept(struct json_scan *scan, char wanted)
{
    if (json_peek(scan) != wanted || scan->at == scan->end)
        return false;
    scan->at++;
    return true;
}

/* Each at the token's first character. */
bool json_scan_string(struct json_scan *scan, struct json_string *string);
bool json_scan_number(struct json_scan *scan, struct json_number *number);
bool json_scan_word(struct json_scan *scan, const char *word);

/* Any value, nested at most CODEC_DEPTH_MAX deep. */
bool json_scan_skip(struct json_scan *scan);

/* The next quote, backslash or control character, or the end.  What it passes
 * leaves its bits in *seen. */
const char *json_pass_plain(const char *at, const char *end, uint64_t *seen);

/* Whether anything beyond ASCII was passed. */
static inline bool json_has_wide(uint64_t seen)
{
    return (seen & UINT64_C(0x8080808080808080)) != 0;
}

/* The text of a string; `to` has room for string->size bytes.  Returns how
 * many are written. */
size_t json_unescape(const struct json_string *string, char *to);

#endif
