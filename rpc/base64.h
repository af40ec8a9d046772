#ifndef PRBAL_RPC_BASE64_H
#define PRBAL_RPC_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Base64 (RFC 4648), written in the standard alphabet without padding.  `text`
 * has room for BASE64_SIZE(size) and gets no NUL; `bytes` may be the end of
 * that room or lie behind its end. */
#define BASE64_SIZE(size) (((size)*4 + 2) / 3)
void base64_encode(char *text, const void *bytes, size_t size);

/* Which signs are read for 62 and 63: "+/", or "-_" as well (section 5). */
enum base64_alphabet { BASE64_STANDARD, BASE64_EITHER };

/* Read with padding or without.  `bytes` has room for size * 3 / 4, and may be
 * `text` itself.  Fails on any other character.  Bits left over at the end must
 * be zero in the standard alphabet; where both are read, they are dropped. */
bool base64_decode(void *bytes, size_t *count, const char *text, size_t size,
                   enum base64_alphabet read);

#endif
