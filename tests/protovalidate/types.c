/* Layout of a message, in the order of the .proto:
 *
 *   ProtobufCMessage | count, array | has, number | case, union | ... */
#include "tests/protovalidate/types.h"

#include "rpc/codec.h"

#include <google/protobuf/any.pb-c.h>
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/field_mask.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <stdlib.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

struct types {
    struct gen *gen;
    const ProtobufCMessageDescriptor **messages; /* as gen->messages */
    bool have_groups;
};

bool types_have_groups(const struct types *types)
{
    return types->have_groups;
}

/* Features of editions: FeatureSet's fields are small enums. */
enum { FIELD_PRESENCE = 1, MESSAGE_ENCODING = 5 };
enum { EXPLICIT = 1, IMPLICIT = 2, LEGACY_REQUIRED = 3, DELIMITED = 2 };
enum { FILE_FEATURES = 50, MESSAGE_FEATURES = 12, FIELD_FEATURES = 21 };

static unsigned feature_in(struct gen *gen, const ProtobufCMessage *options,
                           uint32_t tag, unsigned feature)
{
    size_t size;
    const uint8_t *bytes = option_bytes(gen, options, tag, &size);
    for (size_t i = 0; i + 1 < size; i += 2)
        if (bytes[i] == feature << 3)
            return bytes[i + 1];
    return 0;
}

#define OPTIONS(of) ((of)->options == NULL ? NULL : &(of)->options->base)

static unsigned feature_of(struct gen *gen, const struct message_at *at,
                           const proto_field *field, unsigned feature)
{
    unsigned value = feature_in(gen, OPTIONS(field), FIELD_FEATURES, feature);
    if (value == 0)
        value =
            feature_in(gen, OPTIONS(at->message), MESSAGE_FEATURES, feature);
    if (value == 0)
        value = feature_in(gen, OPTIONS(at->file), FILE_FEATURES, feature);
    return value;
}

static bool is_type(const proto_field *field, int type)
{
    return (int)field->type == type;
}

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

static bool is_implicit(struct gen *gen, const struct message_at *at,
                        const proto_field *field)
{
    const char *syntax = at->file->syntax == NULL ? "" : at->file->syntax;
    unsigned presence = feature_of(gen, at, field, FIELD_PRESENCE);
    return strcmp(syntax, "proto3") == 0 || presence == IMPLICIT;
}

bool types_is_group(struct gen *gen, const struct message_at *at,
                    const proto_field *field)
{
    return is_type(field, TYPE(GROUP)) ||
           (is_type(field, TYPE(MESSAGE)) &&
            feature_of(gen, at, field, MESSAGE_ENCODING) == DELIMITED);
}

static ProtobufCType c_type(const proto_field *field)
{
    static const uint8_t types[] = {
        [TYPE(DOUBLE)] = PROTOBUF_C_TYPE_DOUBLE,
        [TYPE(FLOAT)] = PROTOBUF_C_TYPE_FLOAT,
        [TYPE(INT64)] = PROTOBUF_C_TYPE_INT64,
        [TYPE(UINT64)] = PROTOBUF_C_TYPE_UINT64,
        [TYPE(INT32)] = PROTOBUF_C_TYPE_INT32,
        [TYPE(FIXED64)] = PROTOBUF_C_TYPE_FIXED64,
        [TYPE(FIXED32)] = PROTOBUF_C_TYPE_FIXED32,
        [TYPE(BOOL)] = PROTOBUF_C_TYPE_BOOL,
        [TYPE(STRING)] = PROTOBUF_C_TYPE_STRING,
        [TYPE(GROUP)] = PROTOBUF_C_TYPE_MESSAGE,
        [TYPE(MESSAGE)] = PROTOBUF_C_TYPE_MESSAGE,
        [TYPE(BYTES)] = PROTOBUF_C_TYPE_BYTES,
        [TYPE(UINT32)] = PROTOBUF_C_TYPE_UINT32,
        [TYPE(ENUM)] = PROTOBUF_C_TYPE_ENUM,
        [TYPE(SFIXED32)] = PROTOBUF_C_TYPE_SFIXED32,
        [TYPE(SFIXED64)] = PROTOBUF_C_TYPE_SFIXED64,
        [TYPE(SINT32)] = PROTOBUF_C_TYPE_SINT32,
        [TYPE(SINT64)] = PROTOBUF_C_TYPE_SINT64,
    };
    return (ProtobufCType)types[field->type];
}

/* Enums */

static const proto_enum *enum_in(proto_enum **enums, size_t count,
                                 const char *scope, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(scope);
        if (strncmp(name, scope, length) == 0 && name[length] == '.' &&
            strcmp(name + length + 1, enums[i]->name) == 0)
            return enums[i];
    }
    return NULL;
}

static const proto_enum *find_enum(struct gen *gen, const char *type_name)
{
    const char *name = type_name + 1;
    for (size_t i = 0; i < gen->file_count; i++) {
        const proto_file *file = gen->files[i];
        const proto_enum *found =
            enum_in(file->enum_type, file->n_enum_type, file->package, name);
        if (found != NULL)
            return found;
    }
    for (size_t i = 0; i < gen->message_count; i++) {
        const struct message_at *at = &gen->messages[i];
        const char *scope =
            arena_printf(gen->arena, "%s.%s", at->file->package, at->scope);
        const proto_enum *found = enum_in(
            at->message->enum_type, at->message->n_enum_type, scope, name);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static int compare_values(const void *a, const void *b)
{
    const ProtobufCEnumValue *left = a, *right = b;
    return (left->value > right->value) - (left->value < right->value);
}

/* One range for each number, and the sentinel: simple, and searched as fast. */
static void set_enum_ranges(struct arena *arena, ProtobufCEnumDescriptor *type)
{
    ProtobufCIntRange *ranges =
        arena_array(arena, type->n_values + 1, sizeof *ranges);
    for (unsigned i = 0; i < type->n_values; i++)
        ranges[i] = (ProtobufCIntRange){type->values[i].value, i};
    ranges[type->n_values] = (ProtobufCIntRange){0, type->n_values};
    type->n_value_ranges = type->n_values;
    type->value_ranges = ranges;
}

static const ProtobufCEnumDescriptor *make_enum(struct gen *gen,
                                                const proto_enum *from)
{
    ProtobufCEnumDescriptor *type =
        ARENA_NEW(gen->arena, ProtobufCEnumDescriptor);
    ProtobufCEnumValue *values =
        arena_array(gen->arena, from->n_value, sizeof *values);
    for (size_t i = 0; i < from->n_value; i++)
        values[i] = (ProtobufCEnumValue){
            from->value[i]->name, from->value[i]->name, from->value[i]->number};
    qsort(values, from->n_value, sizeof *values, compare_values);
    unsigned count = 0; /* without aliases */
    for (size_t i = 0; i < from->n_value; i++)
        if (count == 0 || values[count - 1].value != values[i].value)
            values[count++] = values[i];
    *type = (ProtobufCEnumDescriptor){
        .magic = PROTOBUF_C__ENUM_DESCRIPTOR_MAGIC,
        .name = from->name,
        .short_name = from->name,
        .n_values = count,
        .values = values,
    };
    set_enum_ranges(gen->arena, type);
    return type;
}

/* Messages */

struct layout {
    size_t size;
    size_t *union_at; /* by oneof; 0 = has none yet */
    size_t *case_at;
};

static unsigned reserve(struct layout *layout, size_t size, size_t alignment)
{
    size_t at = (layout->size + alignment - 1) / alignment * alignment;
    layout->size = at + size;
    return (unsigned)at;
}

static void place_in_oneof(struct layout *layout, field_type *field,
                           size_t oneof)
{
    if (layout->case_at[oneof] == 0) {
        layout->case_at[oneof] = reserve(layout, 4, 4);
        layout->union_at[oneof] =
            reserve(layout, sizeof(ProtobufCBinaryData), 8);
    }
    field->flags = PROTOBUF_C_FIELD_FLAG_ONEOF;
    field->label = PROTOBUF_C_LABEL_OPTIONAL;
    field->quantifier_offset = (unsigned)layout->case_at[oneof];
    field->offset = (unsigned)layout->union_at[oneof];
}

static void place(struct layout *layout, field_type *field, bool implicit)
{
    bool pointer = field->type == PROTOBUF_C_TYPE_STRING ||
                   field->type == PROTOBUF_C_TYPE_MESSAGE;
    field->label = implicit ? PROTOBUF_C_LABEL_NONE : PROTOBUF_C_LABEL_OPTIONAL;
    if (!implicit && !pointer)
        field->quantifier_offset =
            reserve(layout, sizeof(protobuf_c_boolean), 4);
    field->offset = reserve(layout, codec_element_size(field->type), 8);
    if (implicit && field->type == PROTOBUF_C_TYPE_STRING)
        field->default_value = protobuf_c_empty_string;
}

static void place_list(struct layout *layout, field_type *field)
{
    field->label = PROTOBUF_C_LABEL_REPEATED;
    field->quantifier_offset = reserve(layout, sizeof(size_t), 8);
    field->offset = reserve(layout, sizeof(void *), 8);
}

static void make_field(struct types *types, const struct message_at *at,
                       const proto_field *from, struct layout *layout,
                       field_type *field)
{
    struct gen *gen = types->gen;
    *field = (field_type){
        .name = from->name,
        .id = (uint32_t)from->number,
        .type = c_type(from),
    };
    types->have_groups = types->have_groups || types_is_group(gen, at, from);
    if (field->type == PROTOBUF_C_TYPE_ENUM)
        field->descriptor = make_enum(gen, find_enum(gen, from->type_name));
    else if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        field->descriptor = types_find(types, from->type_name);
    if (from->label ==
        GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED)
        place_list(layout, field);
    else if (from->has_oneof_index)
        place_in_oneof(layout, field, (size_t)from->oneof_index);
    else
        place(layout, field, is_implicit(gen, at, from));
}

static int compare_fields(const void *a, const void *b)
{
    const field_type *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static void set_field_ranges(struct arena *arena,
                             ProtobufCMessageDescriptor *type)
{
    ProtobufCIntRange *ranges =
        arena_array(arena, type->n_fields + 1, sizeof *ranges);
    for (unsigned i = 0; i < type->n_fields; i++)
        ranges[i] = (ProtobufCIntRange){(int)type->fields[i].id, i};
    ranges[type->n_fields] = (ProtobufCIntRange){0, type->n_fields};
    type->n_field_ranges = type->n_fields;
    type->field_ranges = ranges;
}

static void make_message(struct types *types, const struct message_at *at,
                         ProtobufCMessageDescriptor *type)
{
    struct arena *arena = types->gen->arena;
    const proto_message *from = at->message;
    struct layout layout = {
        sizeof(ProtobufCMessage),
        arena_array(arena, from->n_oneof_decl + 1, sizeof(size_t)),
        arena_array(arena, from->n_oneof_decl + 1, sizeof(size_t))};
    field_type *fields = arena_array(arena, from->n_field + 1, sizeof *fields);
    for (size_t i = 0; i < from->n_field; i++)
        make_field(types, at, from->field[i], &layout, &fields[i]);
    qsort(fields, from->n_field, sizeof *fields, compare_fields);
    *type = (ProtobufCMessageDescriptor){
        .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
        .name = arena_printf(arena, "%s.%s", at->file->package, at->scope),
        .short_name = from->name,
        .sizeof_message = layout.size,
        .n_fields = (unsigned)from->n_field,
        .fields = fields,
    };
    set_field_ranges(arena, type);
}

/* Those whose C structs the checks know are the real ones. */
static const ProtobufCMessageDescriptor *built_in(struct arena *arena,
                                                  const struct message_at *at)
{
    static const ProtobufCMessageDescriptor *const known[] = {
        &google__protobuf__any__descriptor,
        &google__protobuf__duration__descriptor,
        &google__protobuf__field_mask__descriptor,
        &google__protobuf__timestamp__descriptor,
    };
    const char *name =
        arena_printf(arena, "%s.%s", at->file->package, at->scope);
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i]->name, name) == 0)
            return known[i];
    return NULL;
}

struct types *types_create(struct gen *gen)
{
    struct types *types = ARENA_NEW(gen->arena, struct types);
    types->gen = gen;
    types->messages = arena_array(gen->arena, gen->message_count + 1,
                                  sizeof *types->messages);
    ProtobufCMessageDescriptor *made =
        arena_array(gen->arena, gen->message_count + 1, sizeof *made);
    for (size_t i = 0; i < gen->message_count; i++) {
        types->messages[i] = built_in(gen->arena, &gen->messages[i]);
        if (types->messages[i] == NULL)
            types->messages[i] = &made[i];
    }
    for (size_t i = 0; i < gen->message_count; i++)
        if (types->messages[i] == &made[i])
            make_message(types, &gen->messages[i], &made[i]);
    return types;
}

const ProtobufCMessageDescriptor *types_find(const struct types *types,
                                             const char *type_name)
{
    const struct message_at *at = gen_message(types->gen, type_name);
    return at == NULL ? NULL : types->messages[at - types->gen->messages];
}
