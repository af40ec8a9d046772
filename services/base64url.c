#include "services/base64url.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

size_t base64url_length(size_t size)
{
    return size / 3 * 4 + (size % 3 != 0 ? size % 3 + 1 : 0);
}

char *base64url_encode(struct arena *arena, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    char *text = arena_alloc(arena, base64url_length(size) + 1);
    char *to = text;
    uint32_t bits = 0;
    int bit_count = 0;
    for (size_t i = 0; i < size; i++) {
        bits = bits << 8 | from[i];
        for (bit_count += 8; bit_count >= 6; bit_count -= 6)
            *to++ = alphabet[bits >> (bit_count - 6) & 63];
    }
    if (bit_count > 0)
        *to++ = alphabet[bits << (6 - bit_count) & 63];
    *to = '\0';
    return text;
}

bool base64url_decode(const char *text, size_t length, uint8_t *bytes,
                      size_t *size)
{
    uint32_t bits = 0;
    int bit_count = 0;
    *size = 0;
    if (length % 4 == 1)
        return false;
    for (size_t i = 0; i < length; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count < 8)
            continue;
        bit_count -= 8;
        bytes[(*size)++] = (uint8_t)(bits >> bit_count);
    }
    return (bits & ((1u << bit_count) - 1)) == 0;
}
