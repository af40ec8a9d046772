#ifndef PRBAL_RPC_BASE64_STREAM_H
#define PRBAL_RPC_BASE64_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The body of gRPC-Web-text: base64 that arrives in pieces and may be padded
 * anywhere, because each of its parts was encoded alone. */

/* Zeroed at the beginning. */
struct base64_reader {
    char group[4]; /* what has come of the four digits that belong together */
    uint8_t size;
};

/* Writes what the text says to out, which has room for BASE64_READ_MAX(size).
 * False for anything that is no base64, bits left over before padding included.
 */
#define BASE64_READ_MAX(size) (((size) + 3) / 4 * 3)
bool base64_read(struct base64_reader *reader, const uint8_t *text, size_t size,
                 uint8_t *out, size_t *out_size);

/* Encodes `size` bytes in place, padded, in room for BASE64_PADDED_SIZE(size);
 * returns that. */
#define BASE64_PADDED_SIZE(size) (((size) + 2) / 3 * 4)
size_t base64_expand(uint8_t *bytes, size_t size);

#endif
