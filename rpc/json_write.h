#ifndef PRBAL_RPC_JSON_WRITE_H
#define PRBAL_RPC_JSON_WRITE_H

#include "rpc/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* A text that grows in an arena, and strings in it as JSON has them. */

struct json_out {
    struct arena *arena;
    char *text;
    size_t size, room;
};

void json_out_init(struct json_out *out, struct arena *arena);

/* Where at least `size` bytes fit: write there, then add to out->size. */
char *json_out_reserve(struct json_out *out, size_t size);

static inline void json_put(struct json_out *out, const char *text, size_t size)
{
    memcpy(json_out_reserve(out, size), text, size);
    out->size += size;
}

#define JSON_PUT(out, literal) json_put((out), (literal), sizeof(literal) - 1)

/* In quotes, with what has to be escaped.  False, with nothing written, when
 * the text is not UTF-8. */
bool json_put_string(struct json_out *out, const char *text, size_t size);

/* One character of ASCII that cannot stand in a string as it is; `to` has room
 * for JSON_ESCAPE_MAX.  Returns the size. */
enum { JSON_ESCAPE_MAX = 6 };
size_t json_escape(char *to, char c);

/* In quotes, as padded base64. */
void json_put_bytes(struct json_out *out, const void *bytes, size_t size);

#endif
