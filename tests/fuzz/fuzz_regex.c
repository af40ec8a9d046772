/* A pattern, a NUL, and a text: the pattern is refused with a sentence, or
 * matched without a fault. */
#include "rpc/regex.h"
#include "rpc/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = memchr(bytes, '\0', size);
    if (end == NULL)
        return 0;
    struct arena *arena = arena_create();
    const char *problem = NULL;
    const struct regex *regex =
        regex_compile(arena, (const char *)bytes, &problem);
    if ((regex == NULL) != (problem != NULL))
        abort();
    const uint8_t *text = end + 1;
    size_t left = size - (size_t)(text - bytes);
    if (regex != NULL && (left == 0 || utf8_is_text(text, left)))
        regex_matches(regex, (const char *)text, left);
    arena_destroy(arena);
    return 0;
}
