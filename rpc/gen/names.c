#include "rpc/gen/names.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

char *name_lower(struct arena *arena, const char *camel)
{
    char *lower = arena_alloc(arena, 2 * strlen(camel) + 1);
    char *to = lower;
    bool was_upper = true;
    for (const char *c = camel; *c != '\0'; c++) {
        bool upper = isupper((unsigned char)*c) != 0;
        if (upper && !was_upper)
            *to++ = '_';
        *to++ = (char)tolower((unsigned char)*c);
        was_upper = upper;
    }
    return lower;
}

/* A word starts at a capital after a small letter, and at the last capital of
 * several when a small letter follows. */
static bool starts_word(const char *camel, size_t i)
{
    if (i == 0 || !isupper((unsigned char)camel[i]))
        return false;
    return !isupper((unsigned char)camel[i - 1]) ||
           islower((unsigned char)camel[i + 1]);
}

char *name_snake(struct arena *arena, const char *camel)
{
    char *snake = arena_alloc(arena, 2 * strlen(camel) + 1);
    char *to = snake;
    for (size_t i = 0; camel[i] != '\0'; i++) {
        if (starts_word(camel, i))
            *to++ = '_';
        *to++ = (char)tolower((unsigned char)camel[i]);
    }
    return snake;
}

static char *capitals(char *text)
{
    for (char *c = text; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    return text;
}

char *name_macro(struct arena *arena, const char *camel)
{
    return capitals(name_snake(arena, camel));
}

char *name_field_upper(struct arena *arena, const char *field)
{
    return capitals(name_lower(arena, field));
}

char *name_c_type(struct arena *arena, const char *full_name)
{
    char *type = arena_alloc(arena, 2 * strlen(full_name) + 1);
    char *to = type;
    bool start = true;
    for (const char *c = full_name; *c != '\0'; c++) {
        if (*c == '.') {
            *to++ = '_';
            *to++ = '_';
            start = true;
        } else if (*c == '_') {
            start = true;
        } else {
            *to++ = start ? (char)toupper((unsigned char)*c) : *c;
            start = false;
        }
    }
    return type;
}

char *name_c_lower(struct arena *arena, const char *full_name)
{
    const char *dot = strchr(full_name, '.');
    if (dot == NULL)
        return name_lower(arena, full_name);
    char *first = arena_strndup(arena, full_name, (size_t)(dot - full_name));
    return arena_printf(arena, "%s__%s", name_lower(arena, first),
                        name_c_lower(arena, dot + 1));
}

char *name_c_upper(struct arena *arena, const char *full_name)
{
    return capitals(name_c_lower(arena, full_name));
}

char *name_join(struct arena *arena, const char *dotted)
{
    char *joined = arena_alloc(arena, strlen(dotted) + 1);
    char *to = joined;
    for (const char *c = dotted; *c != '\0'; c++)
        if (*c != '.')
            *to++ = *c;
    return joined;
}

char *name_stem(struct arena *arena, const char *path)
{
    size_t length = strlen(path);
    if (length > 6 && strcmp(path + length - 6, ".proto") == 0)
        length -= 6;
    return arena_strndup(arena, path, length);
}

char *name_guard(struct arena *arena, const char *path)
{
    char *guard = arena_printf(arena, "PRBAL_GEN_%s", path);
    for (char *c = guard; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    return capitals(guard);
}
