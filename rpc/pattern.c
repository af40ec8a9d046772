/* Regular expressions in linear time: PCRE2's matcher without backtracking, on
 * the subset of its syntax that RE2 has too.
 *
 * pcre2_dfa_match() follows all ways through a pattern at once but starts anew
 * at each character of the text; with `.*` in front of the pattern one start
 * serves all, so the time is the text's length times the pattern's. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "rpc/rules.h"

#include <assert.h>
#include <pcre2.h>
#include <stdatomic.h>
#include <string.h>

/* RE2's meaning of `$`: the end, not before a last newline. */
enum { OPTIONS = PCRE2_UTF | PCRE2_ANCHORED | PCRE2_DOLLAR_ENDONLY };
enum { PATTERN_BYTES_MAX = 512 };
/* States in flight: enough for nearly every pattern, and for every one. */
enum { WORKSPACE = 300, WORKSPACE_LARGE = 100000 };

static void *take(PCRE2_SIZE size, void *arena)
{
    return arena_alloc(arena, size);
}

static void give(void *memory, void *arena)
{
    (void)memory;
    (void)arena;
}

static pcre2_code *compile(const char *text, int *error)
{
    char whole[PATTERN_BYTES_MAX + 16];
    PCRE2_SIZE offset;
    size_t length = strlen(text);
    if (length > PATTERN_BYTES_MAX) {
        *error = PCRE2_ERROR_BADDATA;
        return NULL;
    }
    memcpy(whole, "(?s:.*)(?:", 10);
    memcpy(whole + 10, text, length);
    memcpy(whole + 10 + length, ")", 2);
    return pcre2_compile((PCRE2_SPTR)whole, PCRE2_ZERO_TERMINATED, OPTIONS,
                         error, &offset, NULL);
}

/* Two threads may compile at once; the second one throws its own away. */
static pcre2_code *code_of(struct rule_pattern *pattern)
{
    void *code = atomic_load_explicit(&pattern->code, memory_order_acquire);
    if (code != NULL)
        return code;
    int error;
    void *fresh = compile(pattern->text, &error);
    assert(fresh != NULL); /* the generator has tried it */
    if (atomic_compare_exchange_strong(&pattern->code, &code, fresh))
        return fresh;
    pcre2_code_free(fresh);
    return code;
}

static int match(pcre2_code *code, pcre2_match_data *data, const char *text,
                 size_t size, int *workspace, size_t room)
{
    return pcre2_dfa_match(code, (PCRE2_SPTR)text, size, 0,
                           PCRE2_NO_UTF_CHECK | PCRE2_DFA_SHORTEST, data, NULL,
                           workspace, room);
}

static int match_in(struct arena *arena, pcre2_code *code, const char *text,
                    size_t size)
{
    int workspace[WORKSPACE];
    pcre2_general_context *context =
        pcre2_general_context_create(take, give, arena);
    pcre2_match_data *data = pcre2_match_data_create(1, context);
    int found = match(code, data, text, size, workspace, WORKSPACE);
    if (found != PCRE2_ERROR_DFA_WSSIZE)
        return found;
    int *larger = arena_array(arena, WORKSPACE_LARGE, sizeof *larger);
    return match(code, data, text, size, larger, WORKSPACE_LARGE);
}

bool pattern_matches(struct arena *arena, struct rule_pattern *pattern,
                     const char *text, size_t size)
{
    return match_in(arena, code_of(pattern), text, size) >= 0;
}

/* RE2 has neither back references nor look-around, and PCRE2's other groups
 * and verbs mean nothing to the SDKs that check the same rules. */
static const char *foreign_syntax(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\\' && c[1] != '\0') {
            c++;
            if (strchr("123456789gkKGRXCZQE", *c) != NULL)
                return "it has an escape that is not in RE2";
        } else if (*c == '(' && c[1] == '*') {
            return "it has a verb";
        } else if (*c == '(' && c[1] == '?' && c[2] != ':') {
            return "it has a (?...) group other than (?:...)";
        } else if (strchr("*+?}", *c) != NULL && c[1] == '+') {
            return "it has a possessive quantifier";
        }
    }
    return NULL;
}

const char *pattern_problem(struct arena *arena, const char *text)
{
    if (strlen(text) > PATTERN_BYTES_MAX)
        return "it is longer than 512 bytes";
    const char *foreign = foreign_syntax(text);
    if (foreign != NULL)
        return foreign;
    int error;
    pcre2_code *code = compile(text, &error);
    if (code == NULL) {
        char sentence[120];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)sentence,
                                sizeof sentence);
        return arena_strdup(arena, sentence);
    }
    int found = match_in(arena, code, "", 0);
    pcre2_code_free(code);
    if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
        return NULL;
    return "it cannot be matched in linear time";
}
