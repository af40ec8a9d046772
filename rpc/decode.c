/* Protobuf wire format to structs, for bytes that strangers sent.
 *
 * No recursion: messages that are being filled are on an explicit stack, so
 * nesting costs no C stack.  Every allocation is taken from a budget, so a
 * small request cannot become a large one in memory, and every byte is looked
 * at a bounded number of times.
 *
 *   bytes:  [tag value] [tag length [tag value] ... ] [tag value]
 *                                   ^ in.at
 *           opened[0] = the outer message, message = the inner one */
#include "rpc/codec.h"

#include "rpc/codec_memory.h"
#include "rpc/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

enum { VARINT_BYTES_MAX = 10 };

/* Wire types, in the low three bits of a tag. */
enum { VARINT, FIXED64, DELIMITED, GROUP_START, GROUP_END, FIXED32 };

struct cursor {
    const uint8_t *at;
    const uint8_t *end; /* of the innermost message */
};

struct opened {
    ProtobufCMessage *message;
    const uint8_t *end;
};

struct decoder {
    struct cursor in;
    ProtobufCMessage *message; /* being filled */
    struct codec_memory memory;
    int depth;
    struct opened opened[CODEC_DEPTH_MAX]; /* those around `message` */
    struct codec_error *error;
};

__attribute__((cold, noinline, format(printf, 3, 4))) static bool fail(
    struct decoder *d, const field_type *field, const char *format, ...)
{
    char sentence[96];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    snprintf(d->error->text, sizeof d->error->text, "%s%s%s: %s",
             d->message == NULL ? "" : d->message->descriptor->name,
             field == NULL ? "" : ".", field == NULL ? "" : field->name,
             sentence);
    return false;
}

static bool too_much(struct decoder *d, const field_type *field)
{
    return fail(d, field, "the message takes too much memory for its size");
}

static void *take(struct decoder *d, const field_type *field, size_t size)
{
    void *taken = codec_take(&d->memory, size);
    if (taken == NULL)
        too_much(d, field);
    return taken;
}

/* Cursor */

static bool read_long_varint(struct cursor *in, uint64_t *value)
{
    uint64_t sum = 0;
    size_t left = (size_t)(in->end - in->at);
    size_t most = left < VARINT_BYTES_MAX ? left : VARINT_BYTES_MAX;
    for (size_t i = 0; i < most; i++) {
        uint8_t byte = in->at[i];
        sum |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte >= 0x80)
            continue;
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return false; /* does not fit 64 bits */
        in->at += i + 1;
        *value = sum;
        return true;
    }
    return false;
}

static inline bool read_varint(struct cursor *in, uint64_t *value)
{
    if (in->at < in->end && *in->at < 0x80) {
        *value = *in->at++;
        return true;
    }
    return read_long_varint(in, value);
}

static inline bool read_tag(struct cursor *in, uint32_t *tag)
{
    uint64_t value;
    if (!read_varint(in, &value) || value > UINT32_MAX || value >> 3 == 0)
        return false;
    *tag = (uint32_t)value;
    return true;
}

/* A length that stays inside the message. */
static inline bool read_length(struct cursor *in, size_t *length)
{
    uint64_t value;
    if (!read_varint(in, &value) || value > (uint64_t)(in->end - in->at))
        return false;
    *length = (size_t)value;
    return true;
}

static bool step(struct cursor *in, size_t size)
{
    if (size > (size_t)(in->end - in->at))
        return false;
    in->at += size;
    return true;
}

/* Passes over a value that is not a group. */
static bool pass_value(struct cursor *in, unsigned wire)
{
    uint64_t number;
    size_t length;
    switch (wire) {
    case VARINT:
        return read_varint(in, &number);
    case FIXED64:
        return step(in, 8);
    case DELIMITED:
        return read_length(in, &length) && step(in, length);
    case FIXED32:
        return step(in, 4);
    default:
        return false;
    }
}

/* Unknown fields */

static bool skip_group(struct decoder *d, uint32_t number)
{
    uint32_t open[CODEC_DEPTH_MAX];
    int count = 0;
    open[count++] = number;
    while (count > 0) {
        uint32_t tag;
        if (!read_tag(&d->in, &tag))
            return fail(d, NULL, "a group has no end");
        unsigned wire = tag & 7;
        if (wire == GROUP_START) {
            if (d->depth + count >= CODEC_DEPTH_MAX)
                return fail(d, NULL, "groups nest too deep");
            open[count++] = tag >> 3;
        } else if (wire == GROUP_END) {
            if (open[--count] != tag >> 3)
                return fail(d, NULL, "a group ends that is not open");
        } else if (!pass_value(&d->in, wire)) {
            return fail(d, NULL, "malformed field %u in a group", tag >> 3);
        }
    }
    return true;
}

static bool skip(struct decoder *d, uint32_t tag)
{
    if ((tag & 7) == GROUP_START)
        return skip_group(d, tag >> 3);
    if (pass_value(&d->in, tag & 7))
        return true;
    return fail(d, NULL, "malformed field %u", tag >> 3);
}

/* Values */

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

static void put32(void *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
}

static void put64(void *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
}

/* Numbers wider than the field lose their upper bits, as everywhere. */
static void store_varint(ProtobufCType type, uint64_t value, void *to)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SINT32:
        put32(to, (uint32_t)(value >> 1 & 0x7fffffff) ^ -(uint32_t)(value & 1));
        return;
    case PROTOBUF_C_TYPE_SINT64:
        put64(to, value >> 1 ^ -(value & 1));
        return;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)to = value != 0;
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        put64(to, value);
        return;
    default:
        put32(to, (uint32_t)value);
    }
}

/* The wire and the machine are both little-endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "little-endian only");

static bool read_number(struct decoder *d, const field_type *field, void *to)
{
    unsigned wire = wire_of[field->type];
    if (wire == VARINT) {
        uint64_t value;
        if (!read_varint(&d->in, &value))
            return fail(d, field, "malformed number");
        store_varint(field->type, value, to);
        return true;
    }
    const uint8_t *from = d->in.at;
    size_t size = wire == FIXED32 ? 4 : 8;
    if (!step(&d->in, size))
        return fail(d, field, "the message ends in the middle of a number");
    memcpy(to, from, size);
    return true;
}

static bool read_string(struct decoder *d, const field_type *field, void *to)
{
    size_t length;
    if (!read_length(&d->in, &length))
        return fail(d, field, "is longer than the message around it");
    const char *text = protobuf_c_empty_string;
    if (length > 0) {
        if (!utf8_is_text(d->in.at, length))
            return fail(d, field, "is not UTF-8 text, or holds a NUL");
        char *copy = take(d, field, length + 1);
        if (copy == NULL)
            return false;
        text = memcpy(copy, d->in.at, length);
        d->in.at += length;
    }
    memcpy(to, &text, sizeof text);
    return true;
}

static bool read_bytes(struct decoder *d, const field_type *field, void *to)
{
    ProtobufCBinaryData bytes = {0, NULL};
    if (!read_length(&d->in, &bytes.len))
        return fail(d, field, "is longer than the message around it");
    if (bytes.len > 0) {
        bytes.data = take(d, field, bytes.len);
        if (bytes.data == NULL)
            return false;
        memcpy(bytes.data, d->in.at, bytes.len);
        d->in.at += bytes.len;
    }
    memcpy(to, &bytes, sizeof bytes);
    return true;
}

static bool read_value(struct decoder *d, const field_type *field, void *to)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return read_string(d, field, to);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(d, field, to);
    default:
        return read_number(d, field, to);
    }
}

/* Messages */

/* Goes on inside the message at *slot, making it first when there is none: a
 * singular message that comes twice is merged by filling it twice. */
static bool open_message(struct decoder *d, const field_type *field,
                         ProtobufCMessage **slot)
{
    size_t length;
    if (!read_length(&d->in, &length))
        return fail(d, field, "is longer than the message around it");
    if (d->depth == CODEC_DEPTH_MAX)
        return fail(d, field, "messages nest deeper than %d", CODEC_DEPTH_MAX);
    if (*slot == NULL) {
        const ProtobufCMessageDescriptor *type = field->descriptor;
        *slot = take(d, field, type->sizeof_message);
        if (*slot == NULL)
            return false;
        codec_init(type, *slot);
    }
    d->opened[d->depth++] = (struct opened){d->message, d->in.end};
    d->message = *slot;
    d->in.end = d->in.at + length;
    return true;
}

static bool array_reserve(struct decoder *d, const field_type *field,
                          void **array, size_t count, size_t more)
{
    return codec_reserve(&d->memory, array, codec_element_size(field->type),
                         count, more) ||
           too_much(d, field);
}

/* How many fields of this tag stand in a row: encoders write the members of a
 * repeated field together, so the array is mostly made once, exactly. */
static size_t count_row(struct cursor ahead, uint32_t tag)
{
    size_t count = 0;
    uint32_t next = tag;
    while (next == tag && pass_value(&ahead, tag & 7)) {
        count++;
        if (ahead.at == ahead.end || !read_tag(&ahead, &next))
            break;
    }
    return count;
}

static bool decode_element(struct decoder *d, const field_type *field,
                           uint32_t tag)
{
    char *base = (char *)d->message;
    size_t *count = (size_t *)(base + field->quantifier_offset);
    void **array = (void **)(base + field->offset);
    if (*count == codec_room(*array)) {
        size_t row = count_row(d->in, tag);
        if (!array_reserve(d, field, array, *count, row > 0 ? row : 1))
            return false;
    }
    void *element = (char *)*array + *count * codec_element_size(field->type);
    ++*count;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return open_message(d, field, element);
    return read_value(d, field, element);
}

static size_t count_packed(const uint8_t *at, size_t length, unsigned wire)
{
    if (wire == FIXED32)
        return length / 4;
    if (wire == FIXED64)
        return length / 8;
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += at[i] < 0x80;
    return count;
}

static bool decode_packed(struct decoder *d, const field_type *field)
{
    size_t length;
    if (!read_length(&d->in, &length))
        return fail(d, field, "is longer than the message around it");
    char *base = (char *)d->message;
    size_t *count = (size_t *)(base + field->quantifier_offset);
    void **array = (void **)(base + field->offset);
    size_t more = count_packed(d->in.at, length, wire_of[field->type]);
    if (!array_reserve(d, field, array, *count, more))
        return false;

    const uint8_t *outer_end = d->in.end;
    d->in.end = d->in.at + length;
    for (size_t i = 0; i < more; i++) {
        void *element =
            (char *)*array + *count * codec_element_size(field->type);
        if (!read_number(d, field, element))
            return false;
        ++*count;
    }
    if (d->in.at != d->in.end)
        return fail(d, field, "the message ends in the middle of a number");
    d->in.end = outer_end;
    return true;
}

static bool decode_repeated(struct decoder *d, const field_type *field,
                            uint32_t tag)
{
    unsigned wire = wire_of[field->type];
    if (wire == (tag & 7))
        return decode_element(d, field, tag);
    if ((tag & 7) == DELIMITED)
        return decode_packed(d, field);
    return skip(d, tag);
}

static bool is_oneof(const field_type *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* Of the members of a oneof, the last on the wire stays. */
static bool decode_singular(struct decoder *d, const field_type *field)
{
    char *base = (char *)d->message;
    void *member = base + field->offset;
    bool same = true;
    if (is_oneof(field)) {
        uint32_t *which = (uint32_t *)(base + field->quantifier_offset);
        same = *which == field->id;
        *which = field->id;
    } else if (field->quantifier_offset != 0) {
        *(protobuf_c_boolean *)(base + field->quantifier_offset) = 1;
    }
    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return read_value(d, field, member);
    if (!same)
        memset(member, 0, sizeof(void *));
    return open_message(d, field, member);
}

/* Field numbers are mostly 1 to n without gaps. */
static inline const field_type *find_field(
    const ProtobufCMessageDescriptor *type, uint32_t number)
{
    if (number <= type->n_fields && type->fields[number - 1].id == number)
        return &type->fields[number - 1];
    return protobuf_c_message_descriptor_get_field(type, number);
}

static bool decode_field(struct decoder *d)
{
    uint32_t tag;
    if (!read_tag(&d->in, &tag))
        return fail(d, NULL, "malformed tag");
    const field_type *field = find_field(d->message->descriptor, tag >> 3);
    if (field == NULL)
        return skip(d, tag);
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return decode_repeated(d, field, tag);
    if ((tag & 7) != wire_of[field->type])
        return skip(d, tag); /* as if unknown: someone else's old schema */
    return decode_singular(d, field);
}

static bool decode_all(struct decoder *d)
{
    for (;;) {
        while (d->in.at < d->in.end)
            if (!decode_field(d))
                return false;
        if (d->depth == 0)
            return true;
        d->depth--;
        d->message = d->opened[d->depth].message;
        d->in.end = d->opened[d->depth].end;
    }
}

ProtobufCMessage *codec_decode(struct arena *arena,
                               const ProtobufCMessageDescriptor *type,
                               const void *bytes, size_t size,
                               struct codec_error *error)
{
    struct decoder d;
    d.depth = 0;
    d.error = error;
    d.message = NULL;
    const uint8_t *start = size == 0 ? (const uint8_t *)"" : bytes;
    d.in = (struct cursor){start, start + size};
    codec_memory_init(&d.memory, arena, size);

    ProtobufCMessage *message = codec_new(arena, type);
    d.message = message;
    error->text[0] = '\0';
    return decode_all(&d) ? message : NULL;
}
