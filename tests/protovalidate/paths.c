/* From the text that clients see ("items[3].name") back to fields: whatever
 * does not lead somewhere is a bug, and ends the program. */
#include "tests/protovalidate/paths.h"

#include "tests/protovalidate/types.h"

#include <assert.h>
#include <buf/validate/validate.pb-c.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

static FieldPathElement *append(struct gen *gen, FieldPath *path)
{
    FieldPathElement *element = ARENA_NEW(gen->arena, FieldPathElement);
    *element = (FieldPathElement)FIELD_PATH_ELEMENT_INIT;
    if (path->elements == NULL)
        path->elements =
            arena_array(gen->arena, DEPTH_MAX, sizeof *path->elements);
    assert(path->n_elements < DEPTH_MAX);
    path->elements[path->n_elements++] = element;
    return element;
}

static FieldPath *new_path(struct gen *gen)
{
    FieldPath *path = ARENA_NEW(gen->arena, FieldPath);
    *path = (FieldPath)FIELD_PATH_INIT;
    return path;
}

/* Fields */

static const proto_field *field_named(const proto_message *m, const char *name,
                                      size_t length)
{
    for (size_t i = 0; i < m->n_field; i++)
        if (strlen(m->field[i]->name) == length &&
            strncmp(m->field[i]->name, name, length) == 0)
            return m->field[i];
    return NULL;
}

static bool is_map(const struct message_at *type)
{
    return type != NULL && type->message->options != NULL &&
           type->message->options->map_entry;
}

/* What stands in the brackets; returns what is behind them. */
static const char *read_subscript(struct gen *gen, FieldPathElement *element,
                                  int key_type, const char *text)
{
    char *end;
    if (text[0] == '"') {
        const char *quote = strstr(text, "\"]");
        element->subscript_case = FIELD_PATH_ELEMENT_STRING_KEY_CASE;
        element->string_key =
            arena_strndup(gen->arena, text + 1, (size_t)(quote - text - 1));
        return quote + 2;
    }
    if (text[0] == 't' || text[0] == 'f') {
        element->subscript_case = FIELD_PATH_ELEMENT_BOOL_KEY_CASE;
        element->bool_key = text[0] == 't';
        return strchr(text, ']') + 1;
    }
    switch (key_type) {
    case 0:
        element->subscript_case = FIELD_PATH_ELEMENT_INDEX_CASE;
        element->index = strtoull(text, &end, 10);
        break;
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT32:
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_UINT64:
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FIXED32:
    case GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_FIXED64:
        element->subscript_case = FIELD_PATH_ELEMENT_UINT_KEY_CASE;
        element->uint_key = strtoull(text, &end, 10);
        break;
    default:
        element->subscript_case = FIELD_PATH_ELEMENT_INT_KEY_CASE;
        element->int_key = strtoll(text, &end, 10);
    }
    assert(*end == ']');
    return end + 1;
}

/* One field with its subscript; *at is then the message that it leads to. */
static const char *read_field(struct gen *gen, const struct message_at **at,
                              FieldPathElement *element, const char *text)
{
    size_t length = strcspn(text, ".[");
    const proto_field *field = field_named((*at)->message, text, length);
    element->field_name = arena_strndup(gen->arena, text, length);
    text += length;
    if (field == NULL)
        return text; /* a oneof */
    element->field_number = field->number;
    element->field_type =
        types_is_group(gen, *at, field)
            ? GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_GROUP
            : (int)field->type;
    *at = field->type_name == NULL ? NULL : gen_message(gen, field->type_name);
    if (*text != '[')
        return text;
    if (is_map(*at)) {
        const proto_field *value = (*at)->message->field[1];
        element->key_type = (int)(*at)->message->field[0]->type;
        element->value_type = (int)value->type;
        *at = value->type_name == NULL ? NULL
                                       : gen_message(gen, value->type_name);
    }
    return read_subscript(gen, element, element->key_type, text + 1);
}

FieldPath *path_of_field(struct gen *gen, const struct message_at *at,
                         const char *field)
{
    if (field[0] == '\0')
        return NULL;
    FieldPath *path = new_path(gen);
    for (;;) {
        field = read_field(gen, &at, append(gen, path), field);
        if (*field == '\0')
            return path;
        assert(*field == '.');
        field++;
    }
}

/* Rules */

static int type_number(ProtobufCType type)
{
#define TYPE(name)             \
    [PROTOBUF_C_TYPE_##name] = \
        GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name
    static const int numbers[] = {
        TYPE(INT32),   TYPE(SINT32),   TYPE(SFIXED32), TYPE(INT64),
        TYPE(SINT64),  TYPE(SFIXED64), TYPE(UINT32),   TYPE(FIXED32),
        TYPE(UINT64),  TYPE(FIXED64),  TYPE(FLOAT),    TYPE(DOUBLE),
        TYPE(BOOL),    TYPE(ENUM),     TYPE(STRING),   TYPE(BYTES),
        TYPE(MESSAGE),
    };
#undef TYPE
    return numbers[type];
}

/* Appends the field of `type` and returns the type of its values. */
static const ProtobufCMessageDescriptor *descend(
    struct gen *gen, FieldPath *path, const ProtobufCMessageDescriptor *type,
    const char *name)
{
    const ProtobufCFieldDescriptor *field = NULL;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (strcmp(type->fields[i].name, name) == 0)
            field = &type->fields[i];
    assert(field != NULL);
    FieldPathElement *element = append(gen, path);
    element->field_number = (int32_t)field->id;
    element->field_name = field->name;
    element->field_type = type_number(field->type);
    return field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
}

/* The rule that an id is a variant of: "gt" of "gt_lt_exclusive", "email" of
 * "email_empty". */
static const char *rule_name(const ProtobufCMessageDescriptor *type,
                             const char *id)
{
    const char *found = NULL;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const char *name = type->fields[i].name;
        size_t length = strlen(name);
        if (strncmp(id, name, length) == 0 &&
            (id[length] == '\0' || id[length] == '_' || id[length] == '.') &&
            (found == NULL || length > strlen(found)))
            found = name;
    }
    assert(found != NULL);
    return found;
}

FieldPath *path_of_rule(struct gen *gen, const struct rule_violation *violation,
                        const FieldPath *field)
{
    const ProtobufCMessageDescriptor *type =
        &buf__validate__field_rules__descriptor;
    if (field == NULL)
        return NULL;
    const FieldPathElement *last = field->elements[field->n_elements - 1];
    if (last->field_number == 0)
        return NULL; /* a oneof's rules are elsewhere */
    FieldPath *path = new_path(gen);
    if (last->subscript_case == FIELD_PATH_ELEMENT_INDEX_CASE) {
        type = descend(gen, path, type, "repeated");
        type = descend(gen, path, type, "items");
    } else if (last->subscript_case != 0) {
        type = descend(gen, path, type, "map");
        type = descend(gen, path, type, violation->for_key ? "keys" : "values");
    }
    const char *dot = strchr(violation->rule, '.');
    if (dot != NULL) {
        type = descend(gen, path, type,
                       arena_strndup(gen->arena, violation->rule,
                                     (size_t)(dot - violation->rule)));
        descend(gen, path, type, rule_name(type, dot + 1));
    } else {
        descend(gen, path, type, violation->rule);
    }
    return path;
}
