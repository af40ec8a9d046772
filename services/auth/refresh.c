#include "services/auth/refresh.h"

#include "services/base64url.h"
#include "services/keys.h"
#include "services/uuid.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

enum {
    VERSION = 1,
    ID_AT = 1,
    SECRET_AT = 17,
    TAG_AT = 49,
    SECRET_BYTES = 32,
    TAG_BYTES = REFRESH_BYTES - TAG_AT,
    TEXT_CHARS = 87,
};

static void mac(const char *purpose, const uint8_t *bytes, size_t size,
                uint8_t result[32])
{
    uint8_t key[KEYS_SECRET_BYTES];
    keys_derive(purpose, key);
    if (HMAC(EVP_sha256(), key, sizeof key, bytes, size, result, NULL) == NULL)
        abort();
    OPENSSL_cleanse(key, sizeof key);
}

static void make_tag(const struct refresh_token *token, uint8_t tag[32])
{
    mac("refresh tag", token->bytes, TAG_AT, tag);
}

static void set_tag(struct refresh_token *token)
{
    uint8_t tag[32];
    make_tag(token, tag);
    memcpy(token->bytes + TAG_AT, tag, TAG_BYTES);
}

void refresh_create(const char *session_id, struct refresh_token *token)
{
    token->bytes[0] = VERSION;
    bool is_uuid = uuid_parse(session_id, token->bytes + ID_AT);
    assert(is_uuid);
    if (RAND_bytes(token->bytes + SECRET_AT, SECRET_BYTES) != 1)
        abort();
    set_tag(token);
}

bool refresh_read(const char *text, struct refresh_token *token)
{
    uint8_t tag[32];
    uint8_t bytes[TEXT_CHARS];
    size_t size;
    if (strnlen(text, TEXT_CHARS + 1) != TEXT_CHARS ||
        !base64url_decode(text, TEXT_CHARS, bytes, &size) ||
        size != REFRESH_BYTES || bytes[0] != VERSION)
        return false;
    memcpy(token->bytes, bytes, REFRESH_BYTES);
    make_tag(token, tag);
    return CRYPTO_memcmp(tag, token->bytes + TAG_AT, TAG_BYTES) == 0;
}

void refresh_next(const struct refresh_token *token, struct refresh_token *next)
{
    uint8_t secret[32];
    mac("refresh next", token->bytes + ID_AT, TAG_AT - ID_AT, secret);
    *next = *token;
    memcpy(next->bytes + SECRET_AT, secret, SECRET_BYTES);
    set_tag(next);
}

void refresh_hash(const struct refresh_token *token,
                  uint8_t hash[REFRESH_HASH_BYTES])
{
    SHA256(token->bytes, REFRESH_BYTES, hash);
}

char *refresh_text(struct arena *arena, const struct refresh_token *token)
{
    return base64url_encode(arena, token->bytes, REFRESH_BYTES);
}

char *refresh_session_id(struct arena *arena, const struct refresh_token *token)
{
    return uuid_text(arena, token->bytes + ID_AT);
}
