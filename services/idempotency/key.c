#include "services/idempotency/key.h"

#include "rpc/codec.h"

#include <openssl/sha.h>
#include <string.h>

static const char header[] = "idempotency-key";

static bool is_key(const struct rpc_field *field)
{
    if (field->value_size < 1 || field->value_size > IDEMPOTENCY_KEY_MAX)
        return false;
    const char *text = field->value;
    for (size_t i = 0; i < field->value_size; i++)
        if (text[i] < '!' || text[i] > '~')
            return false;
    return true;
}

rpc_status idempotency_key_read(struct rpc_call *call, const char **key)
{
    *key = NULL;
    for (const struct rpc_field *field = rpc_all_metadata(call); field != NULL;
         field = field->next) {
        if (strcmp(field->name, header) != 0)
            continue;
        if (*key != NULL || !is_key(field))
            return rpc_fail_reason(
                call, RPC_INVALID_ARGUMENT, "IDEMPOTENCY_KEY_INVALID",
                "%s is sent once, with 1 to %d visible ASCII characters",
                header, IDEMPOTENCY_KEY_MAX);
        *key = field->value;
    }
    return RPC_SUCCESS;
}

void idempotency_request_hash(struct rpc_call *call,
                              const ProtobufCMessage *request,
                              uint8_t hash[REQUEST_HASH_BYTES])
{
    size_t request_bytes, path_bytes = strlen(call->method->path) + 1;
    const uint8_t *packed = codec_pack(call->arena, request, &request_bytes);
    uint8_t *text = arena_alloc(call->arena, path_bytes + request_bytes);
    memcpy(text, call->method->path, path_bytes);
    if (request_bytes > 0)
        memcpy(text + path_bytes, packed, request_bytes);
    SHA256(text, path_bytes + request_bytes, hash);
}

const char *idempotency_name(struct rpc_call *call, const char *key)
{
    return arena_printf(call->arena, "%s %s %s", call->caller.id,
                        call->method->path, key);
}

int64_t idempotency_name_number(const char *name)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    int64_t number;
    SHA256((const uint8_t *)name, strlen(name), hash);
    memcpy(&number, hash, sizeof number);
    return number;
}
