#ifndef PRBAL_RPC_BASE64_H
#define PRBAL_RPC_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Base64 (RFC 4648), written without padding in the standard alphabet or in
 * that of section 5, for URLs.  `text` has room for BASE64_SIZE(size) and gets
 * no NUL; `bytes` may be the end of that room or lie behind its end. */
#define BASE64_SIZE(size) (((size)*4 + 2) / 3)
void base64_encode(char *text, const void *bytes, size_t size);
void base64_encode_url(char *text, const void *bytes, size_t size);

/* What is read:                   62, 63       padding    bits left over
 *   BASE64_STANDARD               "+/"         optional   must be zero
 *   BASE64_URL                    "-_"         none       must be zero
 *   BASE64_EITHER                 all four     optional   are dropped
 * As URL, one value thus has one text. */
enum base64_alphabet { BASE64_STANDARD, BASE64_URL, BASE64_EITHER };

/* `bytes` has room for size * 3 / 4, and may be `text` itself.  Fails on any
 * other character. */
bool base64_decode(void *bytes, size_t *count, const char *text, size_t size,
                   enum base64_alphabet read);

#endif
