#include "db/gen/lexer.h"

#include <ctype.h>
#include <string.h>

enum { TAG_MAX_BYTES = 64 }; /* of $tag$, with its end */

static bool is_word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static struct token token_until(const char *start, const char *from,
                                const char *mark, token_type type)
{
    const char *end = strstr(from, mark);
    if (end == NULL)
        return (struct token){TOKEN_UNENDED, start, strlen(start), false};
    return (struct token){type, start, (size_t)(end - start) + strlen(mark),
                          false};
}

static struct token lex_dollar(const char *p)
{
    const char *q = p + 1;
    if (isdigit((unsigned char)*q)) {
        while (isdigit((unsigned char)*q))
            q++;
        return (struct token){TOKEN_PARAM, p, (size_t)(q - p), false};
    }
    while (is_word_char(*q))
        q++;
    char mark[TAG_MAX_BYTES];
    size_t size = (size_t)(q - p) + 1;
    if (*q != '$' || size >= sizeof mark)
        return (struct token){TOKEN_OTHER, p, 1, false};
    memcpy(mark, p, size);
    mark[size] = '\0';
    return token_until(p, q + 1, mark, TOKEN_QUOTED);
}

static struct token lex_space(const char *p)
{
    const char *q = p;
    while (isspace((unsigned char)*q))
        q++;
    return (struct token){TOKEN_SPACE, p, (size_t)(q - p), false};
}

/* A doubled quote inside a quoted text makes two tokens in a row: harmless. */
struct token lex(const char *p)
{
    if (*p == '\0')
        return (struct token){TOKEN_END, p, 0, false};
    if (isspace((unsigned char)*p))
        return lex_space(p);
    if (strncmp(p, "--", 2) == 0)
        return (struct token){TOKEN_SPACE, p, strcspn(p, "\n"), true};
    if (strncmp(p, "/*", 2) == 0) {
        struct token t = token_until(p, p + 2, "*/", TOKEN_SPACE);
        t.comment = true;
        return t;
    }
    if (*p == '\'' || *p == '"')
        return token_until(p, p + 1, *p == '"' ? "\"" : "'", TOKEN_QUOTED);
    if (*p == '$')
        return lex_dollar(p);
    if (!is_word_char(*p))
        return (struct token){TOKEN_OTHER, p, 1, false};
    const char *q = p;
    while (is_word_char(*q))
        q++;
    return (struct token){TOKEN_WORD, p, (size_t)(q - p), false};
}

bool token_is(struct token t, const char *text)
{
    return t.size == strlen(text) && strncasecmp(t.start, text, t.size) == 0;
}

bool token_is_one_of(struct token t, const char *const *texts)
{
    for (; *texts != NULL; texts++)
        if (token_is(t, *texts))
            return true;
    return false;
}

int lines_in(const char *start, size_t size)
{
    int lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += start[i] == '\n';
    return lines;
}
