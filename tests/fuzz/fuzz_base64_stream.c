/* The reader of gRPC-Web-text: cut anywhere, a text says what it says whole;
 * what it says, encoded and read again, is the same; and nothing is written
 * behind the room that the header promises to be enough. */
#include "rpc/base64_stream.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* In pieces of `step` characters; false when it is no base64. */
static bool read_in_steps(const uint8_t *text, size_t size, size_t step,
                          uint8_t *out, size_t *out_size)
{
    struct base64_reader reader = {0};
    *out_size = 0;
    for (size_t at = 0; at < size; at += step) {
        size_t piece = size - at < step ? size - at : step;
        uint8_t *room = malloc(BASE64_READ_MAX(piece));
        size_t count;
        bool is_base64 = base64_read(&reader, text + at, piece, room, &count);
        if (is_base64)
            memcpy(out + *out_size, room, count);
        *out_size += is_base64 ? count : 0;
        free(room);
        if (!is_base64)
            return false;
    }
    return true;
}

static void check_expand(const uint8_t *bytes, size_t size)
{
    size_t room = BASE64_PADDED_SIZE(size);
    uint8_t *text = malloc(room + 1);
    uint8_t *again = malloc(BASE64_READ_MAX(room) + 1);
    size_t count;
    memcpy(text, bytes, size);
    if (base64_expand(text, size) != room ||
        !read_in_steps(text, room, room + 1, again, &count) || count != size ||
        memcmp(again, bytes, size) != 0)
        abort();
    free(text);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    size_t step = 1 + bytes[0] % 7;
    uint8_t *whole = malloc(size + 4), *cut = malloc(size + 4);
    size_t whole_size, cut_size;
    bool is_base64 =
        read_in_steps(bytes + 1, size - 1, size, whole, &whole_size);
    if (read_in_steps(bytes + 1, size - 1, step, cut, &cut_size) != is_base64)
        abort();
    if (is_base64 &&
        (whole_size != cut_size || memcmp(whole, cut, whole_size) != 0))
        abort();
    free(whole);
    free(cut);
    check_expand(bytes, size);
    return 0;
}
