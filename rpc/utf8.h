#ifndef PRBAL_RPC_UTF8_H
#define PRBAL_RPC_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True for well-formed UTF-8 (Unicode 15, table 3-7: no overlong forms, no
 * surrogates, nothing above U+10FFFF) without NUL. */
bool utf8_is_text(const void *bytes, size_t size);

/* Code points in well-formed UTF-8. */
size_t utf8_length(const char *text, size_t size);

/* The size of the longest beginning of `text` that has at most `bytes_max`
 * bytes and ends between characters. */
size_t utf8_cut(const char *text, size_t bytes_max);

#endif
