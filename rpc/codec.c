/* What the codec's users ask of messages besides bytes. */
#include "rpc/codec.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

void codec_init(const ProtobufCMessageDescriptor *type,
                ProtobufCMessage *message)
{
    if (type->message_init != NULL) {
        type->message_init(message);
        return;
    }
    message->descriptor = type;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].type == PROTOBUF_C_TYPE_STRING)
            memcpy((char *)message + type->fields[i].offset,
                   &type->fields[i].default_value,
                   sizeof type->fields[i].default_value);
}

ProtobufCMessage *codec_new(struct arena *arena,
                            const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *message = arena_alloc(arena, type->sizeof_message);
    codec_init(type, message);
    return message;
}

size_t codec_element_size(ProtobufCType type)
{
    static const uint8_t sizes[] = {
        [PROTOBUF_C_TYPE_INT32] = 4,
        [PROTOBUF_C_TYPE_SINT32] = 4,
        [PROTOBUF_C_TYPE_SFIXED32] = 4,
        [PROTOBUF_C_TYPE_INT64] = 8,
        [PROTOBUF_C_TYPE_SINT64] = 8,
        [PROTOBUF_C_TYPE_SFIXED64] = 8,
        [PROTOBUF_C_TYPE_UINT32] = 4,
        [PROTOBUF_C_TYPE_FIXED32] = 4,
        [PROTOBUF_C_TYPE_UINT64] = 8,
        [PROTOBUF_C_TYPE_FIXED64] = 8,
        [PROTOBUF_C_TYPE_FLOAT] = 4,
        [PROTOBUF_C_TYPE_DOUBLE] = 8,
        [PROTOBUF_C_TYPE_BOOL] = sizeof(protobuf_c_boolean),
        [PROTOBUF_C_TYPE_ENUM] = sizeof(int),
        [PROTOBUF_C_TYPE_STRING] = sizeof(char *),
        [PROTOBUF_C_TYPE_BYTES] = sizeof(ProtobufCBinaryData),
        [PROTOBUF_C_TYPE_MESSAGE] = sizeof(void *),
    };
    return sizes[type];
}

static bool is_zero32(const void *member)
{
    uint32_t value;
    memcpy(&value, member, sizeof value);
    return value == 0;
}

static bool is_zero64(const void *member)
{
    uint64_t value;
    memcpy(&value, member, sizeof value);
    return value == 0;
}

static bool is_empty_text(const void *member)
{
    const char *text = *(const char *const *)member;
    return text == NULL || text[0] == '\0';
}

/* By bits: a negative zero is not the zero value. */
static bool is_zero(const field_type *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return is_empty_text(member);
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)member)->len == 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(void *const *)member == NULL;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return is_zero64(member);
    default:
        return is_zero32(member);
    }
}

/* proto2: a has_ flag for numbers and bytes, NULL or the default for text. */
static bool is_set_optional(const char *base, const field_type *field)
{
    if (field->quantifier_offset != 0)
        return *(const protobuf_c_boolean *)(base + field->quantifier_offset);
    const void *member = *(void *const *)(base + field->offset);
    return member != NULL && member != field->default_value;
}

int codec_is_set(const ProtobufCMessage *message, const field_type *field)
{
    const char *base = (const char *)message;
    const char *member = base + field->offset;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(base + field->quantifier_offset) != 0;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        uint32_t which;
        memcpy(&which, base + field->quantifier_offset, sizeof which);
        if (which != field->id)
            return false;
        /* A pointer that was never filled in is not sent. */
        return (field->type != PROTOBUF_C_TYPE_MESSAGE &&
                field->type != PROTOBUF_C_TYPE_STRING) ||
               *(void *const *)member != NULL;
    }
    if (field->label == PROTOBUF_C_LABEL_NONE)
        return !is_zero(field, member);
    if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
        return is_set_optional(base, field);
    return true; /* proto2 required */
}

/* Copying: the struct as it is, then anew whatever it points to. */

static ProtobufCMessage *copy_message(struct arena *arena,
                                      const ProtobufCMessage *message,
                                      int depth);

static void copy_pointer(struct arena *arena, ProtobufCType type, void *member,
                         int depth)
{
    if (type == PROTOBUF_C_TYPE_STRING) {
        char **text = member;
        *text = arena_strdup(arena, *text);
    } else if (type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData *bytes = member;
        bytes->data = arena_memdup(arena, bytes->data, bytes->len);
    } else if (type == PROTOBUF_C_TYPE_MESSAGE) {
        ProtobufCMessage **sub = member;
        *sub = copy_message(arena, *sub, depth + 1);
    }
}

static void copy_repeated(struct arena *arena, const field_type *field,
                          char *base, int depth)
{
    size_t count = *(size_t *)(base + field->quantifier_offset);
    char **array = (char **)(base + field->offset);
    if (count == 0)
        return;
    size_t stride = codec_element_size(field->type);
    *array = arena_memdup(arena, *array, count * stride);
    for (size_t i = 0; i < count; i++)
        copy_pointer(arena, field->type, *array + i * stride, depth);
}

static ProtobufCMessage *copy_message(struct arena *arena,
                                      const ProtobufCMessage *message,
                                      int depth)
{
    assert(depth <= CODEC_ENCODE_DEPTH_MAX);
    if (message == NULL)
        return NULL;
    const ProtobufCMessageDescriptor *type = message->descriptor;
    char *copy = arena_memdup(arena, message, type->sizeof_message);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field_type *field = &type->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED)
            copy_repeated(arena, field, copy, depth);
        else if (codec_is_set(message, field))
            copy_pointer(arena, field->type, copy + field->offset, depth);
    }
    ProtobufCMessage *made = (ProtobufCMessage *)copy;
    made->n_unknown_fields = 0;
    made->unknown_fields = NULL;
    return made;
}

ProtobufCMessage *codec_copy(struct arena *arena,
                             const ProtobufCMessage *message)
{
    return copy_message(arena, message, 0);
}
