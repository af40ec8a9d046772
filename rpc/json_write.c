#include "rpc/json_write.h"

#include "rpc/base64.h"
#include "rpc/json_scan.h"
#include "rpc/utf8.h"

enum { FIRST_ROOM = 512 };

void json_out_init(struct json_out *out, struct arena *arena)
{
    *out = (struct json_out){.arena = arena, .room = FIRST_ROOM};
    out->text = arena_alloc(arena, out->room);
}

char *json_out_reserve(struct json_out *out, size_t size)
{
    if (size > out->room - out->size) {
        while (size > out->room - out->size)
            out->room *= 2;
        char *larger = arena_alloc(out->arena, out->room);
        out->text = memcpy(larger, out->text, out->size);
    }
    return out->text + out->size;
}

size_t json_escape(char *to, char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char codes[] = "\b\f\n\r\t\"\\";
    static const char letters[] = "bfnrt\"\\";
    const char *code = c == '\0' ? NULL : strchr(codes, c);
    to[0] = '\\';
    if (code != NULL) {
        to[1] = letters[code - codes];
        return 2;
    }
    to[1] = 'u';
    to[2] = '0';
    to[3] = '0';
    to[4] = hex[(unsigned char)c >> 4];
    to[5] = hex[c & 15];
    return 6;
}

bool json_put_string(struct json_out *out, const char *text, size_t size)
{
    const char *end = text + size;
    uint64_t seen = 0;
    size_t before = out->size;
    const char *start = text;
    JSON_PUT(out, "\"");
    for (;;) {
        const char *stop = json_pass_plain(text, end, &seen);
        json_put(out, text, (size_t)(stop - text));
        if (stop == end)
            break;
        out->size += json_escape(json_out_reserve(out, JSON_ESCAPE_MAX), *stop);
        text = stop + 1;
    }
    JSON_PUT(out, "\"");
    if (!json_has_wide(seen) || utf8_is_text(start, size))
        return true;
    out->size = before;
    return false;
}

void json_put_bytes(struct json_out *out, const void *bytes, size_t size)
{
    size_t length = BASE64_SIZE(size);
    char *to = json_out_reserve(out, length + 4);
    *to++ = '"';
    if (size > 0)
        base64_encode(to, bytes, size);
    to += length;
    for (; length % 4 != 0; length++)
        *to++ = '=';
    *to++ = '"';
    out->size += length + 2;
}
