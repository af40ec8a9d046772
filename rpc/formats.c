/* The formats of buf.validate by name, and those that take a line or two. */
#include "rpc/formats.h"

#include <ctype.h>
#include <string.h>

static bool are_hex(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

static bool is_uuid(const char *text, size_t size)
{
    static const uint8_t groups[] = {8, 4, 4, 4, 12};
    if (size != 36)
        return false;
    for (size_t i = 0; i < sizeof groups; i++) {
        bool last = i + 1 == sizeof groups;
        if (!are_hex(text, groups[i]) || (!last && text[groups[i]] != '-'))
            return false;
        text += groups[i] + 1;
    }
    return true;
}

/* 26 of Crockford's digits, the first no more than 7: 128 bits. */
static bool is_ulid(const char *text, size_t size)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
                                 "abcdefghjkmnpqrstvwxyz";
    if (size != 26 || text[0] > '7')
        return false;
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0' || strchr(digits, text[i]) == NULL)
            return false;
    return true;
}

/* Identifiers with dots between them. */
static bool is_full_name(const char *text, size_t size)
{
    bool starts = true;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '.' && !starts) {
            starts = true;
            continue;
        }
        if ((!is_ascii_alnum(c) && c != '_') ||
            (starts && isdigit((unsigned char)c)))
            return false;
        starts = false;
    }
    return !starts;
}

/* RFC 9110 5.1, and HTTP/2's leading colon. */
static bool is_header_name(const char *text, size_t size)
{
    size_t start = size > 0 && text[0] == ':';
    for (size_t i = start; i < size; i++)
        if (!is_ascii_alnum(text[i]) &&
            (text[i] == '\0' || strchr("!#$%&'*+-.^_|~`", text[i]) == NULL))
            return false;
    return size > start;
}

/* RFC 9110 5.5. */
static bool is_header_value(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') ||
            text[i] == 0x7f)
            return false;
    return true;
}

static bool is_one_line(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] == '\0' || text[i] == '\n' || text[i] == '\r')
            return false;
    return true;
}

static const char *const names[FORMAT_COUNT] = {
    [FORMAT_EMAIL] = "an e-mail address",
    [FORMAT_HOSTNAME] = "a host name",
    [FORMAT_IP] = "an IP address",
    [FORMAT_IPV4] = "an IPv4 address",
    [FORMAT_IPV6] = "an IPv6 address",
    [FORMAT_URI] = "an absolute URI",
    [FORMAT_URI_REF] = "a URI or relative reference",
    [FORMAT_ADDRESS] = "a host name or IP address",
    [FORMAT_UUID] = "a UUID",
    [FORMAT_TUUID] = "a UUID without dashes",
    [FORMAT_ULID] = "a ULID",
    [FORMAT_IP_WITH_PREFIXLEN] = "an IP address with a prefix length",
    [FORMAT_IPV4_WITH_PREFIXLEN] = "an IPv4 address with a prefix length",
    [FORMAT_IPV6_WITH_PREFIXLEN] = "an IPv6 address with a prefix length",
    [FORMAT_IP_PREFIX] = "an IP prefix",
    [FORMAT_IPV4_PREFIX] = "an IPv4 prefix",
    [FORMAT_IPV6_PREFIX] = "an IPv6 prefix",
    [FORMAT_HOST_AND_PORT] = "a host and port",
    [FORMAT_PROTOBUF_FQN] = "a full protobuf name",
    [FORMAT_PROTOBUF_DOT_FQN] = "a full protobuf name after a dot",
    [FORMAT_HEADER_NAME] = "an HTTP header name",
    [FORMAT_HEADER_VALUE] = "an HTTP header value",
    [FORMAT_LOOSE_HEADER_NAME] = "an HTTP header name",
    [FORMAT_LOOSE_HEADER_VALUE] = "an HTTP header value",
    [FORMAT_BYTES_IP] = "an IP address of 4 or 16 bytes",
    [FORMAT_BYTES_IPV4] = "an IPv4 address of 4 bytes",
    [FORMAT_BYTES_IPV6] = "an IPv6 address of 16 bytes",
    [FORMAT_BYTES_UUID] = "a UUID of 16 bytes",
};

const char *format_name(enum rule_format format)
{
    return names[format];
}

bool format_matches(enum rule_format format, const char *text, size_t size)
{
    switch (format) {
    case FORMAT_EMAIL:
        return format_is_email(text, size);
    case FORMAT_HOSTNAME:
        return format_is_hostname(text, size);
    case FORMAT_IP:
        return format_is_ip(text, size, 0);
    case FORMAT_IPV4:
        return format_is_ip(text, size, 4);
    case FORMAT_IPV6:
        return format_is_ip(text, size, 6);
    case FORMAT_URI:
        return format_is_uri(text, size);
    case FORMAT_URI_REF:
        return format_is_uri_reference(text, size);
    case FORMAT_ADDRESS:
        return format_is_hostname(text, size) || format_is_ip(text, size, 0);
    case FORMAT_UUID:
        return is_uuid(text, size);
    case FORMAT_TUUID:
        return size == 32 && are_hex(text, size);
    case FORMAT_ULID:
        return is_ulid(text, size);
    case FORMAT_IP_WITH_PREFIXLEN:
        return format_is_ip_prefix(text, size, 0, false);
    case FORMAT_IPV4_WITH_PREFIXLEN:
        return format_is_ip_prefix(text, size, 4, false);
    case FORMAT_IPV6_WITH_PREFIXLEN:
        return format_is_ip_prefix(text, size, 6, false);
    case FORMAT_IP_PREFIX:
        return format_is_ip_prefix(text, size, 0, true);
    case FORMAT_IPV4_PREFIX:
        return format_is_ip_prefix(text, size, 4, true);
    case FORMAT_IPV6_PREFIX:
        return format_is_ip_prefix(text, size, 6, true);
    case FORMAT_HOST_AND_PORT:
        return format_is_host_and_port(text, size, true);
    case FORMAT_PROTOBUF_FQN:
        return is_full_name(text, size);
    case FORMAT_PROTOBUF_DOT_FQN:
        return size > 0 && text[0] == '.' && is_full_name(text + 1, size - 1);
    case FORMAT_HEADER_NAME:
        return is_header_name(text, size);
    case FORMAT_HEADER_VALUE:
        return is_header_value(text, size);
    case FORMAT_LOOSE_HEADER_NAME:
        return size > 0 && is_one_line(text, size);
    case FORMAT_LOOSE_HEADER_VALUE:
        return is_one_line(text, size);
    case FORMAT_BYTES_IP:
        return size == 4 || size == 16;
    case FORMAT_BYTES_IPV4:
        return size == 4;
    case FORMAT_BYTES_IPV6:
    case FORMAT_BYTES_UUID:
        return size == 16;
    case FORMAT_COUNT:
        break;
    }
    return false;
}
