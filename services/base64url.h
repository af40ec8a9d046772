#ifndef PRBAL_SERVICES_BASE64URL_H
#define PRBAL_SERVICES_BASE64URL_H

#include "rpc/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* RFC 4648 section 5 without padding. */

/* Characters that `size` bytes become. */
size_t base64url_length(size_t size);

/* The encoded text, in `arena`. */
char *base64url_encode(struct arena *arena, const void *bytes, size_t size);

/* Decodes exactly `length` characters into `bytes`, which has room for
 * length * 3 / 4, and reports the size.  False for anything that
 * base64url_encode() would not have written: padding, white space, a foreign
 * character, bits that are left over.  One value thus has one text. */
bool base64url_decode(const char *text, size_t length, uint8_t *bytes,
                      size_t *size);

#endif
