/* Any bytes and any JSON as the request of any method that a server has:
 * refused, or decoded to something that validation survives and that encodes
 * and decodes to the same again, in both.
 *
 *   "B" for bytes or "J" for JSON, the method's path, LF, the request; another
 *   path stands for the method that it hashes to */
#include "grpc/registry.rpc.h"
#include "prbal/v1/registry.rpc.h"
#include "rpc/codec.h"
#include "rpc/json.h"
#include "rpc/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const struct rpc_registry *const registries[] = {
    &prbal_registry, &runtime_registry, NULL};

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

/* By path, or the one with this number; counts them on the way. */
static const struct rpc_method *find(const char *path, size_t size,
                                     size_t number, size_t *count)
{
    *count = 0;
    for (size_t r = 0; registries[r] != NULL; r++)
        for (size_t s = 0; s < registries[r]->service_count; s++) {
            const struct rpc_service *service = registries[r]->services[s];
            for (size_t m = 0; m < service->method_count; m++) {
                const struct rpc_method *method = &service->methods[m];
                bool is_named = strlen(method->path) == size &&
                                memcmp(method->path, path, size) == 0;
                if (is_named || (*count)++ == number)
                    return method;
            }
        }
    return NULL;
}

static const struct rpc_method *method_of(const char *path, size_t size)
{
    size_t count, number = 0;
    const struct rpc_method *method = find(path, size, SIZE_MAX, &count);
    if (method != NULL)
        return method;
    for (size_t i = 0; i < size; i++)
        number = number * 31 + (unsigned char)path[i];
    return find("", 0, number % count, &count);
}

static void check_bytes(struct arena *arena, const ProtobufCMessage *message)
{
    struct codec_error error;
    size_t size;
    uint8_t *bytes = codec_pack(arena, message, &size);
    ProtobufCMessage *again =
        codec_decode(arena, message->descriptor, bytes, size, &error);
    if (again != NULL && !codec_is_equal(arena, message, again))
        give_up(message->descriptor->name, "is not itself in bytes");
}

/* What came as bytes may say more than JSON can. */
static void check_json(struct arena *arena, const struct json_types *types,
                       const ProtobufCMessage *message, bool was_json)
{
    struct json_error error;
    ProtobufCMessage *again;
    char *text;
    size_t size;
    if (!json_encode(arena, types, message, &text, &size)) {
        if (was_json)
            give_up("what was JSON is not written", text);
        return;
    }
    if (!json_decode(arena, types, message->descriptor, text, size, &again,
                     &error))
        give_up(text, error.text);
    if (was_json && !codec_is_equal(arena, message, again))
        give_up(text, "is not itself in JSON");
}

static ProtobufCMessage *read_request(struct arena *arena,
                                      const struct json_types *types,
                                      const struct rpc_method *method,
                                      bool is_json, const char *text,
                                      size_t size)
{
    struct json_error json_error;
    struct codec_error error;
    ProtobufCMessage *message;
    if (!is_json)
        return codec_decode(arena, method->request, text, size, &error);
    return json_decode(arena, types, method->request, text, size, &message,
                       &json_error)
               ? message
               : NULL;
}

static void try_request(struct arena *arena, const struct json_types *types,
                        const char *text, size_t size)
{
    const char *line = memchr(text, '\n', size);
    if (line == NULL)
        return;
    bool is_json = text[0] == 'J';
    const struct rpc_method *method =
        method_of(text + 1, line == text ? 0 : (size_t)(line - text - 1));
    size -= (size_t)(line + 1 - text);
    ProtobufCMessage *message =
        read_request(arena, types, method, is_json, line + 1, size);
    if (message == NULL)
        return;
    struct rule_violation violations[20];
    if (method->rules != NULL)
        rules_violations(arena, method->rules, message, violations, 20);
    check_bytes(arena, message);
    check_json(arena, types, message, is_json);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct json_types *types;
    if (types == NULL)
        types = json_types_create(registries);
    struct arena *arena = arena_create();
    if (size > 0)
        try_request(arena, types, (const char *)bytes, size);
    arena_destroy(arena);
    return 0;
}
