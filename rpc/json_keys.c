/* Keys that a map has: compared one by one while they are few, then by a hash
 * table that holds the entries' numbers. */
#include "rpc/codec.h"
#include "rpc/hash.h"
#include "rpc/json_reader.h"

#include <string.h>

enum { FEW = 8 };

struct key {
    const void *bytes;
    size_t size;
};

static struct key key_of(ProtobufCMessage *const *entries, size_t at)
{
    const field_type *field = &entries[at]->descriptor->fields[0];
    const void *member = (const char *)entries[at] + field->offset;
    if (field->type != PROTOBUF_C_TYPE_STRING)
        return (struct key){member, codec_element_size(field->type)};
    const char *text = *(const char *const *)member;
    return (struct key){text, strlen(text)};
}

static bool is_same(struct key one, struct key other)
{
    return one.size == other.size &&
           memcmp(one.bytes, other.bytes, one.size) == 0;
}

/* Takes a slot for entry `at`; false when its key has one already. */
static bool insert(struct json_frame *frame, ProtobufCMessage *const *entries,
                   size_t at)
{
    struct key key = key_of(entries, at);
    size_t mask = frame->slot_count - 1;
    size_t slot = hash_bytes(key.bytes, key.size) & mask;
    for (; frame->slots[slot] != 0; slot = (slot + 1) & mask)
        if (is_same(key, key_of(entries, frame->slots[slot] - 1)))
            return false;
    frame->slots[slot] = (uint32_t)at + 1;
    return true;
}

/* A table of at least twice the entries; they differ so far. */
static bool grow(struct json_reader *r, struct json_frame *frame,
                 ProtobufCMessage *const *entries, size_t count)
{
    size_t slot_count = 4 * count;
    while ((slot_count & (slot_count - 1)) != 0)
        slot_count += slot_count & -slot_count;
    uint32_t *slots = json_take(r, slot_count * sizeof *slots);
    if (slots == NULL)
        return false;
    frame->slots = slots;
    frame->slot_count = slot_count;
    for (size_t i = 0; i < count; i++)
        insert(frame, entries, i);
    return true;
}

static enum json_key verdict(bool is_new)
{
    return is_new ? JSON_KEY_NEW : JSON_KEY_AGAIN;
}

static bool differs(ProtobufCMessage *const *entries, size_t last)
{
    struct key key = key_of(entries, last);
    for (size_t i = 0; i < last; i++)
        if (is_same(key, key_of(entries, i)))
            return false;
    return true;
}

enum json_key json_check_key(struct json_reader *r, struct json_frame *frame)
{
    const field_type *field = &frame->table->type->fields[frame->field];
    ProtobufCMessage *const *entries =
        (void *)*json_array_of(frame->message, field);
    size_t count = *json_count_of(frame->message, field);
    if (count <= FEW)
        return verdict(differs(entries, count - 1));
    if (2 * count > frame->slot_count && !grow(r, frame, entries, count - 1))
        return JSON_KEY_TOO_MUCH;
    return verdict(insert(frame, entries, count - 1));
}
