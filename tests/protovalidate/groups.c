#include "tests/protovalidate/groups.h"

#include "tests/protovalidate/types.h"

#include <assert.h>
#include <string.h>

enum { VARINT, FIXED64, DELIMITED, GROUP_START, GROUP_END, FIXED32 };

struct reader {
    struct arena *arena;
    const uint8_t *at;
    const uint8_t *end;
};

struct output {
    uint8_t *bytes;
    size_t size;
};

static uint64_t read_varint(struct reader *in)
{
    uint64_t value = 0;
    int shift = 0;
    do {
        value |= (uint64_t)(*in->at & 0x7f) << shift;
        shift += 7;
    } while (*in->at++ >= 0x80 && shift < 64);
    return value;
}

static void put(struct output *out, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

static void put_varint(struct output *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        out->bytes[out->size++] = (uint8_t)(value | 0x80);
    out->bytes[out->size++] = (uint8_t)value;
}

/* A length may take ten bytes more than the mark of a group. */
static struct output output_for(struct arena *arena, size_t size)
{
    return (struct output){arena_alloc(arena, size * 10 + 16), 0};
}

static void put_message(struct output *out, uint64_t number,
                        const struct output *content)
{
    put_varint(out, number << 3 | DELIMITED);
    put_varint(out, content->size);
    put(out, content->bytes, content->size);
}

static struct output convert(struct reader *in,
                             const ProtobufCMessageDescriptor *type);

static struct output convert_part(struct reader *in, size_t size,
                                  const ProtobufCFieldDescriptor *field)
{
    struct reader part = {in->arena, in->at, in->at + size};
    in->at += size;
    return convert(&part, field->descriptor);
}

static void convert_field(struct reader *in, uint64_t tag,
                          const ProtobufCFieldDescriptor *field,
                          struct output *out)
{
    const uint8_t *start = in->at;
    size_t length;
    switch (tag & 7) {
    case VARINT:
        read_varint(in);
        break;
    case FIXED64:
        in->at += 8;
        break;
    case FIXED32:
        in->at += 4;
        break;
    case DELIMITED:
        length = read_varint(in);
        if (field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE) {
            struct output content = convert_part(in, length, field);
            put_message(out, tag >> 3, &content);
            return;
        }
        in->at += length;
        break;
    default: {
        assert(field != NULL);
        struct output content = convert(in, field->descriptor);
        put_message(out, tag >> 3, &content);
        return;
    }
    }
    put_varint(out, tag);
    put(out, start, (size_t)(in->at - start));
}

/* To the end of the bytes, or of the group. */
static struct output convert(struct reader *in,
                             const ProtobufCMessageDescriptor *type)
{
    struct output out = output_for(in->arena, (size_t)(in->end - in->at));
    while (in->at < in->end) {
        uint64_t tag = read_varint(in);
        if ((tag & 7) == GROUP_END)
            break;
        convert_field(
            in, tag,
            protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3)),
            &out);
    }
    return out;
}

uint8_t *groups_to_messages(struct arena *arena,
                            const ProtobufCMessageDescriptor *type,
                            const uint8_t *bytes, size_t *size)
{
    struct reader in = {arena, bytes, bytes + *size};
    struct output out = convert(&in, type);
    *size = out.size;
    return out.bytes;
}
