/* The well-known formats of buf.validate's string rules. */
#include "rpc/rules.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

static bool is_alnum(char c)
{
    return isalnum((unsigned char)c) != 0 && (unsigned char)c < 0x80;
}

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

static bool all_of(const char *text, size_t length, const char *others)
{
    for (size_t i = 0; i < length; i++)
        if (!is_alnum(text[i]) && strchr(others, text[i]) == NULL)
            return false;
    return true;
}

/* RFC 1034 names: labels of up to 63, 253 in all, the last not all digits. */
static bool is_hostname(const char *text, size_t length)
{
    size_t label = 0;
    bool digits = true;
    if (length > 0 && text[length - 1] == '.')
        length--;
    if (length == 0 || length > 253)
        return false;
    for (size_t i = 0; i <= length; i++) {
        if (i == length || text[i] == '.') {
            if (label == 0 || label > 63 || text[i - 1] == '-')
                return false;
            if (i < length)
                digits = true;
            label = 0;
            continue;
        }
        if (!is_alnum(text[i]) && (text[i] != '-' || label == 0))
            return false;
        digits = digits && isdigit((unsigned char)text[i]);
        label++;
    }
    return !digits;
}

/* What HTML's input type=email accepts. */
static bool is_email(const char *text)
{
    const char *at = strrchr(text, '@');
    if (at == NULL || at == text || at - text > 64)
        return false;
    if (!all_of(text, (size_t)(at - text), ".!#$%&'*+/=?^_`{|}~-"))
        return false;
    size_t length = strlen(at + 1);
    return length > 0 && at[length] != '.' && is_hostname(at + 1, length);
}

static bool is_ip(int family, const char *text)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(family, text, address) == 1;
}

static bool is_any_ip(const char *text)
{
    return is_ip(AF_INET, text) || is_ip(AF_INET6, text);
}

static bool is_uuid(const char *text)
{
    for (int i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !is_hex(text[i]))
            return false;
    }
    return text[36] == '\0';
}

static bool is_tuuid(const char *text)
{
    for (int i = 0; i < 32; i++)
        if (!is_hex(text[i]))
            return false;
    return text[32] == '\0';
}

/* 26 of Crockford's digits, the first no more than 7: 128 bits. */
static bool is_ulid(const char *text)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
                                 "abcdefghjkmnpqrstvwxyz";
    return strlen(text) == 26 && strspn(text, digits) == 26 && text[0] <= '7';
}

/* RFC 3986 by its alphabet: unreserved, reserved, and %XX; brackets only around
 * an IP literal. */
static bool is_uri_rest(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '%') {
            if (!is_hex(c[1]) || !is_hex(c[2]))
                return false;
            c += 2;
        } else if (!is_alnum(*c) &&
                   strchr("-._~:/?#[]@!$&'()*+,;=", *c) == NULL) {
            return false;
        }
    }
    const char *fragment = strchr(text, '#');
    return fragment == NULL || strchr(fragment + 1, '#') == NULL;
}

static size_t port_length(const char *text)
{
    size_t length = strspn(text, "0123456789");
    unsigned long port = 0;
    for (size_t i = 0; i < length && i < 6; i++)
        port = port * 10 + (unsigned long)(text[i] - '0');
    bool padded = length > 1 && text[0] == '0';
    return length > 5 || port > 65535 || padded ? 0 : length;
}

static bool is_bracketed_ip6(const char *text, size_t length)
{
    char address[INET6_ADDRSTRLEN];
    if (length < 2 || length - 2 >= sizeof address || text[0] != '[' ||
        text[length - 1] != ']')
        return false;
    memcpy(address, text + 1, length - 2);
    address[length - 2] = '\0';
    return is_ip(AF_INET6, address);
}

/* [userinfo@]host[:port] */
static bool is_authority(const char *text, size_t length)
{
    const char *at = memrchr(text, '@', length);
    size_t before = at == NULL ? 0 : (size_t)(at - text) + 1;
    const char *host = text + before;
    size_t left = length - before;
    const char *bracket = memchr(host, ']', left);
    if (memchr(text, '[', length) != NULL || bracket != NULL) {
        size_t literal = bracket == NULL ? 0 : (size_t)(bracket - host) + 1;
        if (!is_bracketed_ip6(host, literal))
            return false;
        host += literal;
        left -= literal;
    }
    const char *colon = memchr(host, ':', left);
    if (colon == NULL)
        return true;
    return strspn(colon + 1, "0123456789") == (size_t)(host + left - colon - 1);
}

static bool is_uri_ref(const char *text)
{
    const char *start = text;
    size_t scheme = strcspn(text, ":/?#");
    if (text[scheme] == ':') {
        if (scheme == 0 || !isalpha((unsigned char)text[0]) ||
            !all_of(text, scheme, "+-."))
            return false;
        start = text + scheme + 1;
    }
    if (!is_uri_rest(start))
        return false;
    if (strncmp(start, "//", 2) != 0)
        return strpbrk(start, "[]") == NULL;
    size_t authority = strcspn(start + 2, "/?#");
    return is_authority(start + 2, authority) &&
           strpbrk(start + 2 + authority, "[]") == NULL;
}

static bool is_uri(const char *text)
{
    size_t scheme = strcspn(text, ":/?#");
    return text[scheme] == ':' && is_uri_ref(text);
}

static bool is_address(const char *text)
{
    return is_any_ip(text) || is_hostname(text, strlen(text));
}

static bool is_host_and_port(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || port_length(colon + 1) == 0 ||
        colon[1 + port_length(colon + 1)] != '\0')
        return false;
    size_t length = (size_t)(colon - text);
    char host[256];
    if (length >= sizeof host)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    return is_bracketed_ip6(host, length) || is_ip(AF_INET, host) ||
           is_hostname(host, length);
}

/* RFC 9110 5.1 and 5.5; HTTP/2's leading colon is allowed in names. */
static bool is_header_name(const char *text)
{
    const char *name = text + (text[0] == ':');
    return name[0] != '\0' && all_of(name, strlen(name), "!#$%&'*+-.^_|~`");
}

static bool is_header_value(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++)
        if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
            return false;
    return true;
}

bool format_matches(enum rule_format format, const char *text)
{
    switch (format) {
    case FORMAT_EMAIL:
        return is_email(text);
    case FORMAT_HOSTNAME:
        return is_hostname(text, strlen(text));
    case FORMAT_IP:
        return is_any_ip(text);
    case FORMAT_IPV4:
        return is_ip(AF_INET, text);
    case FORMAT_IPV6:
        return is_ip(AF_INET6, text);
    case FORMAT_URI:
        return is_uri(text);
    case FORMAT_URI_REF:
        return is_uri_ref(text);
    case FORMAT_ADDRESS:
        return is_address(text);
    case FORMAT_UUID:
        return is_uuid(text);
    case FORMAT_TUUID:
        return is_tuuid(text);
    case FORMAT_ULID:
        return is_ulid(text);
    case FORMAT_HOST_AND_PORT:
        return is_host_and_port(text);
    case FORMAT_HEADER_NAME:
        return is_header_name(text);
    case FORMAT_HEADER_VALUE:
        return is_header_value(text);
    case FORMAT_COUNT:
        break;
    }
    return false;
}

const char *format_name(enum rule_format format)
{
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
        [FORMAT_HOST_AND_PORT] = "a host and port",
        [FORMAT_HEADER_NAME] = "an HTTP header name",
        [FORMAT_HEADER_VALUE] = "an HTTP header value",
    };
    return names[format];
}
