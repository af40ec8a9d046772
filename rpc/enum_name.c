#include "rpc/enum_name.h"

#include <stdint.h>
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
static const ProtobufCEnumValue *look_up(const ProtobufCEnumDescriptor *type,
                                         const char *name, size_t size)
{
    const ProtobufCEnumValue *v = find(type, prefix_size(type), name, size);
    return v != NULL ? v : find(type, 0, name, size);
}

/* What a thread has found lately: the rows of a list have few names, and each
 * search puts the long one together. */
enum { MEMO_ENTRIES = 64, MEMO_NAME_BYTES = 24 };

struct memo {
    const ProtobufCEnumDescriptor *type; /* NULL: nothing is here */
    const ProtobufCEnumValue *value;
    size_t size;
    char name[MEMO_NAME_BYTES];
};

static struct memo *memo_of(const ProtobufCEnumDescriptor *type,
                            const char *name, size_t size)
{
    static _Thread_local struct memo memos[MEMO_ENTRIES];
    size_t number = (uintptr_t)type / sizeof *type + size;
    if (size > 0)
        number += (unsigned char)name[0];
    return &memos[number % MEMO_ENTRIES];
}

bool enum_value(const ProtobufCEnumDescriptor *type, const char *name,
                size_t size, int *value)
{
    struct memo *memo = memo_of(type, name, size);
    if (memo->type == type && memo->size == size &&
        memcmp(memo->name, name, size) == 0) {
        *value = memo->value->value;
        return true;
    }
    const ProtobufCEnumValue *v = look_up(type, name, size);
    if (v == NULL)
        return false;
    *value = v->value;
    if (size <= sizeof memo->name) {
        *memo = (struct memo){.type = type, .value = v, .size = size};
        memcpy(memo->name, name, size);
    }
    return true;
}
