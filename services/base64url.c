#include "services/base64url.h"

#include "rpc/base64.h"

size_t base64url_length(size_t size)
{
    return BASE64_SIZE(size);
}

char *base64url_encode(struct arena *arena, const void *bytes, size_t size)
{
    char *text = arena_alloc(arena, BASE64_SIZE(size) + 1);
    base64_encode_url(text, bytes, size);
    return text;
}

bool base64url_decode(const char *text, size_t length, uint8_t *bytes,
                      size_t *size)
{
    return base64_decode(bytes, size, text, length, BASE64_URL);
}
