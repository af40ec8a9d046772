#ifndef PRBAL_RPC_METADATA_H
#define PRBAL_RPC_METADATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The texts of gRPC's headers and trailers.  Pure functions. */

/* Whether a name may be used by applications: lower case letters, digits and
 * "_.-", not one that HTTP/2 or gRPC keeps for itself. */
bool metadata_name_is_free(const char *name, size_t size);

/* Whether the value of this name travels in base64. */
bool metadata_name_is_binary(const char *name, size_t size);

/* Printable ASCII, as a text value must be. */
bool metadata_text_is_valid(const void *text, size_t size);

/* Base64 as gRPC has it: written without padding, read with or without.
 * `text` of metadata_encode_base64() has room for METADATA_BASE64_SIZE(size)
 * and gets no NUL; `bytes` of metadata_decode_base64() has room for `size` * 3
 * / 4, and may be `text` itself.  Decoding fails on any other character, and on
 * bits left over. */
#define METADATA_BASE64_SIZE(size) (((size)*4 + 2) / 3)
void metadata_encode_base64(char *text, const void *bytes, size_t size);
bool metadata_decode_base64(void *bytes, size_t *count, const char *text,
                            size_t size);

/* "100m" -> 100,000.  One to eight digits and a unit (HMSmun); parts of a
 * microsecond round up.  False for anything else. */
bool metadata_parse_timeout(const char *text, size_t size, int64_t *timeout_us);

/* The other way, in as fine a unit as eight digits take, rounded up. */
enum { METADATA_TIMEOUT_BYTES = 12 };
size_t metadata_encode_timeout(char text[METADATA_TIMEOUT_BYTES],
                               int64_t timeout_us);

/* grpc-message: everything but printable ASCII, and '%', becomes %XX.  At most
 * METADATA_MESSAGE_MAX bytes of `message` are used, cut between characters.
 * Returns the size; `text` has room for METADATA_MESSAGE_ENCODED_MAX. */
enum {
    METADATA_MESSAGE_MAX = 1024,
    METADATA_MESSAGE_ENCODED_MAX = 3 * METADATA_MESSAGE_MAX,
};
size_t metadata_encode_message(char *text, const char *message);

/* The other way, in place, for a text that ends with a NUL.  What is no %XX
 * stays as it is; an encoded NUL becomes '?'. */
void metadata_decode_message(char *text);

#endif
