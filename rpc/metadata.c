#include "rpc/metadata.h"

#include "rpc/base64.h"
#include "rpc/hex.h"
#include "rpc/utf8.h"

#include <stdio.h>
#include <string.h>

static bool has_prefix(const char *text, size_t size, const char *prefix)
{
    size_t length = strlen(prefix);
    return size >= length && memcmp(text, prefix, length) == 0;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* What HTTP/2 forbids, and what the runtime itself sends. */
static const char *const reserved_names[] = {
    "connection",        "content-length",   "content-type", "host",
    "keep-alive",        "proxy-connection", "te",           "trailer",
    "transfer-encoding", "upgrade",
};

static bool is_reserved(const char *name, size_t size)
{
    if (has_prefix(name, size, "grpc-"))
        return true;
    for (size_t i = 0; i < sizeof reserved_names / sizeof *reserved_names; i++)
        if (strlen(reserved_names[i]) == size &&
            memcmp(reserved_names[i], name, size) == 0)
            return true;
    return false;
}

bool metadata_name_is_free(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_name_character(name[i]))
            return false;
    return size > 0 && !is_reserved(name, size);
}

bool metadata_name_is_binary(const char *name, size_t size)
{
    return size > 4 && memcmp(name + size - 4, "-bin", 4) == 0;
}

bool metadata_text_is_valid(const void *text, size_t size)
{
    const unsigned char *c = text;
    for (size_t i = 0; i < size; i++)
        if (c[i] < 0x20 || c[i] > 0x7e)
            return false;
    return true;
}

void metadata_encode_base64(char *text, const void *bytes, size_t size)
{
    base64_encode(text, bytes, size);
}

bool metadata_decode_base64(void *bytes, size_t *count, const char *text,
                            size_t size)
{
    return base64_decode(bytes, count, text, size, BASE64_STANDARD);
}

static int64_t unit_us(char unit)
{
    switch (unit) {
    case 'H':
        return 3600000000;
    case 'M':
        return 60000000;
    case 'S':
        return 1000000;
    case 'm':
        return 1000;
    case 'u':
        return 1;
    default:
        return 0;
    }
}

bool metadata_parse_timeout(const char *text, size_t size, int64_t *timeout_us)
{
    if (size < 2 || size > 9)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < size - 1; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (text[i] - '0');
    }
    char unit = text[size - 1];
    if (unit == 'n')
        *timeout_us = (value + 999) / 1000;
    else
        *timeout_us = value * unit_us(unit); /* 99999999H fits */
    return unit == 'n' || unit_us(unit) != 0;
}

size_t metadata_encode_timeout(char text[METADATA_TIMEOUT_BYTES],
                               int64_t timeout_us)
{
    static const char units[] = "umSMH";
    for (const char *unit = units;; unit++) {
        int64_t value = timeout_us / unit_us(*unit) +
                        (timeout_us % unit_us(*unit) != 0 ? 1 : 0);
        if (value > 99999999 && *unit != 'H')
            continue;
        if (value > 99999999)
            value = 99999999;
        return (size_t)snprintf(text, METADATA_TIMEOUT_BYTES, "%d%c",
                                (int)value, *unit);
    }
}

size_t metadata_encode_message(char *text, const char *message)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t size = utf8_cut(message, METADATA_MESSAGE_MAX);
    char *out = text;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)message[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            *out++ = (char)c;
            continue;
        }
        *out++ = '%';
        *out++ = hex[c >> 4];
        *out++ = hex[c & 15];
    }
    return (size_t)(out - text);
}

void metadata_decode_message(char *text)
{
    char *out = text;
    while (*text != '\0') {
        int high = *text == '%' ? hex_value(text[1]) : -1;
        int low = high >= 0 ? hex_value(text[2]) : -1;
        if (low < 0) {
            *out++ = *text++;
            continue;
        }
        char byte = (char)(high << 4 | low);
        *out++ = byte == '\0' ? '?' : byte;
        text += 3;
    }
    *out = '\0';
}
