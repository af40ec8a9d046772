/* What PostgreSQL sends in binary, into the fields of protobuf-c's structs. */
#include "db/column.h"

#include "db/type.h"
#include "rpc/enum_name.h"

#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool refuse(struct column_reader *r, const char *problem)
{
    r->problem = problem;
    return false;
}

bool column_is(const ProtobufCFieldDescriptor *field, const char *message)
{
    const ProtobufCMessageDescriptor *type = field->descriptor;
    return field->type == PROTOBUF_C_TYPE_MESSAGE &&
           strcmp(type->name, message) == 0;
}

/* --------------------------------------------------------------- structs */

void *column_present(ProtobufCMessage *message,
                     const ProtobufCFieldDescriptor *field)
{
    char *base = (char *)message;
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        *(uint32_t *)(base + field->quantifier_offset) = field->id;
    else if (field->label == PROTOBUF_C_LABEL_OPTIONAL &&
             field->quantifier_offset != 0)
        *(protobuf_c_boolean *)(base + field->quantifier_offset) = 1;
    return base + field->offset;
}

/* A oneof's members share their place: what is there is ours only when the case
 * says so. */
ProtobufCMessage *column_message(struct arena *arena, ProtobufCMessage *message,
                                 const ProtobufCFieldDescriptor *field)
{
    char *base = (char *)message;
    const ProtobufCMessageDescriptor *type = field->descriptor;
    bool other = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
                 *(uint32_t *)(base + field->quantifier_offset) != field->id;
    ProtobufCMessage **at = column_present(message, field);
    if (other || *at == NULL) {
        *at = arena_alloc(arena, type->sizeof_message);
        protobuf_c_message_init(type, *at);
    }
    return *at;
}

size_t column_element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 8;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return 4;
    }
}

void *column_array(struct arena *arena, ProtobufCMessage *message,
                   const ProtobufCFieldDescriptor *field, size_t count)
{
    char *base = (char *)message;
    void *elements = arena_array(arena, count, column_element_size(field));
    *(size_t *)(base + field->quantifier_offset) = count;
    *(void **)(base + field->offset) = count == 0 ? NULL : elements;
    return elements;
}

/* ---------------------------------------------------------------- numbers */

static bool is_wide(const ProtobufCFieldDescriptor *field)
{
    return column_element_size(field) == 8;
}

static bool store_int(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, int64_t number,
                      void *at)
{
    bool is_unsigned = field->type == PROTOBUF_C_TYPE_UINT32 ||
                       field->type == PROTOBUF_C_TYPE_FIXED32 ||
                       field->type == PROTOBUF_C_TYPE_UINT64 ||
                       field->type == PROTOBUF_C_TYPE_FIXED64;
    if (is_unsigned && number < 0)
        return refuse(r, "a negative number for an unsigned field");
    if (is_wide(field)) {
        memcpy(at, &number, 8);
        return true;
    }
    if (is_unsigned ? number > UINT32_MAX
                    : number > INT32_MAX || number < INT32_MIN)
        return refuse(r, "a number that does not fit in 32 bits");
    uint32_t narrow = (uint32_t)number;
    memcpy(at, &narrow, 4);
    return true;
}

static bool store_real(const ProtobufCFieldDescriptor *field, double number,
                       void *at)
{
    float narrow = (float)number;
    if (field->type == PROTOBUF_C_TYPE_FLOAT)
        memcpy(at, &narrow, sizeof narrow);
    else
        memcpy(at, &number, sizeof number);
    return true;
}

static bool get_int(const char *bytes, size_t size, int64_t *number)
{
    switch (size) {
    case 2:
        *number = (int16_t)type_get16(bytes);
        return true;
    case 4:
        *number = (int32_t)type_get32(bytes);
        return true;
    case 8:
        *number = (int64_t)type_get64(bytes);
        return true;
    default:
        return false;
    }
}

static bool read_int(struct column_reader *r,
                     const ProtobufCFieldDescriptor *field, const char *bytes,
                     size_t size, void *at)
{
    int64_t number;
    return get_int(bytes, size, &number)
               ? store_int(r, field, number, at)
               : refuse(r, "an integer of an odd size");
}

static bool read_int_as_real(struct column_reader *r,
                             const ProtobufCFieldDescriptor *field,
                             const char *bytes, size_t size, void *at)
{
    int64_t number;
    return get_int(bytes, size, &number)
               ? store_real(field, (double)number, at)
               : refuse(r, "an integer of an odd size");
}

static bool read_real(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, const char *bytes,
                      size_t size, void *at)
{
    double wide;
    float narrow;
    uint64_t bits64;
    uint32_t bits32;
    switch (size) {
    case 8:
        bits64 = type_get64(bytes);
        memcpy(&wide, &bits64, 8);
        return store_real(field, wide, at);
    case 4:
        bits32 = type_get32(bytes);
        memcpy(&narrow, &bits32, 4);
        return store_real(field, narrow, at);
    default:
        return refuse(r, "a float of an odd size");
    }
}

static char *numeric_text(struct column_reader *r, const char *bytes,
                          size_t size)
{
    size_t room = type_numeric_text_size(bytes, size);
    char *text = room == 0 ? NULL : arena_alloc(r->arena, room);
    if (text == NULL || !type_numeric_text(bytes, size, text)) {
        refuse(r, "a numeric that is broken");
        return NULL;
    }
    return text;
}

static bool read_numeric_as_real(struct column_reader *r,
                                 const ProtobufCFieldDescriptor *field,
                                 const char *bytes, size_t size, void *at)
{
    char *text = numeric_text(r, bytes, size);
    return text != NULL && store_real(field, strtod(text, NULL), at);
}

/* sum(bigint) is numeric. */
static bool read_numeric_as_int(struct column_reader *r,
                                const ProtobufCFieldDescriptor *field,
                                const char *bytes, size_t size, void *at)
{
    char *text = numeric_text(r, bytes, size);
    if (text == NULL)
        return false;
    char *end;
    int64_t number = strtoll(text, &end, 10);
    char again[32];
    snprintf(again, sizeof again, "%" PRId64, number);
    size_t digits = (size_t)(end - text);
    if (digits != strlen(again) || strncmp(text, again, digits) != 0 ||
        strspn(end, ".0") != strlen(end))
        return refuse(r, "a numeric that is no integer of 64 bits");
    return store_int(r, field, number, at);
}

static bool read_bool(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, const char *bytes,
                      size_t size, void *at)
{
    (void)field;
    if (size != 1)
        return refuse(r, "a bool of an odd size");
    *(protobuf_c_boolean *)at = bytes[0] != 0;
    return true;
}

/* ------------------------------------------------------------------ texts */

static bool read_text(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, const char *bytes,
                      size_t size, void *at)
{
    (void)field;
    *(char **)at = arena_strndup(r->arena, bytes, size);
    return true;
}

/* Whether bytes are UTF-8 (RFC 3629) without NUL. */
static bool is_text(const char *bytes, size_t size)
{
    const uint8_t *b = (const uint8_t *)bytes, *end = b + size;
    while (b < end) {
        int more = *b < 0x80 ? 0 : *b >= 0xf0 ? 3 : *b >= 0xe0 ? 2 : 1;
        uint32_t c = more == 0 ? *b : *b & (0x3fu >> more);
        bool lead = more == 0 || (*b >= 0xc2 && *b <= 0xf4);
        if (!lead || *b == 0 || end - b <= more)
            return false;
        for (int i = 1; i <= more; i++) {
            if ((b[i] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (b[i] & 0x3fu);
        }
        if ((more == 2 && c < 0x800) || (more == 3 && c < 0x10000) ||
            (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
            return false;
        b += more + 1;
    }
    return true;
}

/* A type with an OID of this database: citext and enums send text, others
 * (geography) do not. */
static bool read_own_text(struct column_reader *r,
                          const ProtobufCFieldDescriptor *field,
                          const char *bytes, size_t size, void *at)
{
    if (!is_text(bytes, size))
        return refuse(r, "a type whose binary form is not text; cast it");
    return read_text(r, field, bytes, size, at);
}

static bool read_jsonb_text(struct column_reader *r,
                            const ProtobufCFieldDescriptor *field,
                            const char *bytes, size_t size, void *at)
{
    if (size < 1 || bytes[0] != 1)
        return refuse(r, "a jsonb of an unknown version");
    return read_text(r, field, bytes + 1, size - 1, at);
}

static bool read_numeric_text(struct column_reader *r,
                              const ProtobufCFieldDescriptor *field,
                              const char *bytes, size_t size, void *at)
{
    (void)field;
    char *text = numeric_text(r, bytes, size);
    *(char **)at = text;
    return text != NULL;
}

/* Reads with one of type.h's functions, none of which writes more than this. */
static bool read_formatted(struct column_reader *r,
                           bool (*format)(const void *, size_t, char *),
                           const char *bytes, size_t size, void *at)
{
    char *text = arena_alloc(r->arena, TYPE_DATE_TEXT + TYPE_TIME_TEXT);
    if (!format(bytes, size, text))
        return refuse(r, "a value of an odd size");
    *(char **)at = text;
    return true;
}

static bool read_uuid(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, const char *bytes,
                      size_t size, void *at)
{
    (void)field;
    return read_formatted(r, type_uuid_text, bytes, size, at);
}

static bool read_date(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, const char *bytes,
                      size_t size, void *at)
{
    (void)field;
    return read_formatted(r, type_date_text, bytes, size, at);
}

static bool read_time_text(struct column_reader *r,
                           const ProtobufCFieldDescriptor *field,
                           const char *bytes, size_t size, void *at)
{
    (void)field;
    return read_formatted(r, type_time_text, bytes, size, at);
}

static bool read_timestamp_text(struct column_reader *r,
                                const ProtobufCFieldDescriptor *field,
                                const char *bytes, size_t size, void *at)
{
    (void)field;
    return read_formatted(r, type_timestamp_text, bytes, size, at);
}

static bool read_bytes(struct column_reader *r,
                       const ProtobufCFieldDescriptor *field, const char *bytes,
                       size_t size, void *at)
{
    (void)field;
    ProtobufCBinaryData *data = at;
    data->len = size;
    data->data = arena_memdup(r->arena, bytes, size);
    return true;
}

/* ------------------------------------------------------------------ enums */

bool column_enum(struct column_reader *r, const ProtobufCEnumDescriptor *type,
                 const char *name, size_t size, int32_t *value)
{
    return enum_value(type, name, size, value) ||
           refuse(r, "a name that the enum does not have");
}

static bool read_enum(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, const char *bytes,
                      size_t size, void *at)
{
    return column_enum(r, field->descriptor, bytes, size, at);
}

/* --------------------------------------------------------------- messages */

/* infinity has no Timestamp: the field is there and holds the last or first
 * moment that one can. */
static bool read_timestamptz(struct column_reader *r,
                             const ProtobufCFieldDescriptor *field,
                             const char *bytes, size_t size, void *at)
{
    const int64_t first_s = -62135596800, last_s = 253402300799;
    if (size != 8)
        return refuse(r, "a timestamptz of an odd size");
    Google__Protobuf__Timestamp *t =
        (void *)column_message(r->arena, at, field);
    int64_t us = (int64_t)type_get64(bytes);
    int64_t rest_us = us % type_us;
    t->seconds = us / type_us - (rest_us < 0) + type_epoch_s;
    t->nanos = (int32_t)(rest_us < 0 ? rest_us + type_us : rest_us) * 1000;
    if (t->seconds < first_s)
        t->seconds = first_s, t->nanos = 0;
    if (t->seconds > last_s)
        t->seconds = last_s, t->nanos = 999999999;
    return true;
}

/* Months have no length: only intervals of days and less. */
static bool read_interval(struct column_reader *r,
                          const ProtobufCFieldDescriptor *field,
                          const char *bytes, size_t size, void *at)
{
    if (size != 16 || type_get32(bytes + 12) != 0)
        return refuse(r, "an interval with months");
    Google__Protobuf__Duration *d = (void *)column_message(r->arena, at, field);
    int64_t us = (int64_t)type_get64(bytes);
    int32_t days = (int32_t)type_get32(bytes + 8);
    d->seconds = us / type_us + days * (int64_t)86400;
    d->nanos = (int32_t)(us % type_us) * 1000;
    if (d->seconds > 0 && d->nanos < 0)
        d->seconds--, d->nanos += 1000000000;
    if (d->seconds < 0 && d->nanos > 0)
        d->seconds++, d->nanos -= 1000000000;
    return true;
}

static bool read_json(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, const char *bytes,
                      size_t size, void *at)
{
    return column_json(r, field, bytes, size, at);
}

static bool read_jsonb(struct column_reader *r,
                       const ProtobufCFieldDescriptor *field, const char *bytes,
                       size_t size, void *at)
{
    if (size < 1 || bytes[0] != 1)
        return refuse(r, "a jsonb of an unknown version");
    return column_json(r, field, bytes + 1, size - 1, at);
}

/* ----------------------------------------------------------------- arrays */

enum { ARRAY_ELEMENTS_MAX = 1 << 20 };

static bool read_elements(struct column_reader *r,
                          const ProtobufCFieldDescriptor *field,
                          column_read read, const char *bytes, size_t size,
                          size_t count, char *elements)
{
    for (size_t i = 0; i < count; i++) {
        if (size < 4)
            return refuse(r, "an array that is too short");
        int32_t element = (int32_t)type_get32(bytes);
        bytes += 4, size -= 4;
        if (element < 0)
            return refuse(r, "an array with a null in it");
        if ((size_t)element > size)
            return refuse(r, "an array that is too short");
        if (!read(r, field, bytes, (size_t)element,
                  elements + i * column_element_size(field)))
            return false;
        bytes += element, size -= (size_t)element;
    }
    return true;
}

/* Dimensions, has-null flag, element type; size and lower bound; elements. */
static bool read_array(struct column_reader *r,
                       const ProtobufCFieldDescriptor *field, const char *bytes,
                       size_t size, void *at)
{
    if (size < 12 || type_get32(bytes) > 1)
        return refuse(r, "an array of several dimensions");
    if (type_get32(bytes) == 0) {
        column_array(r->arena, at, field, 0);
        return true;
    }
    column_read read = column_reader_for_scalar(type_get32(bytes + 8), field);
    if (read == NULL || size < 20)
        return refuse(r, "an array whose elements do not fit the field");
    size_t count = type_get32(bytes + 12);
    if (count > ARRAY_ELEMENTS_MAX || count > size / 4)
        return refuse(r, "an array that is too long");
    char *elements = column_array(r->arena, at, field, count);
    return read_elements(r, field, read, bytes + 20, size - 20, count,
                         elements);
}

/* ------------------------------------------------------- what fits what */

static column_read string_reader(uint32_t oid)
{
    switch (oid) {
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_NAME:
    case TYPE_JSON:
    case TYPE_UNKNOWN:
        return read_text;
    case TYPE_JSONB:
        return read_jsonb_text;
    case TYPE_UUID:
        return read_uuid;
    case TYPE_DATE:
        return read_date;
    case TYPE_TIME:
        return read_time_text;
    case TYPE_TIMESTAMP:
        return read_timestamp_text;
    case TYPE_NUMERIC:
        return read_numeric_text;
    default:
        return oid >= TYPE_FIRST_OWN ? read_own_text : NULL;
    }
}

static column_read enum_reader(uint32_t oid)
{
    column_read text = string_reader(oid);
    if (oid == TYPE_INT2 || oid == TYPE_INT4)
        return read_int;
    return text == read_text || text == read_own_text ? read_enum : NULL;
}

static column_read int_reader(uint32_t oid)
{
    switch (oid) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        return read_int;
    case TYPE_NUMERIC:
        return read_numeric_as_int;
    default:
        return NULL;
    }
}

static column_read real_reader(uint32_t oid)
{
    switch (oid) {
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
        return read_real;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        return read_int_as_real;
    case TYPE_NUMERIC:
        return read_numeric_as_real;
    default:
        return NULL;
    }
}

static column_read message_reader(uint32_t oid,
                                  const ProtobufCFieldDescriptor *field)
{
    if (oid == TYPE_TIMESTAMPTZ)
        return column_is(field, "google.protobuf.Timestamp") ? read_timestamptz
                                                             : NULL;
    if (oid == TYPE_INTERVAL)
        return column_is(field, "google.protobuf.Duration") ? read_interval
                                                            : NULL;
    return oid == TYPE_JSON ? read_json : oid == TYPE_JSONB ? read_jsonb : NULL;
}

column_read column_reader_for_scalar(uint32_t oid,
                                     const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return string_reader(oid);
    case PROTOBUF_C_TYPE_BYTES:
        return oid == TYPE_BYTEA ? read_bytes : NULL;
    case PROTOBUF_C_TYPE_BOOL:
        return oid == TYPE_BOOL ? read_bool : NULL;
    case PROTOBUF_C_TYPE_ENUM:
        return enum_reader(oid);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return real_reader(oid);
    case PROTOBUF_C_TYPE_MESSAGE:
        return NULL;
    default:
        return int_reader(oid);
    }
}

column_read column_reader_for(uint32_t oid,
                              const ProtobufCFieldDescriptor *field)
{
    bool is_json = oid == TYPE_JSON || oid == TYPE_JSONB;
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return field->type == PROTOBUF_C_TYPE_MESSAGE
                   ? message_reader(oid, field)
                   : column_reader_for_scalar(oid, field);
    if (is_json)
        return oid == TYPE_JSON ? read_json : read_jsonb;
    if (oid >= TYPE_FIRST_OWN) /* citext[], an enum's array: told by the row */
        return field->type == PROTOBUF_C_TYPE_STRING ||
                       field->type == PROTOBUF_C_TYPE_ENUM
                   ? read_array
                   : NULL;
    uint32_t element = type_element(oid);
    return element != 0 && column_reader_for_scalar(element, field) ? read_array
                                                                    : NULL;
}
