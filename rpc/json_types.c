#include "rpc/json_types.h"

#include "rpc/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Two open-addressed tables over the same messages, never more than half full.
 */
struct json_types {
    const struct json_message **by_type;
    const struct json_message **by_name;
    size_t slot_count; /* a power of two */
};

/* What an Any may hold although no .proto of ours imports it. */
extern const struct json_message google__protobuf__any__json,
    google__protobuf__duration__json, google__protobuf__empty__json,
    google__protobuf__field_mask__json, google__protobuf__struct__json,
    google__protobuf__value__json, google__protobuf__list_value__json,
    google__protobuf__timestamp__json, google__protobuf__double_value__json,
    google__protobuf__float_value__json, google__protobuf__int64_value__json,
    google__protobuf__uint64_value__json, google__protobuf__int32_value__json,
    google__protobuf__uint32_value__json, google__protobuf__bool_value__json,
    google__protobuf__string_value__json, google__protobuf__bytes_value__json;

static const struct json_message *const well_known[] = {
    &google__protobuf__any__json,
    &google__protobuf__duration__json,
    &google__protobuf__empty__json,
    &google__protobuf__field_mask__json,
    &google__protobuf__struct__json,
    &google__protobuf__value__json,
    &google__protobuf__list_value__json,
    &google__protobuf__timestamp__json,
    &google__protobuf__double_value__json,
    &google__protobuf__float_value__json,
    &google__protobuf__int64_value__json,
    &google__protobuf__uint64_value__json,
    &google__protobuf__int32_value__json,
    &google__protobuf__uint32_value__json,
    &google__protobuf__bool_value__json,
    &google__protobuf__string_value__json,
    &google__protobuf__bytes_value__json,
};
enum { WELL_KNOWN_COUNT = sizeof well_known / sizeof well_known[0] };

int json_field_named(const struct json_message *message, const char *name,
                     size_t size, size_t guess)
{
    if (guess < message->type->n_fields) {
        const struct json_field *field = &message->fields[guess];
        if (field->label_size == size + 3 &&
            memcmp(field->label + 1, name, size) == 0)
            return (int)guess;
    }
    if (size > message->size_max)
        return -1;
    size_t low = message->by_size[size], high = message->by_size[size + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct json_name *at = &message->names[middle];
        int order = memcmp(name, at->name, size);
        if (order == 0)
            return at->field;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return -1;
}

/* Tables and descriptors come from two generators: each field has to be where
 * the other says. */
static void check(const struct json_message *message)
{
    for (unsigned i = 0; i < message->type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->type->fields[i];
        const struct json_message *inner = message->fields[i].message;
        size_t name_size = strlen(field->name);
        assert(json_field_named(message, field->name, name_size, SIZE_MAX) ==
               (int)i);
        assert((inner == NULL) == (field->type != PROTOBUF_C_TYPE_MESSAGE));
        assert(inner == NULL || inner->type == field->descriptor);
    }
}

static void add(struct json_types *types, const struct json_message *message)
{
    const ProtobufCMessageDescriptor *type = message->type;
    size_t mask = types->slot_count - 1;
    size_t at = hash_bytes(&type, sizeof type) & mask;
    for (; types->by_type[at] != NULL; at = (at + 1) & mask)
        if (types->by_type[at] == message)
            return; /* two registries share it */
    check(message);
    types->by_type[at] = message;
    at = hash_bytes(type->name, strlen(type->name)) & mask;
    while (types->by_name[at] != NULL)
        at = (at + 1) & mask;
    types->by_name[at] = message;
}

struct json_types *json_types_create(
    const struct rpc_registry *const *registries)
{
    size_t count = WELL_KNOWN_COUNT;
    for (size_t i = 0; registries[i] != NULL; i++)
        count += registries[i]->message_count;
    struct json_types *types = calloc(1, sizeof *types);
    assert(types != NULL);
    types->slot_count = 1;
    while (types->slot_count < 2 * count)
        types->slot_count *= 2;
    types->by_type = calloc(types->slot_count, sizeof *types->by_type);
    types->by_name = calloc(types->slot_count, sizeof *types->by_name);
    assert(types->by_type != NULL && types->by_name != NULL);
    for (size_t i = 0; i < WELL_KNOWN_COUNT; i++)
        add(types, well_known[i]);
    for (size_t i = 0; registries[i] != NULL; i++)
        for (size_t j = 0; j < registries[i]->message_count; j++)
            add(types, registries[i]->messages[j]);
    return types;
}

void json_types_destroy(struct json_types *types)
{
    if (types == NULL)
        return;
    free(types->by_type);
    free(types->by_name);
    free(types);
}

const struct json_message *json_types_of(const struct json_types *types,
                                         const ProtobufCMessageDescriptor *type)
{
    size_t mask = types->slot_count - 1;
    size_t at = hash_bytes(&type, sizeof type) & mask;
    while (types->by_type[at] != NULL && types->by_type[at]->type != type)
        at = (at + 1) & mask;
    return types->by_type[at];
}

const struct json_message *json_types_named(const struct json_types *types,
                                            const char *url)
{
    const char *slash = strrchr(url, '/');
    const char *name = slash == NULL ? url : slash + 1;
    size_t mask = types->slot_count - 1;
    size_t at = hash_bytes(name, strlen(name)) & mask;
    while (types->by_name[at] != NULL &&
           strcmp(types->by_name[at]->type->name, name) != 0)
        at = (at + 1) & mask;
    return types->by_name[at];
}
