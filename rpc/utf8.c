#include "rpc/utf8.h"

#include <stdint.h>
#include <string.h>

/* True when all eight bytes are 0x01 to 0x7f: no byte has its high bit, and
 * none borrows one when 1 is taken away. */
static bool is_plain_word(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    uint64_t less = word - UINT64_C(0x0101010101010101);
    return ((word | less) & UINT64_C(0x8080808080808080)) == 0;
}

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* Bytes of the sequence that starts at `at`; 0 when it is malformed or NUL. */
static size_t sequence(const uint8_t *at, size_t left)
{
    uint8_t lead = at[0];
    if (lead < 0x80)
        return lead != 0;
    if (lead < 0xc2 || lead > 0xf4 || left < 2 || !is_tail(at[1]))
        return 0;
    if (lead < 0xe0)
        return 2;
    if (left < 3 || !is_tail(at[2]))
        return 0;
    if (lead < 0xf0) {
        bool overlong = lead == 0xe0 && at[1] < 0xa0;
        bool surrogate = lead == 0xed && at[1] > 0x9f;
        return overlong || surrogate ? 0 : 3;
    }
    bool overlong = lead == 0xf0 && at[1] < 0x90;
    bool too_high = lead == 0xf4 && at[1] > 0x8f;
    return left < 4 || !is_tail(at[3]) || overlong || too_high ? 0 : 4;
}

bool utf8_is_text(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        size_t length = size >= 8 && is_plain_word(at) ? 8 : sequence(at, size);
        if (length == 0)
            return false;
        at += length;
        size -= length;
    }
    return true;
}

size_t utf8_length(const char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        length += !is_tail((uint8_t)text[i]);
    return length;
}

size_t utf8_cut(const char *text, size_t bytes_max)
{
    size_t size = strnlen(text, bytes_max + 1);
    if (size <= bytes_max)
        return size;
    size = bytes_max;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return size;
}
