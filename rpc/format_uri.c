/* RFC 3986.  Each character is looked at a bounded number of times:
 *
 *   foo://user@example.com:8042/over/there?name=ferret#nose
 *   scheme     authority            path       query  fragment   */
#include "rpc/formats.h"
#include "rpc/hex.h"
#include "rpc/utf8.h"

#include <ctype.h>
#include <string.h>

/* Parts are cut out at their delimiters first and read afterwards. */
struct part {
    const char *text;
    size_t size;
};

#define UNRESERVED "-._~" /* and letters and digits */
#define SUB_DELIMITERS "!$&'()*+,;="

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

/* Only letters, digits, what is in `set` and, with '%' in it, escapes. */
static bool has_only(struct part part, const char *set)
{
    bool escapes = strchr(set, '%') != NULL;
    for (size_t i = 0; i < part.size; i++) {
        char c = part.text[i];
        if (c == '%' && escapes) {
            if (part.size - i < 3 || !is_hex(part.text[i + 1]) ||
                !is_hex(part.text[i + 2]))
                return false;
            i += 2;
        } else if (!is_ascii_alnum(c) && !is_one_of(c, set)) {
            return false;
        }
    }
    return true;
}

/* The part from the first `delimiter` on, without it, is cut off. */
static bool cut(struct part *part, char delimiter, struct part *rest)
{
    const char *at = memchr(part->text, delimiter, part->size);
    if (at == NULL)
        return false;
    size_t before = (size_t)(at - part->text);
    *rest = (struct part){at + 1, part->size - before - 1};
    part->size = before;
    return true;
}

/* "%c3%96": escapes that are well-formed themselves, RFC 3986 3.2.2. */
static bool escapes_are_utf8(struct part part)
{
    for (size_t i = 0; i < part.size;) {
        unsigned char bytes[4];
        size_t wanted = 1;
        if (part.text[i] != '%') {
            i++;
            continue;
        }
        for (size_t n = 0; n < wanted; n++, i += 3) {
            if (i >= part.size || part.text[i] != '%')
                return false;
            bytes[n] = (unsigned char)(hex_value(part.text[i + 1]) << 4 |
                                       hex_value(part.text[i + 2]));
            if (n == 0 && bytes[0] >= 0x80)
                wanted = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
        }
        if (bytes[0] >= 0x80 && !utf8_is_text(bytes, wanted))
            return false;
    }
    return true;
}

static bool is_name(struct part host)
{
    return has_only(host, "%" UNRESERVED SUB_DELIMITERS) &&
           escapes_are_utf8(host);
}

/* "v1.fe80": what comes after version 6 one day. */
static bool is_future_address(struct part address)
{
    struct part rest;
    if (address.size == 0 || !is_one_of(address.text[0], "vV") ||
        !cut(&address, '.', &rest) || address.size < 2 || rest.size == 0)
        return false;
    for (size_t i = 1; i < address.size; i++)
        if (!is_hex(address.text[i]))
            return false;
    return has_only(rest, ":" UNRESERVED SUB_DELIMITERS);
}

/* What stands in brackets; a zone begins with an escaped percent sign
 * (RFC 6874 2). */
static bool is_literal_address(struct part address)
{
    struct part zone;
    if (is_future_address(address))
        return true;
    if (!cut(&address, '%', &zone))
        return format_is_ip(address.text, address.size, 6);
    if (zone.size < 3 || memcmp(zone.text, "25", 2) != 0 ||
        !format_is_ip(address.text, address.size, 6))
        return false;
    zone = (struct part){zone.text + 2, zone.size - 2};
    return has_only(zone, "%" UNRESERVED) && escapes_are_utf8(zone);
}

static bool is_port(struct part port)
{
    for (size_t i = 0; i < port.size; i++)
        if (!isdigit((unsigned char)port.text[i]))
            return false;
    return true;
}

static bool is_host_and_port(struct part host)
{
    struct part rest;
    if (host.size == 0 || host.text[0] != '[')
        return (!cut(&host, ':', &rest) || is_port(rest)) && is_name(host);
    host = (struct part){host.text + 1, host.size - 1};
    if (!cut(&host, ']', &rest) || !is_literal_address(host))
        return false;
    return rest.size == 0 ||
           (rest.text[0] == ':' &&
            is_port((struct part){rest.text + 1, rest.size - 1}));
}

static bool is_authority(struct part authority)
{
    struct part user = authority, host;
    if (!cut(&user, '@', &host))
        return is_host_and_port(authority);
    return has_only(user, "%:" UNRESERVED SUB_DELIMITERS) &&
           is_host_and_port(host);
}

/* What is behind the scheme, or the whole of a relative reference. */
static bool is_path(struct part path)
{
    static const char set[] = "%/:@" UNRESERVED SUB_DELIMITERS;
    if (path.size < 2 || memcmp(path.text, "//", 2) != 0)
        return has_only(path, set);
    struct part authority = {path.text + 2, path.size - 2}, rest;
    return (!cut(&authority, '/', &rest) || has_only(rest, set)) &&
           is_authority(authority);
}

/* Cuts query and fragment off; false when one of them is wrong. */
static bool cut_ends(struct part *text)
{
    static const char set[] = "%/?:@" UNRESERVED SUB_DELIMITERS;
    struct part rest;
    if (cut(text, '#', &rest) && !has_only(rest, set))
        return false;
    return !cut(text, '?', &rest) || has_only(rest, set);
}

static bool cut_scheme(struct part *text)
{
    struct part scheme = *text, rest;
    if (!cut(&scheme, ':', &rest) || scheme.size == 0 ||
        isdigit((unsigned char)scheme.text[0]) ||
        is_one_of(scheme.text[0], "+-.") || !has_only(scheme, "+-."))
        return false;
    *text = rest;
    return true;
}

bool format_is_uri(const char *text, size_t size)
{
    struct part uri = {text, size};
    return cut_ends(&uri) && cut_scheme(&uri) && is_path(uri);
}

/* RFC 3986 4.2: a colon in the first segment would make it a scheme. */
bool format_is_uri_reference(const char *text, size_t size)
{
    struct part uri = {text, size};
    if (!cut_ends(&uri))
        return false;
    if (cut_scheme(&uri))
        return is_path(uri);
    struct part first = uri, rest;
    cut(&first, '/', &rest);
    return memchr(first.text, ':', first.size) == NULL && is_path(uri);
}
