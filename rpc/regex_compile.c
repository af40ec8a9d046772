/* Patterns to ops.  All jumps are relative, so a part that is repeated is
 * copied as it is, and one that gets something in front is moved. */
#include "rpc/hex.h"
#include "rpc/regex.h"

#include <ctype.h>
#include <string.h>

enum { REPEAT_MAX = 1000, UNBOUNDED = -1 };
enum { CODE_POINT_MAX = 0x10ffff };

struct compiler {
    struct arena *arena;
    const char *at;
    struct regex_op *ops; /* REGEX_OPS_MAX of them */
    size_t count;
    int nesting;
    bool folds;          /* (?i) */
    bool dot_is_all;     /* (?s) */
    const char *problem; /* the first one */
};

static bool fail(struct compiler *c, const char *problem)
{
    if (c->problem == NULL)
        c->problem = problem;
    return false;
}

static bool insert(struct compiler *c, size_t at, struct regex_op op)
{
    if (c->count == REGEX_OPS_MAX)
        return fail(c, "it is too large");
    memmove(&c->ops[at + 1], &c->ops[at], (c->count - at) * sizeof *c->ops);
    c->ops[at] = op;
    c->count++;
    return true;
}

static bool append(struct compiler *c, int32_t kind, int32_t a, int32_t b)
{
    return insert(c, c->count, (struct regex_op){kind, a, b});
}

static bool append_copy(struct compiler *c, const struct regex_op *part,
                        size_t length)
{
    if (c->count + length > REGEX_OPS_MAX)
        return fail(c, "it is too large");
    if (length > 0)
        memcpy(&c->ops[c->count], part, length * sizeof *part);
    c->count += length;
    return true;
}

/* Characters */

/* What follows "\x". */
static bool read_hex(struct compiler *c, int32_t *code_point)
{
    bool braces = *c->at == '{';
    c->at += braces;
    int32_t value = 0;
    int digits = 0;
    while (hex_value(*c->at) >= 0 && digits < (braces ? 6 : 2)) {
        value = value * 16 + hex_value(*c->at++);
        digits++;
    }
    if (digits == 0 || (!braces && digits != 2) || value > CODE_POINT_MAX ||
        (braces && *c->at != '}'))
        return fail(c, "\\x needs two digits, or up to six in braces");
    c->at += braces;
    *code_point = value;
    return true;
}

/* An escape that stands for one character; `at` is behind the backslash. */
static bool read_escape(struct compiler *c, int32_t *code_point)
{
    static const char names[] = "nrtfv", values[] = "\n\r\t\f\v";
    char letter = *c->at;
    if (letter == 'x') {
        c->at++;
        return read_hex(c, code_point);
    }
    const char *named = letter == '\0' ? NULL : strchr(names, letter);
    if (named == NULL && !ispunct((unsigned char)letter))
        return fail(c, "it has an escape that is not known here");
    c->at++;
    *code_point = named == NULL ? letter : values[named - names];
    return true;
}

static bool read_character(struct compiler *c, int32_t *code_point)
{
    if (*c->at == '\\') {
        c->at++;
        return read_escape(c, code_point);
    }
    const unsigned char *at = (const unsigned char *)c->at;
    int length = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    int32_t value = length == 1 ? at[0] : at[0] & (0x7f >> length);
    for (int i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return fail(c, "it is not UTF-8");
        value = value << 6 | (at[i] & 0x3f);
    }
    c->at += length;
    *code_point = value;
    return true;
}

/* Sets */

static const struct {
    char letter;
    const char *ranges; /* pairs of first and last */
} classes[] = {
    {'d', "09"},
    {'w', "09AZ__az"},
    {'s', "\t\n\f\r  "},
};

static const char *class_ranges(char letter)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (classes[i].letter == letter)
            return classes[i].ranges;
    return NULL;
}

static bool append_class(struct compiler *c, const char *ranges)
{
    for (; *ranges != '\0'; ranges += 2)
        if (!append(c, REGEX_RANGE, ranges[0], ranges[1]))
            return false;
    return true;
}

/* \d and its like outside of brackets, \D and its like; `at` is behind it. */
static bool compile_class(struct compiler *c, char letter)
{
    const char *ranges = class_ranges((char)tolower((unsigned char)letter));
    return append(c, REGEX_SET, (int32_t)strlen(ranges) / 2,
                  isupper((unsigned char)letter) != 0) &&
           append_class(c, ranges);
}

/* Case, as RE2 folds it where one side is ASCII: two letters have a third
 * form, the Kelvin sign and the long s.  Other alphabets would need tables. */
enum { KELVIN_SIGN = 0x212a, LONG_S = 0x17f };

/* The part of a range that lies in `from` to `from` + 25, in the other case. */
static bool append_shifted(struct compiler *c, int32_t first, int32_t last,
                           int32_t from, int32_t shift)
{
    first = first > from ? first : from;
    last = last < from + 25 ? last : from + 25;
    return first > last || append(c, REGEX_RANGE, first + shift, last + shift);
}

static bool has_letter(int32_t first, int32_t last, char lower)
{
    int32_t upper = lower - 'a' + 'A';
    return (first <= lower && lower <= last) ||
           (first <= upper && upper <= last);
}

/* A range of a set, and under (?i) all that is the same to it. */
static bool append_range(struct compiler *c, int32_t first, int32_t last)
{
    if (!append(c, REGEX_RANGE, first, last))
        return false;
    if (!c->folds)
        return true;
    if (last >= 0x80)
        return fail(c, "(?i) is for ASCII here");
    return append_shifted(c, first, last, 'a', 'A' - 'a') &&
           append_shifted(c, first, last, 'A', 'a' - 'A') &&
           (!has_letter(first, last, 'k') ||
            append(c, REGEX_RANGE, KELVIN_SIGN, KELVIN_SIGN)) &&
           (!has_letter(first, last, 's') ||
            append(c, REGEX_RANGE, LONG_S, LONG_S));
}

static bool append_character(struct compiler *c, int32_t code_point)
{
    if (!c->folds || (code_point < 0x80 && !isalpha(code_point)))
        return append(c, REGEX_CHAR, code_point, 0);
    size_t start = c->count;
    if (!append(c, REGEX_SET, 0, 0) || !append_range(c, code_point, code_point))
        return false;
    c->ops[start].a = (int32_t)(c->count - start - 1);
    return true;
}

static bool compile_range(struct compiler *c)
{
    int32_t first, last;
    if (!read_character(c, &first))
        return false;
    last = first;
    if (c->at[0] == '-' && c->at[1] != ']') {
        c->at++;
        if (*c->at == '\0' || !read_character(c, &last))
            return fail(c, "a set is not closed");
    }
    if (last < first)
        return fail(c, "a range runs backwards");
    return append_range(c, first, last);
}

/* What follows "[". */
static bool compile_set(struct compiler *c)
{
    size_t start = c->count;
    bool negated = *c->at == '^';
    c->at += negated;
    if (!append(c, REGEX_SET, 0, negated))
        return false;
    do {
        if (*c->at == '\0')
            return fail(c, "a set is not closed");
        if (c->at[0] == '[' && c->at[1] == ':')
            return fail(c, "sets by name ([:alpha:]) are not known here");
        bool class = c->at[0] == '\\' && class_ranges(c->at[1]) != NULL;
        if (class) {
            if (!append_class(c, class_ranges(c->at[1])))
                return false;
            c->at += 2;
        } else if (!compile_range(c)) {
            return false;
        }
    } while (*c->at != ']');
    c->at++;
    c->ops[start].a = (int32_t)(c->count - start - 1);
    return true;
}

/* Parts */

static bool compile_choice(struct compiler *c);

static bool read_flag(struct compiler *c, bool on)
{
    switch (*c->at++) {
    case 'i':
        c->folds = on;
        return true;
    case 's':
        c->dot_is_all = on;
        return true;
    case 'U':
        return true; /* prefers short matches: the same answer */
    default:
        return fail(c, "it has a (?...) group other than (?:...), (?i), (?s) "
                       "and (?U)");
    }
}

/* What follows "(?", up to the ':' or ')'. */
static bool read_flags(struct compiler *c)
{
    bool on = true;
    while (*c->at != ':' && *c->at != ')') {
        if (on && *c->at == '-') {
            on = false;
            c->at++;
        } else if (!read_flag(c, on)) {
            return false;
        }
    }
    return true;
}

/* What follows "(".  Flags hold until the end of the group that they are in:
 * "(?i)" is for the group around it. */
static bool compile_group(struct compiler *c)
{
    struct compiler outer = *c;
    if (*c->at == '?') {
        c->at++;
        if (!read_flags(c))
            return false;
        if (*c->at++ == ')')
            return strchr("*+?{", *c->at) == NULL || *c->at == '\0' ||
                   fail(c, "there is nothing to repeat");
    }
    if (++c->nesting > REGEX_NESTING_MAX)
        return fail(c, "its groups nest too deep");
    if (!compile_choice(c))
        return false;
    if (*c->at != ')')
        return fail(c, "a group is not closed");
    c->at++;
    c->nesting--;
    c->folds = outer.folds;
    c->dot_is_all = outer.dot_is_all;
    return true;
}

static bool compile_atom(struct compiler *c)
{
    char letter = *c->at;
    if (strchr("*+?{", letter) != NULL)
        return fail(c, "there is nothing to repeat");
    if (letter == '\\' && isalpha((unsigned char)c->at[1]) &&
        class_ranges((char)tolower((unsigned char)c->at[1])) != NULL) {
        c->at += 2;
        return compile_class(c, c->at[-1]);
    }
    if (strchr(".^$([", letter) != NULL)
        c->at++;
    int32_t code_point;
    switch (letter) {
    case '.':
        return c->dot_is_all ? append(c, REGEX_SET, 0, true)
                             : append(c, REGEX_ANY, 0, 0);
    case '^':
        return append(c, REGEX_START, 0, 0);
    case '$':
        return append(c, REGEX_END, 0, 0);
    case '(':
        return compile_group(c);
    case '[':
        return compile_set(c);
    default:
        return read_character(c, &code_point) &&
               append_character(c, code_point);
    }
}

static bool read_count(struct compiler *c, int *count)
{
    if (!isdigit((unsigned char)*c->at))
        return fail(c, "{ needs a number behind it");
    *count = 0;
    while (isdigit((unsigned char)*c->at) && *count <= REPEAT_MAX)
        *count = *count * 10 + (*c->at++ - '0');
    return *count <= REPEAT_MAX || fail(c, "a count is above 1000");
}

/* What follows "{". */
static bool read_counts(struct compiler *c, int *least, int *most)
{
    if (!read_count(c, least))
        return false;
    *most = *least;
    if (*c->at == ',') {
        c->at++;
        *most = UNBOUNDED;
        if (*c->at != '}' && !read_count(c, most))
            return false;
    }
    if (*c->at != '}' || (*most != UNBOUNDED && *most < *least))
        return fail(c, "a count is not {n}, {n,} or {n,m}");
    c->at++;
    return true;
}

static bool append_optional(struct compiler *c, const struct regex_op *part,
                            size_t length)
{
    return append(c, REGEX_SPLIT, 1, (int32_t)length + 1) &&
           append_copy(c, part, length);
}

static bool append_star(struct compiler *c, const struct regex_op *part,
                        size_t length)
{
    return append(c, REGEX_SPLIT, 1, (int32_t)length + 2) &&
           append_copy(c, part, length) &&
           append(c, REGEX_JUMP, -(int32_t)length - 1, 0);
}

/* Replaces the part from `start` on by its copies. */
static bool repeat(struct compiler *c, size_t start, int least, int most)
{
    size_t length = c->count - start;
    const struct regex_op *part =
        arena_memdup(c->arena, &c->ops[start], length * sizeof *part);
    c->count = start;
    for (int i = 0; i < least; i++)
        if (!append_copy(c, part, length))
            return false;
    if (most == UNBOUNDED)
        return append_star(c, part, length);
    for (int i = least; i < most; i++)
        if (!append_optional(c, part, length))
            return false;
    return true;
}

static bool compile_repeated(struct compiler *c)
{
    size_t start = c->count;
    if (!compile_atom(c))
        return false;
    char letter = *c->at;
    if (letter == '\0' || strchr("*+?{", letter) == NULL)
        return true;
    c->at++;
    int least = letter == '+', most = letter == '?' ? 1 : UNBOUNDED;
    if (letter == '{' && !read_counts(c, &least, &most))
        return false;
    if (*c->at == '?')
        c->at++; /* as few as possible: the same answer */
    if (*c->at == '+' || *c->at == '*' || *c->at == '{')
        return fail(c, "a repetition is repeated");
    return repeat(c, start, least, most);
}

static bool compile_sequence(struct compiler *c)
{
    while (*c->at != '\0' && *c->at != '|' && *c->at != ')')
        if (!compile_repeated(c))
            return false;
    return true;
}

/* As deep as groups nest; each way of a choice is a loop's turn. */
static bool compile_choice(struct compiler *c)
{
    size_t start = c->count;
    if (!compile_sequence(c))
        return false;
    while (*c->at == '|') {
        c->at++;
        int32_t length = (int32_t)(c->count - start);
        if (!insert(c, start, (struct regex_op){REGEX_SPLIT, 1, length + 2}) ||
            !append(c, REGEX_JUMP, 0, 0))
            return false;
        size_t jump = c->count - 1;
        if (!compile_sequence(c))
            return false;
        c->ops[jump].a = (int32_t)(c->count - jump);
    }
    return true;
}

const struct regex *regex_compile(struct arena *arena, const char *pattern,
                                  const char **problem)
{
    struct compiler c = {.arena = arena, .at = pattern};
    c.ops = arena_array(arena, REGEX_OPS_MAX, sizeof *c.ops);
    bool done = compile_choice(&c) &&
                (*c.at == '\0' || fail(&c, "a group is closed twice")) &&
                append(&c, REGEX_MATCH, 0, 0);
    *problem = c.problem;
    if (!done)
        return NULL;
    struct regex *regex = ARENA_NEW(arena, struct regex);
    regex->ops = c.ops;
    regex->count = c.count;
    return regex;
}
