#include "rpc/base64.h"

#include <stdint.h>

#define LETTERS_AND_DIGITS \
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static void encode(char *text, const void *bytes, size_t size,
                   const char *alphabet)
{
    const uint8_t *in = bytes;
    for (; size >= 3; size -= 3, in += 3) {
        *text++ = alphabet[in[0] >> 2];
        *text++ = alphabet[(in[0] << 4 | in[1] >> 4) & 63];
        *text++ = alphabet[(in[1] << 2 | in[2] >> 6) & 63];
        *text++ = alphabet[in[2] & 63];
    }
    if (size == 0)
        return;
    *text++ = alphabet[in[0] >> 2];
    if (size == 1) {
        *text = alphabet[(in[0] << 4) & 63];
        return;
    }
    *text++ = alphabet[(in[0] << 4 | in[1] >> 4) & 63];
    *text = alphabet[(in[1] << 2) & 63];
}

void base64_encode(char *text, const void *bytes, size_t size)
{
    encode(text, bytes, size, LETTERS_AND_DIGITS "+/");
}

void base64_encode_url(char *text, const void *bytes, size_t size)
{
    encode(text, bytes, size, LETTERS_AND_DIGITS "-_");
}

static int digit_value(char c, enum base64_alphabet read)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (read != BASE64_URL && (c == '+' || c == '/'))
        return c == '+' ? 62 : 63;
    if (read != BASE64_STANDARD && (c == '-' || c == '_'))
        return c == '-' ? 62 : 63;
    return -1;
}

/* Only a text of whole groups can be padded, by one or two signs. */
static size_t size_without_padding(const char *text, size_t size)
{
    if (size % 4 != 0)
        return size;
    for (int i = 0; i < 2 && size > 0 && text[size - 1] == '='; i++)
        size--;
    return size;
}

bool base64_decode(void *bytes, size_t *count, const char *text, size_t size,
                   enum base64_alphabet read)
{
    uint8_t *out = bytes;
    uint32_t bits = 0;
    int bit_count = 0;
    if (read != BASE64_URL)
        size = size_without_padding(text, size);
    for (size_t i = 0; i < size; i++) {
        int value = digit_value(text[i], read);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            *out++ = (uint8_t)(bits >> bit_count);
        }
    }
    *count = (size_t)(out - (uint8_t *)bytes);
    bool is_clean = (bits & ((1u << bit_count) - 1)) == 0;
    return bit_count < 6 && (is_clean || read == BASE64_EITHER);
}
