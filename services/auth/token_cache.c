#include "services/auth/token_cache.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4, SETS = TOKEN_CACHE_ENTRIES / WAYS, ID_BYTES = 37 };

struct entry {
    uint8_t key[TOKEN_CACHE_KEY_BYTES];
    int64_t expires_us; /* 0: free */
    uint32_t roles;
    char user_id[ID_BYTES];
    char session_id[ID_BYTES];
};

struct token_cache {
    EVP_MD *sha256; /* fetched once: finding it costs more than the hash */
    EVP_MD_CTX *hash;
    struct entry entries[SETS][WAYS];
};

struct token_cache *token_cache_create(void)
{
    struct token_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        abort();
    cache->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    cache->hash = EVP_MD_CTX_new();
    if (cache->sha256 == NULL || cache->hash == NULL)
        abort();
    return cache;
}

void token_cache_destroy(struct token_cache *cache)
{
    if (cache == NULL)
        return;
    EVP_MD_CTX_free(cache->hash);
    EVP_MD_free(cache->sha256);
    free(cache);
}

void token_cache_key(struct token_cache *cache, const char *token,
                     uint8_t key[TOKEN_CACHE_KEY_BYTES])
{
    if (EVP_DigestInit_ex2(cache->hash, cache->sha256, NULL) != 1 ||
        EVP_DigestUpdate(cache->hash, token, strlen(token)) != 1 ||
        EVP_DigestFinal_ex(cache->hash, key, NULL) != 1)
        abort();
}

static size_t set_of(const uint8_t *key)
{
    uint32_t number;
    memcpy(&number, key, sizeof number);
    return number % SETS;
}

bool token_cache_find(const struct token_cache *cache, const uint8_t *key,
                      int64_t now_us, struct arena *arena,
                      struct rpc_caller *caller)
{
    const struct entry *set = cache->entries[set_of(key)];
    for (int i = 0; i < WAYS; i++) {
        const struct entry *entry = &set[i];
        if (entry->expires_us <= now_us ||
            memcmp(entry->key, key, TOKEN_CACHE_KEY_BYTES) != 0)
            continue;
        *caller = (struct rpc_caller){
            .id = arena_strdup(arena, entry->user_id),
            .session_id = arena_strdup(arena, entry->session_id),
            .roles = entry->roles,
            .expires_us = entry->expires_us,
        };
        return true;
    }
    return false;
}

void token_cache_put(struct token_cache *cache, const uint8_t *key,
                     const struct rpc_caller *caller)
{
    struct entry *set = cache->entries[set_of(key)];
    struct entry *entry = &set[0];
    for (int i = 1; i < WAYS; i++)
        if (set[i].expires_us < entry->expires_us)
            entry = &set[i];
    memcpy(entry->key, key, TOKEN_CACHE_KEY_BYTES);
    entry->expires_us = caller->expires_us;
    entry->roles = caller->roles;
    snprintf(entry->user_id, ID_BYTES, "%s", caller->id);
    snprintf(entry->session_id, ID_BYTES, "%s", caller->session_id);
}

void token_cache_drop(struct token_cache *cache, const char *user_id,
                      const char *session_id)
{
    for (int i = 0; i < TOKEN_CACHE_ENTRIES; i++) {
        struct entry *entry = &cache->entries[i / WAYS][i % WAYS];
        if (strcmp(entry->user_id, user_id) == 0 &&
            (session_id == NULL || strcmp(entry->session_id, session_id) == 0))
            entry->expires_us = 0;
    }
}
