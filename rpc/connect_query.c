#include "rpc/connect_query.h"

#include "rpc/base64.h"
#include "rpc/hex.h"

#include <string.h>

/* A parameter's value, decoded, with a NUL behind it. */
struct value {
    char *text; /* NULL: it did not come */
    size_t size;
};

enum parameter {
    CONNECT,
    ENCODING,
    MESSAGE,
    BASE64,
    COMPRESSION,
    PARAMETERS,
};

static const char *const names[PARAMETERS] = {
    [CONNECT] = "connect", [ENCODING] = "encoding",       [MESSAGE] = "message",
    [BASE64] = "base64",   [COMPRESSION] = "compression",
};

/* application/x-www-form-urlencoded, as URLSearchParams of browsers writes it:
 * "+" is a blank.  False when '%' stands before anything but two digits. */
static bool decode_percent(struct arena *arena, const char *text, size_t size,
                           struct value *value)
{
    char *out = value->text = arena_alloc(arena, size + 1);
    for (size_t i = 0; i < size; i++) {
        if (text[i] != '%') {
            *out++ = text[i];
            if (text[i] == '+')
                out[-1] = ' ';
            continue;
        }
        if (size - i < 3 || hex_value(text[i + 1]) < 0 ||
            hex_value(text[i + 2]) < 0)
            return false;
        *out++ = (char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
        i += 2;
    }
    value->size = (size_t)(out - value->text);
    return true;
}

static bool is(const struct value *value, const char *text)
{
    return value->text != NULL && value->size == strlen(text) &&
           memcmp(value->text, text, value->size) == 0;
}

/* The URL-safe alphabet or the other, with or without padding, in place. */
static bool decode_base64(struct value *value)
{
    return base64_decode(value->text, &value->size, value->text, value->size,
                         BASE64_EITHER);
}

static enum parameter find(const char *name, size_t size)
{
    for (enum parameter p = 0; p < PARAMETERS; p++)
        if (strlen(names[p]) == size && memcmp(names[p], name, size) == 0)
            return p;
    return PARAMETERS;
}

/* One "name=value".  A parameter that came twice could mean one thing to a
 * cache on the way and another to us. */
static const char *read_one(struct arena *arena, const char *text, size_t size,
                            struct value *values)
{
    const char *equals = memchr(text, '=', size);
    size_t name_size = equals == NULL ? size : (size_t)(equals - text);
    enum parameter which = find(text, name_size);
    if (which == PARAMETERS)
        return NULL;
    if (values[which].text != NULL)
        return "the query names a parameter twice";
    size_t skipped = equals == NULL ? size : name_size + 1;
    if (!decode_percent(arena, text + skipped, size - skipped, &values[which]))
        return "the query has a '%' that does not stand before two "
               "hexadecimal digits";
    return NULL;
}

static const char *read_all(struct arena *arena, const char *text, size_t size,
                            struct value *values)
{
    for (const char *end = text + size; text < end;) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        if (stop == NULL)
            stop = end;
        const char *problem =
            read_one(arena, text, (size_t)(stop - text), values);
        if (problem != NULL)
            return problem;
        text = stop + 1;
    }
    return NULL;
}

/* The NUL behind a text is its end, or somebody means to hide something. */
static bool is_text(const struct value *value)
{
    return value->text == NULL || strlen(value->text) == value->size;
}

static const char *check(struct value *values)
{
    if (values[CONNECT].text != NULL && !is(&values[CONNECT], "v1"))
        return "the query's \"connect\" must be v1";
    if (!is_text(&values[ENCODING]) || !is_text(&values[COMPRESSION]))
        return "the query has a NUL in \"encoding\" or \"compression\"";
    if (values[BASE64].text == NULL || is(&values[BASE64], "0"))
        return NULL;
    if (!is(&values[BASE64], "1"))
        return "the query's \"base64\" must be 1";
    if (values[MESSAGE].text != NULL && !decode_base64(&values[MESSAGE]))
        return "the query's \"message\" is not base64";
    return NULL;
}

const char *connect_query_read(struct arena *arena, const char *text,
                               size_t size, struct connect_query *query)
{
    struct value values[PARAMETERS] = {{0}};
    const char *problem = read_all(arena, text, size, values);
    if (problem == NULL)
        problem = check(values);
    if (problem != NULL)
        return problem;
    *query = (struct connect_query){
        .encoding = values[ENCODING].text,
        .compression = values[COMPRESSION].text,
        .message = values[MESSAGE].text,
        .message_size = values[MESSAGE].size,
    };
    return NULL;
}
