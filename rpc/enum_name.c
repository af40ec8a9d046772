#include "rpc/enum_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>

/* The prefix is the enum's name in upper snake case, as buf lint wants it. */
static const char *without_prefix(const char *type_name, const char *name)
{
    const char *n = name;
    bool was_upper = true;
    for (const char *p = type_name; *p != '\0'; p++) {
        bool upper = isupper((unsigned char)*p) || isdigit((unsigned char)*p);
        if (isupper((unsigned char)*p) && !was_upper && *n++ != '_')
            return name;
        if (*n++ != toupper((unsigned char)*p))
            return name;
        was_upper = upper;
    }
    return *n == '_' ? n + 1 : name;
}

const char *enum_name(const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *v =
        protobuf_c_enum_descriptor_get_value(type, value);
    return v == NULL ? NULL : without_prefix(type->short_name, v->name);
}
