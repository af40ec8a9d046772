/* Formats of the network: addresses, host names, and what is made of them. */
#include "rpc/formats.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

enum { LABEL_MAX = 63, HOSTNAME_MAX = 253 };

/* One label of RFC 1034 3.5, which RFC 1123 2.1 lets begin with a digit. */
static bool is_label(const char *text, size_t size)
{
    if (size == 0 || size > LABEL_MAX || text[0] == '-' ||
        text[size - 1] == '-')
        return false;
    for (size_t i = 0; i < size; i++)
        if (!is_ascii_alnum(text[i]) && text[i] != '-')
            return false;
    return true;
}

static bool is_all_digits(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return true;
}

/* Labels with dots between them; `last` is the last one. */
static bool are_labels(const char *text, size_t size, const char **last)
{
    const char *end = text + size;
    for (const char *label = text;;) {
        const char *dot = memchr(label, '.', (size_t)(end - label));
        if (!is_label(label, (size_t)((dot == NULL ? end : dot) - label)))
            return false;
        *last = label;
        if (dot == NULL)
            return true;
        label = dot + 1;
    }
}

/* The last label is not all digits, so that no address is a host name. */
bool format_is_hostname(const char *text, size_t size)
{
    const char *last;
    if (size > 0 && text[size - 1] == '.')
        size--;
    return size <= HOSTNAME_MAX && are_labels(text, size, &last) &&
           !is_all_digits(last, (size_t)(text + size - last));
}

/* What HTML's input type=email accepts: shorter than RFC 5322, and what people
 * have. */
bool format_is_email(const char *text, size_t size)
{
    const char *at = memchr(text, '@', size);
    const char *last;
    if (at == NULL || at == text)
        return false;
    for (const char *c = text; c < at; c++)
        if (!is_ascii_alnum(*c) &&
            (*c == '\0' || strchr(".!#$%&'*+/=?^_`{|}~-", *c) == NULL))
            return false;
    return are_labels(at + 1, (size_t)(text + size - at - 1), &last);
}

static bool parse_ip(int family, const char *text, size_t size,
                     unsigned char address[sizeof(struct in6_addr)])
{
    char copy[INET6_ADDRSTRLEN];
    if (size >= sizeof copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return strlen(copy) == size && inet_pton(family, copy, address) == 1;
}

/* RFC 4007 11: an address may name its zone, which is any text. */
static bool is_ip6(const char *text, size_t size)
{
    unsigned char address[sizeof(struct in6_addr)];
    const char *percent = memchr(text, '%', size);
    if (percent == NULL)
        return parse_ip(AF_INET6, text, size, address);
    return percent + 1 < text + size &&
           parse_ip(AF_INET6, text, (size_t)(percent - text), address);
}

bool format_is_ip(const char *text, size_t size, int version)
{
    unsigned char address[sizeof(struct in6_addr)];
    return (version != 6 && parse_ip(AF_INET, text, size, address)) ||
           (version != 4 && is_ip6(text, size));
}

/* Decimal without needless zeros; false when above `most`. */
static bool read_number(const char *text, size_t size, unsigned most,
                        unsigned *number)
{
    *number = 0;
    if (size == 0 || size > 5 || !is_all_digits(text, size) ||
        (size > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < size; i++)
        *number = *number * 10 + (unsigned)(text[i] - '0');
    return *number <= most;
}

static bool is_zero_behind(const unsigned char *address, unsigned bits,
                           unsigned prefix)
{
    for (unsigned i = prefix; i < bits; i++)
        if (address[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}

bool format_is_ip_prefix(const char *text, size_t size, int version,
                         bool strict)
{
    unsigned char address[sizeof(struct in6_addr)];
    const char *slash = memchr(text, '/', size);
    if (slash == NULL)
        return false;
    size_t before = (size_t)(slash - text);
    unsigned bits = 128, prefix;
    if (version != 6 && parse_ip(AF_INET, text, before, address))
        bits = 32;
    else if (version == 4 || !parse_ip(AF_INET6, text, before, address))
        return false;
    return read_number(slash + 1, size - before - 1, bits, &prefix) &&
           (!strict || is_zero_behind(address, bits, prefix));
}

/* ":8080", or nothing where nothing will do. */
static bool is_port(const char *text, size_t size, bool required)
{
    unsigned port;
    if (size == 0)
        return !required;
    return text[0] == ':' && read_number(text + 1, size - 1, 65535, &port);
}

bool format_is_host_and_port(const char *text, size_t size, bool port_required)
{
    if (size > 0 && text[0] == '[') {
        const char *end = memrchr(text, ']', size);
        return end != NULL && is_ip6(text + 1, (size_t)(end - text - 1)) &&
               is_port(end + 1, (size_t)(text + size - end - 1), port_required);
    }
    const char *colon = memchr(text, ':', size);
    size_t host = colon == NULL ? size : (size_t)(colon - text);
    return is_port(text + host, size - host, port_required) &&
           (format_is_hostname(text, host) || format_is_ip(text, host, 4));
}
