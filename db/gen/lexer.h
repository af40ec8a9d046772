#ifndef PRBAL_DB_GEN_LEXER_H
#define PRBAL_DB_GEN_LEXER_H

#include <stdbool.h>
#include <stddef.h>

/* SQL in pieces, as far as it must be understood to find where a statement
 * ends: what is quoted or a comment, and what is a word. */

typedef enum {
    TOKEN_END,
    TOKEN_SPACE,   /* white space, or a comment */
    TOKEN_WORD,    /* identifier or keyword */
    TOKEN_PARAM,   /* $1 */
    TOKEN_QUOTED,  /* 'text', "name", $tag$ text $tag$ */
    TOKEN_OTHER,   /* one character */
    TOKEN_UNENDED, /* a quote or comment that does not end */
} token_type;

struct token {
    token_type type;
    const char *start;
    size_t size;
    bool comment;
};

/* The token that begins at `p`, in a text that ends with NUL. */
struct token lex(const char *p);

/* Whatever its case. */
bool token_is(struct token token, const char *text);
/* `texts` ends with NULL. */
bool token_is_one_of(struct token token, const char *const *texts);

int lines_in(const char *start, size_t size);

#endif
