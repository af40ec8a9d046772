/* Values that are no messages, as JSON. */
#include "rpc/json_put.h"

#include "rpc/json_number.h"

#include <google/protobuf/struct.pb-c.h>
#include <math.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

static void put_integer(struct json_out *out, ProtobufCType type,
                        const void *from)
{
    char *to = json_out_reserve(out, JSON_NUMBER_MAX);
    int32_t narrow;
    int64_t wide;
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        memcpy(&narrow, from, sizeof narrow);
        out->size += json_put_unsigned(to, (uint32_t)narrow);
        return;
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        memcpy(&wide, from, sizeof wide);
        out->size += json_put_unsigned(to, (uint64_t)wide);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        memcpy(&wide, from, sizeof wide);
        out->size += json_put_signed(to, wide);
        return;
    default:
        memcpy(&narrow, from, sizeof narrow);
        out->size += json_put_signed(to, narrow);
    }
}

bool json_is_wide(ProtobufCType type)
{
    return type == PROTOBUF_C_TYPE_INT64 || type == PROTOBUF_C_TYPE_SINT64 ||
           type == PROTOBUF_C_TYPE_SFIXED64 || type == PROTOBUF_C_TYPE_UINT64 ||
           type == PROTOBUF_C_TYPE_FIXED64;
}

/* 64 bits in quotes: a double, which is what other languages read numbers
 * into, does not hold them. */
static void put_whole(struct json_out *out, ProtobufCType type,
                      const void *from)
{
    if (json_is_wide(type))
        JSON_PUT(out, "\"");
    put_integer(out, type, from);
    if (json_is_wide(type))
        JSON_PUT(out, "\"");
}

static void put_real(struct json_out *out, ProtobufCType type, const void *from)
{
    float narrow = 0;
    double wide;
    if (type == PROTOBUF_C_TYPE_FLOAT) {
        memcpy(&narrow, from, sizeof narrow);
        wide = (double)narrow;
    } else {
        memcpy(&wide, from, sizeof wide);
    }
    if (isnan(wide)) {
        JSON_PUT(out, "\"NaN\"");
    } else if (isinf(wide)) {
        if (wide > 0)
            JSON_PUT(out, "\"Infinity\"");
        else
            JSON_PUT(out, "\"-Infinity\"");
    } else {
        char *to = json_out_reserve(out, JSON_NUMBER_MAX);
        out->size += type == PROTOBUF_C_TYPE_FLOAT ? json_put_float(to, narrow)
                                                   : json_put_double(to, wide);
    }
}

static void put_enum(struct json_out *out, const ProtobufCEnumDescriptor *type,
                     const void *from)
{
    int number;
    memcpy(&number, from, sizeof number);
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(type, number);
    if (type == &google__protobuf__null_value__descriptor && number == 0) {
        JSON_PUT(out, "null");
    } else if (value == NULL) {
        put_integer(out, PROTOBUF_C_TYPE_INT32, from);
    } else {
        JSON_PUT(out, "\"");
        json_put(out, value->name, strlen(value->name));
        JSON_PUT(out, "\"");
    }
}

static void put_bool(struct json_out *out, const void *from)
{
    if (*(const protobuf_c_boolean *)from)
        JSON_PUT(out, "true");
    else
        JSON_PUT(out, "false");
}

bool json_put_scalar(struct json_out *out, const field_type *field,
                     const void *from)
{
    const char *text;
    const ProtobufCBinaryData *bytes = from;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        memcpy(&text, from, sizeof text);
        return json_put_string(out, text == NULL ? "" : text,
                               text == NULL ? 0 : strlen(text));
    case PROTOBUF_C_TYPE_BYTES:
        json_put_bytes(out, bytes->data, bytes->len);
        return true;
    case PROTOBUF_C_TYPE_BOOL:
        put_bool(out, from);
        return true;
    case PROTOBUF_C_TYPE_ENUM:
        put_enum(out, field->descriptor, from);
        return true;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        put_real(out, field->type, from);
        return true;
    default:
        put_whole(out, field->type, from);
        return true;
    }
}
