/* Matching: Thompson's simulation of a nondeterministic automaton, as ops of a
 * small machine with one thread for each way. */
#include "rpc/regex.h"

#include <string.h>

/* The threads that are at one place of the text: which ops they wait at, each
 * once.  `member` is true for ops that were reached, also in passing. */
struct threads {
    uint16_t ops[REGEX_OPS_MAX];
    size_t count;
    bool member[REGEX_OPS_MAX];
};

struct machine {
    const struct regex *regex;
    uint16_t stack[REGEX_OPS_MAX]; /* ops still to follow; each is pushed once
                                      a place */
    struct threads threads[2];     /* at this place of the text, and the next */
    bool at_start;
    bool at_end;
    bool matched;
};

/* One code point of well-formed UTF-8. */
static size_t read_code_point(const char *text, int32_t *code_point)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x80) {
        *code_point = at[0];
        return 1;
    }
    size_t length = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    int32_t value = at[0] & (0x7f >> length);
    for (size_t i = 1; i < length; i++)
        value = value << 6 | (at[i] & 0x3f);
    *code_point = value;
    return length;
}

static size_t push(struct machine *m, struct threads *threads, size_t depth,
                   size_t op)
{
    if (threads->member[op])
        return depth;
    threads->member[op] = true;
    m->stack[depth] = (uint16_t)op;
    return depth + 1;
}

/* Adds the thread at `op` and all that it leads to without a character. */
static void follow(struct machine *m, struct threads *threads, size_t first)
{
    size_t depth = push(m, threads, 0, first);
    while (depth > 0) {
        size_t at = m->stack[--depth];
        const struct regex_op *op = &m->regex->ops[at];
        switch (op->kind) {
        case REGEX_SPLIT:
            depth = push(m, threads, depth, (size_t)((long)at + op->b));
            depth = push(m, threads, depth, (size_t)((long)at + op->a));
            break;
        case REGEX_JUMP:
            depth = push(m, threads, depth, (size_t)((long)at + op->a));
            break;
        case REGEX_START:
            if (m->at_start)
                depth = push(m, threads, depth, at + 1);
            break;
        case REGEX_END:
            if (m->at_end)
                depth = push(m, threads, depth, at + 1);
            break;
        case REGEX_MATCH:
            m->matched = true;
            break;
        default:
            threads->ops[threads->count++] = (uint16_t)at;
        }
    }
}

static bool is_in_set(const struct regex_op *op, int32_t code_point)
{
    bool found = false;
    for (int32_t i = 1; i <= op->a && !found; i++)
        found = code_point >= op[i].a && code_point <= op[i].b;
    return found != (op->b != 0);
}

/* Whether the op takes this code point; *next is then where it goes on. */
static bool takes(const struct regex_op *op, int32_t code_point, size_t *next)
{
    if (op->kind == REGEX_SET) {
        *next += (size_t)op->a;
        return is_in_set(op, code_point);
    }
    if (op->kind == REGEX_ANY)
        return code_point != '\n';
    return op->a == code_point;
}

static void clear(struct threads *threads, size_t op_count)
{
    threads->count = 0;
    memset(threads->member, 0, op_count);
}

bool regex_matches(const struct regex *regex, const char *text, size_t size)
{
    /* Some 16 KiB, too much for a coroutine's stack; nothing suspends in here.
     * From the call's arena it would add up: a list has an item a byte. */
    static _Thread_local struct machine m;
    struct threads *now = &m.threads[0], *next = &m.threads[1];
    bool anchored = regex->ops[0].kind == REGEX_START;

    m.regex = regex;
    m.matched = false;
    m.at_start = true;
    m.at_end = size == 0;
    clear(now, regex->count);
    follow(&m, now, 0);
    for (size_t at = 0; at < size && !m.matched;) {
        int32_t code_point;
        at += read_code_point(text + at, &code_point);
        m.at_start = false;
        m.at_end = at >= size;
        clear(next, regex->count);
        for (size_t i = 0; i < now->count; i++) {
            size_t go_on = (size_t)now->ops[i] + 1;
            if (takes(&regex->ops[now->ops[i]], code_point, &go_on))
                follow(&m, next, go_on);
        }
        if (!anchored)
            follow(&m, next, 0); /* a match may start here, too */
        else if (next->count == 0)
            break;
        struct threads *done = now;
        now = next;
        next = done;
    }
    return m.matched;
}
