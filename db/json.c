/* json(b) columns: into google.protobuf.Struct and its kin, and by field names
 * into any other message. */
#include "db/column.h"

#include "db/type.h"
#include "rpc/civil.h"

#include <google/protobuf/struct.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <jansson.h>
#include <string.h>

static bool refuse(struct column_reader *r, const char *problem)
{
    r->problem = problem;
    return false;
}

/* The parser and everything here recurse, on a coroutine's stack. */
static bool is_shallow(const char *text, size_t size)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']'))
            depth--;
        if (depth > JSON_DEPTH_MAX)
            return false;
    }
    return true;
}

/* --------------------------------------------------------------- Timestamp */

/* Reads exactly `digits` digits, then `after` when that is not NUL. */
static bool take_number(const char **p, int digits, char after, int low,
                        int high, int *value)
{
    *value = 0;
    for (int i = 0; i < digits; i++, (*p)++) {
        if (**p < '0' || **p > '9')
            return false;
        *value = *value * 10 + (**p - '0');
    }
    if (after != '\0' && *(*p)++ != after)
        return false;
    return *value >= low && *value <= high;
}

/* ".123456789" */
static void take_fraction(const char **p, int32_t *nanos)
{
    int32_t unit = 100000000;
    *nanos = 0;
    if (**p != '.')
        return;
    for ((*p)++; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
        *nanos += (**p - '0') * unit;
}

/* "Z", "+05:30", and PostgreSQL's "+00". */
static bool take_zone(const char **p, int64_t *offset_s)
{
    int hours, minutes = 0;
    char sign = *(*p)++;
    *offset_s = 0;
    if (sign == 'Z' || sign == 'z')
        return true;
    if ((sign != '+' && sign != '-') || !take_number(p, 2, '\0', 0, 18, &hours))
        return false;
    if (**p == ':') {
        (*p)++;
        if (!take_number(p, 2, '\0', 0, 59, &minutes))
            return false;
    }
    *offset_s = (int64_t)(hours * 3600 + minutes * 60) * (sign == '-' ? -1 : 1);
    return true;
}

static bool take_moment(const char *p, Google__Protobuf__Timestamp *t)
{
    int year, month, day, hour, minute, second;
    int64_t offset_s;
    if (!take_number(&p, 4, '-', 1, 9999, &year) ||
        !take_number(&p, 2, '-', 1, 12, &month) ||
        !take_number(&p, 2, '\0', 1, 31, &day))
        return false;
    if (*p != 'T' && *p != 't' && *p != ' ')
        return false;
    p++;
    if (!take_number(&p, 2, ':', 0, 23, &hour) ||
        !take_number(&p, 2, ':', 0, 59, &minute) ||
        !take_number(&p, 2, '\0', 0, 60, &second))
        return false;
    take_fraction(&p, &t->nanos);
    if (!take_zone(&p, &offset_s) || *p != '\0')
        return false;
    t->seconds = civil_to_days(year, month, day) * 86400 +
                 (int64_t)(hour * 3600 + minute * 60 + second) - offset_s;
    return true;
}

bool column_rfc3339(struct column_reader *r, const char *text,
                    ProtobufCMessage *timestamp)
{
    return take_moment(text, (Google__Protobuf__Timestamp *)timestamp) ||
           refuse(r, "a time that is not RFC 3339");
}

/* ----------------------------------------------------------- Struct, Value */

static bool into_struct(struct column_reader *r, const json_t *json,
                        Google__Protobuf__Struct *out);
static bool into_list(struct column_reader *r, const json_t *json,
                      Google__Protobuf__ListValue *out);

static void *new_message(struct column_reader *r,
                         const ProtobufCMessageDescriptor *type)
{
    ProtobufCMessage *m = arena_alloc(r->arena, type->sizeof_message);
    protobuf_c_message_init(type, m);
    return m;
}

static bool into_value(struct column_reader *r, const json_t *json,
                       Google__Protobuf__Value *out)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE;
        out->struct_value =
            new_message(r, &google__protobuf__struct__descriptor);
        return into_struct(r, json, out->struct_value);
    case JSON_ARRAY:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE;
        out->list_value =
            new_message(r, &google__protobuf__list_value__descriptor);
        return into_list(r, json, out->list_value);
    case JSON_STRING:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE;
        out->string_value = arena_strdup(r->arena, json_string_value(json));
        return true;
    case JSON_INTEGER:
    case JSON_REAL:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE;
        out->number_value = json_number_value(json);
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE;
        out->bool_value = json_is_true(json);
        return true;
    case JSON_NULL:
        out->kind_case = GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE;
        return true;
    }
    return false;
}

static bool into_struct(struct column_reader *r, const json_t *json,
                        Google__Protobuf__Struct *out)
{
    if (!json_is_object(json))
        return refuse(r, "JSON that is not an object");
    out->fields =
        arena_array(r->arena, json_object_size(json), sizeof *out->fields);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        Google__Protobuf__Struct__FieldsEntry *entry =
            new_message(r, &google__protobuf__struct__fields_entry__descriptor);
        entry->key = arena_strdup(r->arena, key);
        entry->value = new_message(r, &google__protobuf__value__descriptor);
        out->fields[out->n_fields++] = entry;
        if (!into_value(r, value, entry->value))
            return false;
    }
    return true;
}

static bool into_list(struct column_reader *r, const json_t *json,
                      Google__Protobuf__ListValue *out)
{
    if (!json_is_array(json))
        return refuse(r, "JSON that is not an array");
    out->values =
        arena_array(r->arena, json_array_size(json), sizeof *out->values);
    size_t i;
    const json_t *value;
    json_array_foreach(json, i, value)
    {
        out->values[out->n_values] =
            new_message(r, &google__protobuf__value__descriptor);
        if (!into_value(r, value, out->values[out->n_values++]))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------ by field names
 */

static bool into_message(struct column_reader *r, const json_t *json,
                         ProtobufCMessage *out);

static bool into_int(struct column_reader *r,
                     const ProtobufCFieldDescriptor *field, const json_t *json,
                     void *at)
{
    char bytes[8];
    if (!json_is_integer(json))
        return refuse(r, "JSON that is not an integer");
    type_put64(bytes, (uint64_t)json_integer_value(json));
    return column_reader_for_scalar(TYPE_INT8, field)(r, field, bytes, 8, at);
}

static bool into_real(struct column_reader *r,
                      const ProtobufCFieldDescriptor *field, const json_t *json,
                      void *at)
{
    float narrow = (float)json_number_value(json);
    double wide = json_number_value(json);
    if (!json_is_number(json))
        return refuse(r, "JSON that is not a number");
    if (field->type == PROTOBUF_C_TYPE_FLOAT)
        memcpy(at, &narrow, sizeof narrow);
    else
        memcpy(at, &wide, sizeof wide);
    return true;
}

static bool into_bool(struct column_reader *r, const json_t *json, void *at)
{
    if (!json_is_boolean(json))
        return refuse(r, "JSON that is not a boolean");
    *(protobuf_c_boolean *)at = json_is_true(json);
    return true;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* bytea inside json is PostgreSQL's "\x6869". */
static bool into_bytes(struct column_reader *r, const char *text, void *at)
{
    ProtobufCBinaryData *data = at;
    size_t digits = strncmp(text, "\\x", 2) == 0 ? strlen(text + 2) : 1;
    if (digits % 2 != 0)
        return refuse(r, "JSON that is not a bytea");
    data->data = arena_alloc(r->arena, digits / 2);
    for (data->len = 0; data->len < digits / 2; data->len++) {
        int high = hex_digit(text[2 + 2 * data->len]);
        int low = hex_digit(text[3 + 2 * data->len]);
        if (high < 0 || low < 0)
            return refuse(r, "JSON that is not a bytea");
        data->data[data->len] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool into_text_field(struct column_reader *r,
                            const ProtobufCFieldDescriptor *field,
                            const json_t *json, void *at)
{
    const char *text = json_string_value(json);
    if (text == NULL)
        return refuse(r, "JSON that is not a string");
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        return column_enum(r, field->descriptor, text, strlen(text), at);
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return into_bytes(r, text, at);
    *(char **)at = arena_strdup(r->arena, text);
    return true;
}

/* One value; for a message `at` is the message itself. */
static bool into_scalar(struct column_reader *r,
                        const ProtobufCFieldDescriptor *field,
                        const json_t *json, void *at)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return into_message(r, json, at);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_ENUM:
        return into_text_field(r, field, json, at);
    case PROTOBUF_C_TYPE_BOOL:
        return into_bool(r, json, at);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_FLOAT:
        return into_real(r, field, json, at);
    default:
        return into_int(r, field, json, at);
    }
}

static bool into_repeated(struct column_reader *r,
                          const ProtobufCFieldDescriptor *field,
                          const json_t *json, ProtobufCMessage *message)
{
    if (!json_is_array(json))
        return refuse(r, "JSON that is not an array");
    char *at = column_array(r->arena, message, field, json_array_size(json));
    bool messages = field->type == PROTOBUF_C_TYPE_MESSAGE;
    size_t i;
    const json_t *value;
    json_array_foreach(json, i, value)
    {
        void *element = at + i * column_element_size(field);
        if (messages)
            element = *(void **)element = new_message(r, field->descriptor);
        if (!into_scalar(r, field, value, element))
            return false;
    }
    return true;
}

static bool into_field(struct column_reader *r,
                       const ProtobufCFieldDescriptor *field,
                       const json_t *json, ProtobufCMessage *message)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return into_repeated(r, field, json, message);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return into_message(r, json, column_message(r->arena, message, field));
    return into_scalar(r, field, json, column_present(message, field));
}

static bool into_fields(struct column_reader *r, const json_t *json,
                        ProtobufCMessage *out)
{
    if (!json_is_object(json))
        return refuse(r, "JSON that is not an object");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(out->descriptor,
                                                            key);
        if (field == NULL || json_is_null(value))
            continue;
        if (!into_field(r, field, value, out))
            return false;
    }
    return true;
}

static bool into_message(struct column_reader *r, const json_t *json,
                         ProtobufCMessage *out)
{
    const ProtobufCMessageDescriptor *type = out->descriptor;
    if (type == &google__protobuf__struct__descriptor)
        return into_struct(r, json, (void *)out);
    if (type == &google__protobuf__value__descriptor)
        return into_value(r, json, (void *)out);
    if (type == &google__protobuf__list_value__descriptor)
        return into_list(r, json, (void *)out);
    if (type != &google__protobuf__timestamp__descriptor)
        return into_fields(r, json, out);
    if (!json_is_string(json))
        return refuse(r, "JSON that is not a time");
    return column_rfc3339(r, json_string_value(json), out);
}

bool column_json(struct column_reader *r, const ProtobufCFieldDescriptor *field,
                 const char *text, size_t size, ProtobufCMessage *message)
{
    if (!is_shallow(text, size))
        return refuse(r, "JSON that is nested too deep");
    json_t *json = json_loadb(text, size, JSON_DECODE_ANY, NULL);
    if (json == NULL)
        return refuse(r, "JSON that cannot be parsed");
    bool unset =
        json_is_null(json) && !column_is(field, "google.protobuf.Value");
    bool done = unset || into_field(r, field, json, message);
    json_decref(json);
    return done;
}
