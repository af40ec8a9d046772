#include "services/patch.h"

#include "rpc/codec.h"
#include "rpc/utf8.h"

#include <assert.h>
#include <string.h>

typedef ProtobufCFieldDescriptor field_type;

enum { PATH_SHOWN_BYTES = 200 };

static void *member(const ProtobufCMessage *message, size_t offset)
{
    return (char *)message + offset;
}

static bool is_in_oneof(const field_type *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static bool is_patchable(const field_type *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED || is_in_oneof(field) ||
           (field->type == PROTOBUF_C_TYPE_MESSAGE &&
            strcmp(field->name, "update_mask") != 0);
}

static bool mask_is_empty(struct patch patch)
{
    return patch.mask == NULL || patch.mask->n_paths == 0;
}

static bool touches(struct patch patch, const field_type *field)
{
    if (!is_patchable(field))
        return false;
    if (mask_is_empty(patch))
        return codec_is_set(patch.request, field);
    for (size_t i = 0; i < patch.mask->n_paths; i++)
        if (strcmp(patch.mask->paths[i], field->name) == 0)
            return true;
    return false;
}

rpc_status patch_check(struct rpc_call *call, struct patch patch)
{
    if (mask_is_empty(patch))
        return RPC_SUCCESS;
    for (size_t i = 0; i < patch.mask->n_paths; i++) {
        const char *path = patch.mask->paths[i];
        const field_type *field =
            protobuf_c_message_descriptor_get_field_by_name(
                patch.request->descriptor, path);
        if (field == NULL || !is_patchable(field))
            return rpc_fail_field(call, "update_mask",
                                  "\"%.*s\" is no field that can be changed",
                                  (int)utf8_cut(path, PATH_SHOWN_BYTES), path);
    }
    return RPC_SUCCESS;
}

bool patch_touches(struct patch patch, const char *name)
{
    const field_type *field = protobuf_c_message_descriptor_get_field_by_name(
        patch.request->descriptor, name);
    assert(field != NULL);
    return touches(patch, field);
}

bool patch_touches_only(struct patch patch, const char *name)
{
    const ProtobufCMessageDescriptor *type = patch.request->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (touches(patch, &type->fields[i]) &&
            strcmp(type->fields[i].name, name) != 0)
            return false;
    return true;
}

static size_t size_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_STRING:
        return sizeof(char *);
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(ProtobufCMessage *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_DOUBLE:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return 8;
    default:
        return 4;
    }
}

/* `target` is a plain, message or repeated field of the type of `source`.
 * A field that is not there has zeros, and a string the empty one. */
static void copy_field(const ProtobufCMessage *from, const field_type *source,
                       ProtobufCMessage *to, const field_type *target)
{
    assert(source->type == target->type && !is_in_oneof(target));
    void *place = member(to, target->offset);
    if (source->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(place, member(from, source->offset), sizeof(void *));
        memcpy(member(to, target->quantifier_offset),
               member(from, source->quantifier_offset), sizeof(size_t));
    } else if (!is_in_oneof(source) || codec_is_set(from, source)) {
        memcpy(place, member(from, source->offset), size_of(source->type));
    } else if (source->type == PROTOBUF_C_TYPE_STRING) {
        *(const char **)place = "";
    } else {
        memset(place, 0, size_of(source->type));
    }
}

void patch_apply(struct patch patch, ProtobufCMessage *object)
{
    const ProtobufCMessageDescriptor *type = patch.request->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field_type *source = &type->fields[i];
        if (!touches(patch, source))
            continue;
        const field_type *target =
            protobuf_c_message_descriptor_get_field_by_name(object->descriptor,
                                                            source->name);
        assert(target != NULL);
        copy_field(patch.request, source, object, target);
    }
}

void patch_fill(const ProtobufCMessage *from, ProtobufCMessage *to)
{
    const ProtobufCMessageDescriptor *type = from->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const field_type *target =
            protobuf_c_message_descriptor_get_field_by_name(
                to->descriptor, type->fields[i].name);
        if (target != NULL)
            copy_field(from, &type->fields[i], to, target);
    }
}
