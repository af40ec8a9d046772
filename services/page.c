#include "services/page.h"

#include "rpc/codec.h"
#include "rpc/read_mask.h"
#include "services/base64url.h"
#include "services/keys.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A token, before base64url:
 *
 *     version (1) | MAC (16) | length (1), key ... for each key
 *
 * The MAC covers the version, the binding and the keys.  It is HMAC-SHA256 cut
 * to 128 bits (RFC 2104 section 5 allows half). */
enum {
    VERSION = 1,
    MAC_BYTES = 16,
    KEYS_OFFSET = 1 + MAC_BYTES,
    TOKEN_BYTES_MAX = KEYS_OFFSET + PAGE_KEYS_MAX * (1 + PAGE_KEY_BYTES_MAX),
};

static uint8_t mac_key[KEYS_SECRET_BYTES];
static bool mac_key_is_set;
static pthread_once_t mac_key_once = PTHREAD_ONCE_INIT;

static void derive_mac_key(void)
{
    if (!mac_key_is_set)
        keys_derive("page", mac_key);
}

void page_use_key(const uint8_t key[32])
{
    memcpy(mac_key, key, sizeof mac_key);
    mac_key_is_set = true;
}

static void hash_text(EVP_MD_CTX *hash, const char *text)
{
    /* The NUL parts it from what follows. */
    EVP_DigestUpdate(hash, text, strlen(text) + 1);
}

/* The request without page_size, page_token and read_mask, encoded: so no list
 * says which of its fields are filters, and none can be forgotten. */
static const uint8_t *pack_filters(struct rpc_call *call,
                                   const ProtobufCMessage *request,
                                   const ProtobufCFieldDescriptor *size,
                                   const ProtobufCFieldDescriptor *token,
                                   size_t *bytes)
{
    ProtobufCMessage *copy =
        arena_memdup(call->arena, request, request->descriptor->sizeof_message);
    *(int32_t *)((char *)copy + size->offset) = 0;
    *(const char **)((char *)copy + token->offset) = "";
    const ProtobufCFieldDescriptor *mask = read_mask_field(request->descriptor);
    if (mask != NULL)
        *(ProtobufCMessage **)((char *)copy + mask->offset) = NULL;
    return codec_pack(call->arena, copy, bytes);
}

static void bind_page(struct rpc_call *call, const ProtobufCMessage *request,
                      const ProtobufCFieldDescriptor *size,
                      const ProtobufCFieldDescriptor *token, struct page *page)
{
    size_t bytes;
    const uint8_t *filters = pack_filters(call, request, size, token, &bytes);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    assert(hash != NULL);
    EVP_DigestInit_ex(hash, EVP_sha256(), NULL);
    hash_text(hash, call->method != NULL ? call->method->path : "");
    hash_text(hash, call->caller.id != NULL ? call->caller.id : "");
    EVP_DigestUpdate(hash, filters, bytes);
    EVP_DigestFinal_ex(hash, page->binding, NULL);
    EVP_MD_CTX_free(hash);
}

/* Writes the MAC of token[size] into `mac`. */
static void compute_mac(const struct page *page, const uint8_t *token,
                        size_t size, uint8_t mac[MAC_BYTES])
{
    pthread_once(&mac_key_once, derive_mac_key);
    uint8_t covered[1 + sizeof page->binding + TOKEN_BYTES_MAX];
    size_t keys_bytes = size - KEYS_OFFSET;
    covered[0] = token[0];
    memcpy(covered + 1, page->binding, sizeof page->binding);
    memcpy(covered + 1 + sizeof page->binding, token + KEYS_OFFSET, keys_bytes);

    uint8_t whole[EVP_MAX_MD_SIZE];
    HMAC(EVP_sha256(), mac_key, sizeof mac_key, covered,
         1 + sizeof page->binding + keys_bytes, whole, NULL);
    memcpy(mac, whole, MAC_BYTES);
}

static bool read_keys(struct arena *arena, const uint8_t *bytes, size_t size,
                      struct page *page)
{
    size_t at = 0;
    while (at < size) {
        size_t length = bytes[at++];
        if (page->key_count == PAGE_KEYS_MAX || length > size - at)
            return false;
        page->keys[page->key_count++] =
            arena_strndup(arena, (const char *)bytes + at, length);
        at += length;
    }
    return page->key_count > 0;
}

static bool read_token(struct arena *arena, const char *text, struct page *page)
{
    uint8_t token[TOKEN_BYTES_MAX + 3];
    size_t length = strlen(text);
    size_t size;
    if (length > base64url_length(TOKEN_BYTES_MAX) ||
        !base64url_decode(text, length, token, &size))
        return false;
    if (size <= KEYS_OFFSET || size > TOKEN_BYTES_MAX || token[0] != VERSION)
        return false;

    uint8_t mac[MAC_BYTES];
    compute_mac(page, token, size, mac);
    if (CRYPTO_memcmp(mac, token + 1, MAC_BYTES) != 0)
        return false;
    return read_keys(arena, token + KEYS_OFFSET, size - KEYS_OFFSET, page);
}

rpc_status page_open(struct rpc_call *call, const ProtobufCMessage *request,
                     int default_size, struct page *page)
{
    const ProtobufCFieldDescriptor *size =
        protobuf_c_message_descriptor_get_field_by_name(request->descriptor,
                                                        "page_size");
    const ProtobufCFieldDescriptor *token =
        protobuf_c_message_descriptor_get_field_by_name(request->descriptor,
                                                        "page_token");
    assert(size != NULL && size->type == PROTOBUF_C_TYPE_INT32);
    assert(token != NULL && token->type == PROTOBUF_C_TYPE_STRING);

    *page = (struct page){0};
    page->size = *(const int32_t *)((const char *)request + size->offset);
    if (page->size <= 0)
        page->size = default_size;
    if (page->size > PAGE_SIZE_MAX)
        page->size = PAGE_SIZE_MAX;
    bind_page(call, request, size, token, page);

    const char *text =
        *(const char *const *)((const char *)request + token->offset);
    if (text[0] == '\0' || read_token(call->arena, text, page))
        return RPC_SUCCESS;
    rpc_status failed =
        rpc_fail_field(call, "page_token",
                       "is not the token of a page of this list; start again "
                       "without one");
    rpc_add_reason(call, "PAGE_TOKEN_INVALID");
    return failed;
}

const char *page_key(const struct page *page, int index)
{
    return index < page->key_count ? page->keys[index] : NULL;
}

db_arg page_text(const struct page *page, int index)
{
    return db_text(page_key(page, index));
}

db_arg page_time(const struct page *page, int index)
{
    const char *key = page_key(page, index);
    return key == NULL ? db_null() : db_time_us(strtoll(key, NULL, 10));
}

db_arg page_limit(const struct page *page)
{
    return db_int(page->size + 1);
}

bool page_cut(const struct page *page, size_t *count)
{
    if (*count <= (size_t)page->size)
        return false;
    *count = (size_t)page->size;
    return true;
}

const char *page_time_key(struct rpc_call *call,
                          const Google__Protobuf__Timestamp *time)
{
    int64_t wall_us = time->seconds * INT64_C(1000000) + time->nanos / 1000;
    return arena_printf(call->arena, "%" PRId64, wall_us);
}

char *page_next_keys(struct rpc_call *call, const struct page *page,
                     const char *const *keys, size_t count)
{
    assert(count > 0 && count <= PAGE_KEYS_MAX);
    uint8_t token[TOKEN_BYTES_MAX] = {VERSION};
    size_t size = KEYS_OFFSET;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(keys[i]);
        assert(length <= PAGE_KEY_BYTES_MAX);
        token[size++] = (uint8_t)length;
        memcpy(token + size, keys[i], length);
        size += length;
    }
    compute_mac(page, token, size, token + 1);
    return base64url_encode(call->arena, token, size);
}
