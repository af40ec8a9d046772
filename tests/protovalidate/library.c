#include "tests/protovalidate/library.h"

#include "rpc/codec.h"
#include "rpc/formats.h"

#include <string.h>

/* An argument of the call: a field of the message, or `otherwise`. */
static int argument(const ProtobufCMessage *message, const char *name,
                    int otherwise)
{
    const ProtobufCMessageDescriptor *type = message->descriptor;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (strcmp(type->fields[i].name, name) == 0 &&
            codec_is_set(message, &type->fields[i]))
            return *(const int *)((const char *)message +
                                  type->fields[i].offset);
    return otherwise;
}

/* All of them have `string val = 1`. */
static const char *value(const ProtobufCMessage *message)
{
    const char *const *member =
        (const char *const *)((const char *)message +
                              message->descriptor->fields[0].offset);
    return *member == NULL ? "" : *member;
}

static bool is_version(int version)
{
    return version == 0 || version == 4 || version == 6;
}

static bool is_ip(const ProtobufCMessage *message)
{
    int version = argument(message, "version", 0);
    const char *text = value(message);
    return is_version(version) && format_is_ip(text, strlen(text), version);
}

static bool is_ip_prefix(const ProtobufCMessage *message)
{
    int version = argument(message, "version", 0);
    const char *text = value(message);
    return is_version(version) &&
           format_is_ip_prefix(text, strlen(text), version,
                               argument(message, "strict", 0) != 0);
}

static bool is_host_and_port(const ProtobufCMessage *message)
{
    const char *text = value(message);
    return format_is_host_and_port(text, strlen(text),
                                   argument(message, "port_required", 0) != 0);
}

static bool is_hostname(const ProtobufCMessage *message)
{
    return format_is_hostname(value(message), strlen(value(message)));
}

static bool is_email(const ProtobufCMessage *message)
{
    return format_is_email(value(message), strlen(value(message)));
}

static bool is_uri(const ProtobufCMessage *message)
{
    return format_is_uri(value(message), strlen(value(message)));
}

static bool is_uri_ref(const ProtobufCMessage *message)
{
    return format_is_uri_reference(value(message), strlen(value(message)));
}

static const struct {
    const char *message;
    const char *id;
    bool (*passes)(const ProtobufCMessage *message);
} functions[] = {
    {"IsIp", "library.is_ip", is_ip},
    {"IsIpPrefix", "library.is_ip_prefix", is_ip_prefix},
    {"IsHostAndPort", "library.is_host_and_port", is_host_and_port},
    {"IsHostname", "library.is_hostname", is_hostname},
    {"IsEmail", "library.is_email", is_email},
    {"IsUri", "library.is_uri", is_uri},
    {"IsUriRef", "library.is_uri_ref", is_uri_ref},
};

const char *library_violation(const ProtobufCMessage *message)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(message->descriptor->short_name, functions[i].message) == 0)
            return functions[i].passes(message) ? "" : functions[i].id;
    return NULL;
}
