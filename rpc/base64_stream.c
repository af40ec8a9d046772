#include "rpc/base64_stream.h"

#include "rpc/base64.h"

#include <string.h>

bool base64_read(struct base64_reader *reader, const uint8_t *text, size_t size,
                 uint8_t *out, size_t *out_size)
{
    *out_size = 0;
    for (size_t i = 0; i < size; i++) {
        size_t count;
        reader->group[reader->size++] = (char)text[i];
        if (reader->size < sizeof reader->group)
            continue;
        if (!base64_decode(out + *out_size, &count, reader->group,
                           sizeof reader->group, BASE64_STANDARD))
            return false;
        *out_size += count;
        reader->size = 0;
    }
    return true;
}

/* The bytes go to the end of the room, where the encoder is never ahead of what
 * it reads. */
size_t base64_expand(uint8_t *bytes, size_t size)
{
    size_t expanded = BASE64_PADDED_SIZE(size);
    uint8_t *moved = bytes + expanded - size;
    memmove(moved, bytes, size);
    base64_encode((char *)bytes, moved, size);
    memset(bytes + BASE64_SIZE(size), '=', expanded - BASE64_SIZE(size));
    return expanded;
}
