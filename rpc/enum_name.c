#include "rpc/enum_name.h"

#include <string.h>

enum { NAME_MAX_BYTES = 256 };

static size_t prefix_size(const ProtobufCEnumDescriptor *type)
{
    static const char zero[] = "UNSPECIFIED";
    const char *name = type->values[0].name; /* they are sorted by number */
    size_t size = strlen(name), rest = sizeof zero - 1;
    bool ends_so = size > rest && strcmp(name + size - rest, zero) == 0;
    return ends_so ? size - rest : 0;
}

const char *enum_name(const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *v =
        protobuf_c_enum_descriptor_get_value(type, value);
    if (v == NULL)
        return NULL;
    size_t prefix = prefix_size(type);
    bool has_it = strncmp(v->name, type->values[0].name, prefix) == 0;
    return has_it ? v->name + prefix : v->name;
}

static const ProtobufCEnumValue *find(const ProtobufCEnumDescriptor *type,
                                      size_t prefix, const char *name,
                                      size_t size)
{
    char full[NAME_MAX_BYTES];
    if (prefix + size >= sizeof full)
        return NULL;
    memcpy(full, type->values[0].name, prefix);
    memcpy(full + prefix, name, size);
    full[prefix + size] = '\0';
    return protobuf_c_enum_descriptor_get_value_by_name(type, full);
}

/* The short name first: it is what the database keeps. */
bool enum_value(const ProtobufCEnumDescriptor *type, const char *name,
                size_t size, int *value)
{
    const ProtobufCEnumValue *v = find(type, prefix_size(type), name, size);
    if (v == NULL)
        v = find(type, 0, name, size);
    if (v != NULL)
        *value = v->value;
    return v != NULL;
}
