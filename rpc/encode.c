/* Structs to protobuf wire format, backwards: a message's length is known when
 * its content has been written, so nothing is measured twice.  The bytes are
 * those that protobuf_c_message_pack() makes of the same struct, except that a
 * negative zero is a value and is sent. */
#include "rpc/codec.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

enum { VARINT, FIXED64, DELIMITED, FIXED32 = 5 };

static const uint8_t wire_of[] = {
    [PROTOBUF_C_TYPE_INT32] = VARINT,      [PROTOBUF_C_TYPE_SINT32] = VARINT,
    [PROTOBUF_C_TYPE_SFIXED32] = FIXED32,  [PROTOBUF_C_TYPE_INT64] = VARINT,
    [PROTOBUF_C_TYPE_SINT64] = VARINT,     [PROTOBUF_C_TYPE_SFIXED64] = FIXED64,
    [PROTOBUF_C_TYPE_UINT32] = VARINT,     [PROTOBUF_C_TYPE_FIXED32] = FIXED32,
    [PROTOBUF_C_TYPE_UINT64] = VARINT,     [PROTOBUF_C_TYPE_FIXED64] = FIXED64,
    [PROTOBUF_C_TYPE_FLOAT] = FIXED32,     [PROTOBUF_C_TYPE_DOUBLE] = FIXED64,
    [PROTOBUF_C_TYPE_BOOL] = VARINT,       [PROTOBUF_C_TYPE_ENUM] = VARINT,
    [PROTOBUF_C_TYPE_STRING] = DELIMITED,  [PROTOBUF_C_TYPE_BYTES] = DELIMITED,
    [PROTOBUF_C_TYPE_MESSAGE] = DELIMITED,
};

static inline size_t varint_size(uint64_t value)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);
    return (bits * 9 + 64) / 64; /* bits / 7, rounded up */
}

static inline uint32_t get32(const void *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline uint64_t get64(const void *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

/* What a number is on the wire: the value of its varint, or the bits of a fixed
 * one.  Zero in either is the zero value of the field. */
static inline uint64_t number_of(ProtobufCType type, const void *from)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_ENUM:
        return (uint64_t)(int64_t)(int32_t)get32(from);
    case PROTOBUF_C_TYPE_SINT32:
        return (uint32_t)(get32(from) << 1) ^ -(get32(from) >> 31);
    case PROTOBUF_C_TYPE_SINT64:
        return get64(from) << 1 ^ -(get64(from) >> 63);
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)from != 0;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return get32(from);
    default:
        return get64(from);
    }
}

static const void *text_of(const void *from, size_t *length)
{
    const char *text;
    memcpy(&text, from, sizeof text);
    *length = text == NULL ? 0 : strlen(text);
    return text;
}

static bool is_packed(const field_type *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0;
}

/* Measuring */

static size_t message_size(const ProtobufCMessage *message, int depth);

static size_t delimited_size(size_t length)
{
    return varint_size(length) + length;
}

static size_t number_size(unsigned wire, uint64_t number)
{
    if (wire == VARINT)
        return varint_size(number);
    return wire == FIXED32 ? 4 : 8;
}

static size_t value_size(const field_type *field, const void *from, int depth)
{
    size_t length = 0;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        text_of(from, &length);
        return delimited_size(length);
    case PROTOBUF_C_TYPE_BYTES:
        return delimited_size(((const ProtobufCBinaryData *)from)->len);
    case PROTOBUF_C_TYPE_MESSAGE:
        return delimited_size(
            message_size(*(const ProtobufCMessage *const *)from, depth + 1));
    default:
        return number_size(wire_of[field->type], number_of(field->type, from));
    }
}

static size_t repeated_size(const field_type *field, const char *base,
                            int depth)
{
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    if (count == 0)
        return 0;
    const char *at = *(const char *const *)(base + field->offset);
    size_t stride = codec_element_size(field->type);
    size_t tag = varint_size((uint64_t)field->id << 3);
    size_t total = 0;
    for (size_t i = 0; i < count; i++, at += stride)
        total += value_size(field, at, depth);
    return is_packed(field) ? tag + delimited_size(total) : total + count * tag;
}

static size_t singular_size(const ProtobufCMessage *message,
                            const field_type *field, int depth)
{
    const char *member = (const char *)message + field->offset;
    unsigned wire = wire_of[field->type];
    size_t tag = varint_size((uint64_t)field->id << 3);
    if (field->label == PROTOBUF_C_LABEL_NONE && wire != DELIMITED &&
        !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
        uint64_t number = number_of(field->type, member);
        return number == 0 ? 0 : tag + number_size(wire, number);
    }
    if (!codec_is_set(message, field))
        return 0;
    return tag + value_size(field, member, depth);
}

static size_t message_size(const ProtobufCMessage *message, int depth)
{
    assert(depth <= CODEC_ENCODE_DEPTH_MAX);
    if (message == NULL)
        return 0;
    const char *base = (const char *)message;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    size_t total = 0;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field_type *field = &type->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            total += repeated_size(field, base, depth);
        else
            total += singular_size(message, field, depth);
    }
    return total;
}

size_t codec_size(const ProtobufCMessage *message)
{
    return message_size(message, 0);
}

/* Writing, from the end to the front: each function returns where what it
 * wrote begins.  What finds no room behind `start` is left out and returns
 * `start`, and then nothing before it finds room either. */

static uint8_t *put_message(const uint8_t *start, uint8_t *at,
                            const ProtobufCMessage *message, int depth);

/* Where `size` bytes that end at `at` begin. */
static inline uint8_t *make_room(const uint8_t *start, uint8_t *at, size_t size)
{
    size_t room = (size_t)(at - start);
    return at - (size <= room ? size : room);
}

static inline uint8_t *put_varint(const uint8_t *start, uint8_t *end,
                                  uint64_t value)
{
    if (value < 0x80 && end > start) {
        *--end = (uint8_t)value;
        return end;
    }
    size_t size = varint_size(value);
    uint8_t *at = make_room(start, end, size);
    if (at + size != end)
        return at;
    for (size_t i = 0; i + 1 < size; i++, value >>= 7)
        at[i] = (uint8_t)(value | 0x80);
    at[size - 1] = (uint8_t)value;
    return at;
}

static uint8_t *put_bytes(const uint8_t *start, uint8_t *end, const void *bytes,
                          size_t length)
{
    uint8_t *at = make_room(start, end, length);
    if (length > 0 && at + length == end)
        memcpy(at, bytes, length);
    return at;
}

/* Little-endian, like the machine. */
static uint8_t *put_number(const uint8_t *start, uint8_t *at, unsigned wire,
                           uint64_t number)
{
    if (wire == VARINT)
        return put_varint(start, at, number);
    return put_bytes(start, at, &number, wire == FIXED32 ? 4 : 8);
}

static uint8_t *put_tag(const uint8_t *start, uint8_t *at,
                        const field_type *field, unsigned wire)
{
    return put_varint(start, at, (uint64_t)field->id << 3 | wire);
}

static uint8_t *put_delimited(const uint8_t *start, uint8_t *at,
                              const field_type *field, const void *from,
                              int depth)
{
    uint8_t *end = at;
    size_t length;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        at = put_message(start, at, *(const ProtobufCMessage *const *)from,
                         depth + 1);
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        const void *text = text_of(from, &length);
        at = put_bytes(start, at, text, length);
    } else {
        const ProtobufCBinaryData *bytes = from;
        at = put_bytes(start, at, bytes->data, bytes->len);
    }
    return put_varint(start, at, (size_t)(end - at));
}

static uint8_t *put_value(const uint8_t *start, uint8_t *at,
                          const field_type *field, const void *from, int depth)
{
    unsigned wire = wire_of[field->type];
    if (wire == DELIMITED)
        return put_delimited(start, at, field, from, depth);
    return put_number(start, at, wire, number_of(field->type, from));
}

static uint8_t *put_repeated(const uint8_t *start, uint8_t *at,
                             const field_type *field, const char *base,
                             int depth)
{
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    if (count == 0)
        return at;
    const char *array = *(const char *const *)(base + field->offset);
    size_t stride = codec_element_size(field->type);
    uint8_t *end = at;
    for (size_t i = count; i-- > 0;) {
        at = put_value(start, at, field, array + i * stride, depth);
        if (!is_packed(field))
            at = put_tag(start, at, field, wire_of[field->type]);
    }
    if (!is_packed(field))
        return at;
    return put_tag(start, put_varint(start, at, (size_t)(end - at)), field,
                   DELIMITED);
}

static uint8_t *put_singular(const uint8_t *start, uint8_t *at,
                             const ProtobufCMessage *message,
                             const field_type *field, int depth)
{
    const char *member = (const char *)message + field->offset;
    unsigned wire = wire_of[field->type];
    if (field->label == PROTOBUF_C_LABEL_NONE && wire != DELIMITED &&
        !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
        uint64_t number = number_of(field->type, member);
        return number == 0 ? at
                           : put_tag(start, put_number(start, at, wire, number),
                                     field, wire);
    }
    if (!codec_is_set(message, field))
        return at;
    return put_tag(start, put_value(start, at, field, member, depth), field,
                   wire);
}

static uint8_t *put_message(const uint8_t *start, uint8_t *at,
                            const ProtobufCMessage *message, int depth)
{
    assert(depth <= CODEC_ENCODE_DEPTH_MAX);
    if (message == NULL || at == start)
        return at;
    const char *base = (const char *)message;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = type->n_fields; i-- > 0;) {
        const field_type *field = &type->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            at = put_repeated(start, at, field, base, depth);
        else
            at = put_singular(start, at, message, field, depth);
    }
    return at;
}

void codec_write(const ProtobufCMessage *message, uint8_t *bytes, size_t size)
{
    uint8_t *at = put_message(bytes, bytes + size, message, 0);
    assert(at == bytes);
}

uint8_t *codec_write_end(const ProtobufCMessage *message, uint8_t *bytes,
                         size_t room)
{
    uint8_t *at = put_message(bytes, bytes + room, message, 0);
    return at == bytes ? NULL : at;
}

void codec_encode(const ProtobufCMessage *message, uint8_t *bytes)
{
    codec_write(message, bytes, codec_size(message));
}

uint8_t *codec_pack(struct arena *arena, const ProtobufCMessage *message,
                    size_t *size)
{
    *size = codec_size(message);
    uint8_t *bytes = arena_alloc(arena, *size);
    codec_write(message, bytes, *size);
    return bytes;
}

/* By their encodings: fields are always written in one order. */
int codec_is_equal(struct arena *arena, const ProtobufCMessage *one,
                   const ProtobufCMessage *other)
{
    size_t one_size, other_size;
    const uint8_t *one_bytes = codec_pack(arena, one, &one_size);
    const uint8_t *other_bytes = codec_pack(arena, other, &other_size);
    return one_size == other_size &&
           memcmp(one_bytes, other_bytes, one_size) == 0;
}
