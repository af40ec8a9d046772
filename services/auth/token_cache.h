#ifndef PRBAL_SERVICES_AUTH_TOKEN_CACHE_H
#define PRBAL_SERVICES_AUTH_TOKEN_CACHE_H

#include "rpc/call.h"

#include <stdint.h>

/* Tokens whose signature was good, by the SHA-256 of their whole text: half a
 * microsecond instead of half a millisecond.  An entry ends with its token.
 * Bounded: a new one takes the place of the one in its set that ends first.
 * One for each loop; suspends nowhere. */
enum { TOKEN_CACHE_ENTRIES = 4096, TOKEN_CACHE_KEY_BYTES = 32 };
struct token_cache;

struct token_cache *token_cache_create(void);
void token_cache_destroy(struct token_cache *cache); /* accepts NULL */

void token_cache_key(struct token_cache *cache, const char *token,
                     uint8_t key[TOKEN_CACHE_KEY_BYTES]);

/* Fills *caller with texts in `arena`. */
bool token_cache_find(const struct token_cache *cache, const uint8_t *key,
                      int64_t now_us, struct arena *arena,
                      struct rpc_caller *caller);
void token_cache_put(struct token_cache *cache, const uint8_t *key,
                     const struct rpc_caller *caller);

/* Forgets the tokens of a user, or of one of his sessions. */
void token_cache_drop(struct token_cache *cache, const char *user_id,
                      const char *session_id);

#endif
