/* Any bytes as a message: refused, or decoded to something that validation
 * survives and that encodes and decodes to the same again.  The first byte
 * chooses the type. */
#include "rpc/codec.h"
#include "rpc/rules.h"
#include "tests/rpc/codec.rpc.h"
#include "tests/rpc/validate.rpc.h"

#include <google/protobuf/struct.pb-c.h>
#include <stdlib.h>
#include <string.h>

extern const struct rpc_rules pb__texts__rules, pb__numbers__rules,
    pb__lists__rules, pb__presence__rules, pb__choice__rules, pb__times__rules;

static const struct {
    const ProtobufCMessageDescriptor *type;
    const struct rpc_rules *rules;
} kinds[] = {
    {EVERYTHING_DESCRIPTOR, NULL},
    {&google__protobuf__struct__descriptor, NULL},
    {TEXTS_DESCRIPTOR, &pb__texts__rules},
    {NUMBERS_DESCRIPTOR, &pb__numbers__rules},
    {LISTS_DESCRIPTOR, &pb__lists__rules},
    {PRESENCE_DESCRIPTOR, &pb__presence__rules},
    {CHOICE_DESCRIPTOR, &pb__choice__rules},
    {TIMES_DESCRIPTOR, &pb__times__rules},
};

static void round_trip(struct arena *arena, const ProtobufCMessage *message)
{
    struct codec_error error;
    size_t size, again_size;
    uint8_t *bytes = codec_pack(arena, message, &size);
    ProtobufCMessage *decoded =
        codec_decode(arena, message->descriptor, bytes, size, &error);
    if (decoded == NULL)
        return; /* what is sparse in the input may be too large when dense */
    uint8_t *again = codec_pack(arena, decoded, &again_size);
    if (size != again_size || memcmp(bytes, again, size) != 0)
        abort();
    uint8_t *copied = codec_pack(arena, codec_copy(arena, decoded), &size);
    if (size != again_size || memcmp(copied, again, size) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    size_t kind = bytes[0] % (sizeof kinds / sizeof kinds[0]);
    struct arena *arena = arena_create();
    struct codec_error error;
    ProtobufCMessage *message =
        codec_decode(arena, kinds[kind].type, bytes + 1, size - 1, &error);
    if (message != NULL && kinds[kind].rules != NULL) {
        struct rule_violation violations[20];
        rules_violations(arena, kinds[kind].rules, message, violations, 20);
    }
    if (message != NULL)
        round_trip(arena, message);
    arena_destroy(arena);
    return 0;
}
