#include "rpc/json_keys.h"

#include "rpc/codec.h"
#include "rpc/hash.h"

#include <string.h>

struct key {
    const void *bytes;
    size_t size;
};

static struct key key_of(json_entries entries, size_t at)
{
    if (entries[at] == NULL)
        return (struct key){"", 0};
    const ProtobufCFieldDescriptor *field = &entries[at]->descriptor->fields[0];
    const void *member = (const char *)entries[at] + field->offset;
    if (field->type != PROTOBUF_C_TYPE_STRING)
        return (struct key){member, codec_element_size(field->type)};
    const char *text = *(const char *const *)member;
    return (struct key){text, strlen(text)};
}

bool json_keys_are_same(json_entries entries, size_t one, size_t other)
{
    struct key a = key_of(entries, one), b = key_of(entries, other);
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

size_t json_keys_slots(size_t count)
{
    size_t slot_count = 2 * JSON_KEYS_FEW;
    while (slot_count < 2 * count)
        slot_count *= 2;
    return slot_count;
}

/* Slots hold the entry's number plus one. */
bool json_keys_insert(uint32_t *slots, size_t slot_count, json_entries entries,
                      size_t at)
{
    struct key key = key_of(entries, at);
    size_t mask = slot_count - 1;
    size_t slot = hash_bytes(key.bytes, key.size) & mask;
    for (; slots[slot] != 0; slot = (slot + 1) & mask)
        if (json_keys_are_same(entries, at, slots[slot] - 1))
            return false;
    slots[slot] = (uint32_t)at + 1;
    return true;
}
