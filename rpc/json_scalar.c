/* Values that are no messages, and the messages that are strings in JSON. */
#include "rpc/base64.h"
#include "rpc/codec.h"
#include "rpc/json_number.h"
#include "rpc/json_reader.h"
#include "rpc/json_time.h"

#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/field_mask.pb-c.h>
#include <google/protobuf/struct.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <math.h>
#include <string.h>

static bool read_quoted(struct json_reader *r, struct json_string *string,
                        const char *expected)
{
    if (json_peek(&r->scan) != '"')
        return json_fail(r, r->scan.at, "expected %s", expected);
    return json_scan_string(&r->scan, string) || json_fail_scan(r);
}

bool json_text(struct json_reader *r, const struct json_string *string,
               const char **text, size_t *size)
{
    *text = string->raw;
    *size = string->size;
    if (!string->is_escaped)
        return true;
    char *plain = json_take(r, string->size);
    if (plain == NULL)
        return false;
    *text = plain;
    *size = json_unescape(string, plain);
    return true;
}

/* Numbers */

/* The whole of a text that stood in quotes. */
static bool number_in(const char *text, size_t size, struct json_number *number)
{
    struct json_scan scan = {text, text + size, NULL};
    return json_scan_number(&scan, number) && scan.at == scan.end;
}

static bool number_in_quotes(struct json_reader *r, const char *expected,
                             struct json_number *number)
{
    struct json_string string;
    const char *at = r->scan.at, *text;
    size_t size;
    if (!read_quoted(r, &string, expected) ||
        !json_text(r, &string, &text, &size))
        return false;
    return number_in(text, size, number) ||
           json_fail(r, at, "expected %s", expected);
}

static bool read_number(struct json_reader *r, const char *expected,
                        struct json_number *number)
{
    char c = json_peek(&r->scan);
    if (c == '"')
        return number_in_quotes(r, expected, number);
    if (c != '-' && (c < '0' || c > '9'))
        return json_fail(r, r->scan.at, "expected %s", expected);
    return json_scan_number(&r->scan, number) || json_fail_scan(r);
}

static bool store32(void *to, uint32_t value)
{
    memcpy(to, &value, sizeof value);
    return true;
}

static bool store64(void *to, uint64_t value)
{
    memcpy(to, &value, sizeof value);
    return true;
}

static bool store_whole(ProtobufCType type, const struct json_number *number,
                        void *to)
{
    int64_t with_sign;
    uint64_t without;
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_number_unsigned(number, UINT32_MAX, &without) &&
               store32(to, (uint32_t)without);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_number_unsigned(number, UINT64_MAX, &without) &&
               store64(to, without);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_number_signed(number, INT64_MIN, INT64_MAX, &with_sign) &&
               store64(to, (uint64_t)with_sign);
    default:
        return json_number_signed(number, INT32_MIN, INT32_MAX, &with_sign) &&
               store32(to, (uint32_t)with_sign);
    }
}

static const char *whole_range(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return "a whole number from 0 to 4294967295";
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return "a whole number from 0 to 18446744073709551615";
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return "a whole number of 64 bits";
    default:
        return "a whole number from -2147483648 to 2147483647";
    }
}

static bool read_whole(struct json_reader *r, ProtobufCType type, void *to)
{
    struct json_number number;
    json_peek(&r->scan);
    const char *at = r->scan.at;
    return read_number(r, "a number", &number) &&
           (store_whole(type, &number, to) ||
            json_fail(r, at, "expected %s", whole_range(type)));
}

static bool real_by_name(const char *text, size_t size, double *value)
{
    static const struct {
        const char *name;
        double value;
    } names[] = {
        {"NaN", NAN}, {"Infinity", INFINITY}, {"-Infinity", -INFINITY}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].name) == size &&
            memcmp(names[i].name, text, size) == 0) {
            *value = names[i].value;
            return true;
        }
    return false;
}

static bool store_real(ProtobufCType type, double value, void *to)
{
    float narrow = (float)value;
    if (type == PROTOBUF_C_TYPE_FLOAT)
        memcpy(to, &narrow, sizeof narrow);
    else
        memcpy(to, &value, sizeof value);
    return true;
}

static bool convert_real(ProtobufCType type, const struct json_number *number,
                         const char *text, void *to)
{
    float narrow;
    double wide;
    if (type == PROTOBUF_C_TYPE_DOUBLE)
        return json_number_double(number, text, &wide) &&
               store_real(type, wide, to);
    if (!json_number_float(number, text, &narrow))
        return false;
    memcpy(to, &narrow, sizeof narrow);
    return true;
}

/* Most numbers are short and need no copy that ends in a NUL. */
static bool read_real(struct json_reader *r, ProtobufCType type, void *to)
{
    struct json_number number;
    struct json_scan ahead;
    struct json_string string;
    double value;
    bool is_quoted = json_peek(&r->scan) == '"';
    const char *at = r->scan.at;
    ahead = r->scan;
    if (is_quoted && json_scan_string(&ahead, &string) &&
        real_by_name(string.raw, string.size, &value)) {
        r->scan = ahead;
        return store_real(type, value, to);
    }
    if (!read_number(r, "a number", &number))
        return false;
    if (convert_real(type, &number, NULL, to))
        return true;
    char *text = json_take(r, number.size + 1);
    if (text == NULL)
        return false;
    memcpy(text, number.text, number.size);
    return convert_real(type, &number, text, to) ||
           json_fail(r, at, "a number that is too large");
}

/* Words and strings */

static bool read_bool(struct json_reader *r, void *to)
{
    protobuf_c_boolean value = json_peek(&r->scan) == 't';
    if (!json_scan_word(&r->scan, value ? "true" : "false"))
        return json_fail(r, r->scan.at, "expected true or false");
    memcpy(to, &value, sizeof value);
    return true;
}

static const ProtobufCEnumValue *find_value(const ProtobufCEnumDescriptor *type,
                                            const char *name, size_t size)
{
    unsigned low = 0, high = type->n_value_names;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const ProtobufCEnumValueIndex *at = &type->values_by_name[middle];
        int order = strncmp(name, at->name, size);
        if (order == 0 && at->name[size] == '\0')
            return &type->values[at->index];
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool read_enum_name(struct json_reader *r,
                           const ProtobufCEnumDescriptor *type, void *to)
{
    enum { SHOWN = 48 };
    struct json_string string;
    const char *at = r->scan.at, *name;
    size_t size;
    if (!read_quoted(r, &string, "a name") ||
        !json_text(r, &string, &name, &size))
        return false;
    const ProtobufCEnumValue *value = find_value(type, name, size);
    if (value == NULL)
        return json_fail(r, at, "\"%.*s\" is no value of %s",
                         (int)(size < SHOWN ? size : SHOWN), string.raw,
                         type->name);
    return store32(to, (uint32_t)value->value);
}

static bool read_enum(struct json_reader *r,
                      const ProtobufCEnumDescriptor *type, void *to)
{
    char c = json_peek(&r->scan);
    if (c == '"')
        return read_enum_name(r, type, to);
    if (c == 'n' && type == &google__protobuf__null_value__descriptor)
        return (json_scan_word(&r->scan, "null") || json_fail_scan(r)) &&
               store32(to, 0);
    return read_whole(r, PROTOBUF_C_TYPE_INT32, to);
}

static bool keep_string(struct json_reader *r, const struct json_string *string,
                        void *to)
{
    const char *text = protobuf_c_empty_string;
    if (string->size > 0) {
        char *copy = json_take(r, string->size + 1);
        if (copy == NULL)
            return false;
        if (string->is_escaped)
            json_unescape(string, copy);
        else
            memcpy(copy, string->raw, string->size);
        text = copy;
    }
    memcpy(to, &text, sizeof text);
    return true;
}

static bool read_string(struct json_reader *r, void *to)
{
    struct json_string string;
    return read_quoted(r, &string, "a string") && keep_string(r, &string, to);
}

static bool read_bytes(struct json_reader *r, void *to)
{
    struct json_string string;
    ProtobufCBinaryData bytes = {0, NULL};
    const char *at, *text;
    size_t size;
    json_peek(&r->scan);
    at = r->scan.at;
    if (!read_quoted(r, &string, "base64 in quotes") ||
        !json_text(r, &string, &text, &size))
        return false;
    if (size > 0) {
        bytes.data = json_take(r, size * 3 / 4 + 1);
        if (bytes.data == NULL)
            return false;
        if (!base64_decode(bytes.data, &bytes.len, text, size, BASE64_EITHER))
            return json_fail(r, at, "expected base64");
    }
    memcpy(to, &bytes, sizeof bytes);
    return true;
}

bool json_read_scalar(struct json_reader *r, const field_type *field, void *to)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return read_string(r, to);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(r, to);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(r, to);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(r, field->descriptor, to);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return read_real(r, field->type, to);
    default:
        return read_whole(r, field->type, to);
    }
}

/* Keys */

static bool read_bool_key(struct json_reader *r, const char *at,
                          const char *text, size_t size, void *to)
{
    protobuf_c_boolean value = size == 4 && memcmp(text, "true", 4) == 0;
    if (!value && (size != 5 || memcmp(text, "false", 5) != 0))
        return json_fail(r, at, "expected \"true\" or \"false\"");
    memcpy(to, &value, sizeof value);
    return true;
}

bool json_read_key(struct json_reader *r, const field_type *field,
                   const struct json_string *key, void *to)
{
    struct json_number number;
    const char *text, *at = key->raw - 1;
    size_t size;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return keep_string(r, key, to);
    if (!json_text(r, key, &text, &size))
        return false;
    if (field->type == PROTOBUF_C_TYPE_BOOL)
        return read_bool_key(r, at, text, size, to);
    return (number_in(text, size, &number) &&
            store_whole(field->type, &number, to)) ||
           json_fail(r, at, "expected %s, in quotes", whole_range(field->type));
}

/* Messages that are strings */

static bool read_timestamp(struct json_reader *r, const char *text, size_t size,
                           ProtobufCMessage *message)
{
    Google__Protobuf__Timestamp *time = (void *)message;
    (void)r;
    return json_time_read(text, size, &time->seconds, &time->nanos);
}

static bool read_duration(struct json_reader *r, const char *text, size_t size,
                          ProtobufCMessage *message)
{
    Google__Protobuf__Duration *duration = (void *)message;
    (void)r;
    return json_duration_read(text, size, &duration->seconds, &duration->nanos);
}

/* One path, "userName.id" as "user_name.id"; NULL when it is none. */
static char *read_path(struct json_reader *r, const char *text, size_t size)
{
    char *path = json_take(r, 2 * size + 1);
    char *to = path, before = '.';
    if (path == NULL || size == 0 || text[size - 1] == '.')
        return NULL;
    for (size_t i = 0; i < size; before = text[i++]) {
        char c = text[i];
        bool is_upper = c >= 'A' && c <= 'Z';
        bool is_other = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!is_upper && !is_other && (c != '.' || before == '.'))
            return NULL;
        if (is_upper)
            *to++ = '_';
        *to++ = is_upper ? (char)(c - 'A' + 'a') : c;
    }
    return path;
}

static bool read_field_mask(struct json_reader *r, const char *text,
                            size_t size, ProtobufCMessage *message)
{
    const char *end = text + size;
    Google__Protobuf__FieldMask *mask = (void *)message;
    void *array = NULL;
    while (size > 0) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma == NULL ? end : comma;
        char *path = read_path(r, text, (size_t)(stop - text));
        if (path == NULL ||
            !codec_reserve(&r->memory, &array, sizeof path, mask->n_paths, 1))
            return false;
        mask->paths = array;
        mask->paths[mask->n_paths++] = path;
        if (comma == NULL)
            break;
        text = comma + 1;
    }
    return true;
}

static const struct {
    bool (*read)(struct json_reader *r, const char *text, size_t size,
                 ProtobufCMessage *message);
    const char *expected;
} texts[] = {
    [JSON_KIND_TIMESTAMP] = {read_timestamp,
                             "a time like \"2006-01-02T15:04:05Z\""},
    [JSON_KIND_DURATION] = {read_duration, "a duration like \"1.5s\""},
    [JSON_KIND_FIELD_MASK] = {read_field_mask,
                              "a field mask like \"name,owner.userId\""},
};

bool json_read_text_message(struct json_reader *r,
                            const struct json_message *table,
                            ProtobufCMessage *message)
{
    struct json_string string;
    const char *at, *text;
    size_t size;
    json_peek(&r->scan);
    at = r->scan.at;
    if (!read_quoted(r, &string, texts[table->kind].expected) ||
        !json_text(r, &string, &text, &size))
        return false;
    return texts[table->kind].read(r, text, size, message) ||
           json_fail(r, at, "expected %s", texts[table->kind].expected);
}
