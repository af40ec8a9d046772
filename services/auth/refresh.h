#ifndef PRBAL_SERVICES_AUTH_REFRESH_H
#define PRBAL_SERVICES_AUTH_REFRESH_H

#include "rpc/arena.h"

#include <stdbool.h>
#include <stdint.h>

/* Refresh tokens.
 *
 *   1 | session id (16) | secret (32) | tag (16)        base64url, 87
 * characters
 *
 *   first secret  random
 *   next secret   HMAC(server key, session id | secret)
 *   tag           HMAC(another server key, all before it), cut
 *
 * The database keeps only SHA-256 of whole tokens.  Because the next token
 * follows from this one and a key that the database does not hold, a twin of a
 * request can be given the same successor again without its being stored; and
 * because of the tag nobody can end a session by presenting a made-up token. */
enum {
    REFRESH_BYTES = 65,
    REFRESH_HASH_BYTES = 32,
    REFRESH_GRACE_S = 10, /* for how long a twin is forgiven */
};

struct refresh_token {
    uint8_t bytes[REFRESH_BYTES];
};

/* keys_load() must have succeeded for all of these.  `session_id` is a uuid. */
void refresh_create(const char *session_id, struct refresh_token *token);

/* False for anything that this server did not make. */
bool refresh_read(const char *text, struct refresh_token *token);

void refresh_next(const struct refresh_token *token,
                  struct refresh_token *next);
void refresh_hash(const struct refresh_token *token,
                  uint8_t hash[REFRESH_HASH_BYTES]);
char *refresh_text(struct arena *arena, const struct refresh_token *token);
char *refresh_session_id(struct arena *arena,
                         const struct refresh_token *token);

#endif
