#ifndef PRBAL_RPC_REGEX_H
#define PRBAL_RPC_REGEX_H

#include "rpc/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Regular expressions in time linear in the text, whatever the pattern: all
 * ways through the pattern are followed at once, and none twice.
 *
 * The syntax is the part of RE2's that has a meaning for "does it match":
 * literals, `.`, [sets], \d \w \s and their opposites, (groups), (?:groups),
 * |, *, +, ?, {n}, {n,}, {n,m}, ^, $, \xHH, \x{H...}, and (?i) for ASCII
 * letters and (?s), which can be (?i:for a group) or taken back by (?-i).  `$`
 * is the end of the text, `.` is any code point but a newline (with (?s) any),
 * and \d, \w and \s are ASCII. */

enum regex_kind {
    REGEX_CHAR,  /* a = code point */
    REGEX_ANY,   /* anything but a newline */
    REGEX_SET,   /* a = number of REGEX_RANGE that follow, b = negated */
    REGEX_RANGE, /* a to b */
    REGEX_SPLIT, /* go on at this + a and at this + b */
    REGEX_JUMP,  /* go on at this + a */
    REGEX_START, /* only at the start of the text */
    REGEX_END,   /* only at its end */
    REGEX_MATCH,
};

struct regex_op {
    int32_t kind;
    int32_t a;
    int32_t b;
};

/* Copies of counted parts included: `(abc){100}` is 300 of them. */
enum { REGEX_OPS_MAX = 2000, REGEX_NESTING_MAX = 20 };

struct regex {
    const struct regex_op *ops;
    size_t count;
};

/* NULL with a sentence in *problem when the pattern is not in the syntax or too
 * large.  The result lives in `arena`. */
const struct regex *regex_compile(struct arena *arena, const char *pattern,
                                  const char **problem);

/* True when the pattern matches somewhere in `text`, which must be well-formed
 * UTF-8.  Takes no memory. */
bool regex_matches(const struct regex *regex, const char *text, size_t size);

#endif
