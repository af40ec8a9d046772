#ifndef PRBAL_SERVICES_KEYS_H
#define PRBAL_SERVICES_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The secrets of one installation, in a folder that only its user may read:
 *
 *   token.pem    P-256 private key that signs access tokens
 *   token-*.pem  earlier or coming ones, private or public: they only verify
 *   secret       32 random bytes; everything else is derived from them
 *
 * All processes of one installation use the same folder's content.  What is
 * missing is made, once, also when several processes start together.  To
 * change the key: put the new one in as token-new.pem everywhere, then rename
 * token.pem to token-old.pem and token-new.pem to token.pem, and remove the old
 * one when the longest access token has expired. */
enum { KEYS_TOKEN_MAX = 8, KEYS_SECRET_BYTES = 32 };

struct keys_token {
    char kid[44];            /* RFC 7638 thumbprint */
    const char *private_pem; /* NULL when it only verifies */
    const char *public_pem;
    uint8_t x[32], y[32];
};

/* Reads the folder, and makes it and what it lacks.  False with a sentence in
 * error[error_size].  Main thread, before the loops run; blocks.  Called again,
 * it replaces what the first call read: for tests. */
bool keys_load(const char *folder, char *error, size_t error_size);
void keys_forget(void);

/* The first one signs.  Valid until keys_forget(). */
size_t keys_token_count(void);
const struct keys_token *keys_token(size_t index);

/* A key for one purpose ("otp", "refresh", "page"): HKDF of the secret, so
 * that no two purposes share one.  keys_load() must have succeeded. */
void keys_derive(const char *purpose, uint8_t key[KEYS_SECRET_BYTES]);

#endif
