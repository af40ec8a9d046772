/* The query of a GET: whatever is taken has texts that end where they say, and
 * no more bytes than the query had. */
#include "rpc/connect_query.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arena *arena = arena_create();
    char *text =
        malloc(size > 0 ? size : 1); /* of its own, so that ASan sees its end */
    struct connect_query query;
    memcpy(text, bytes, size);
    if (connect_query_read(arena, text, size, &query) == NULL) {
        if (query.message != NULL && query.message_size > size)
            abort();
        if (query.encoding != NULL && strlen(query.encoding) > size)
            abort();
        if (query.compression != NULL && strlen(query.compression) > size)
            abort();
    }
    free(text);
    arena_destroy(arena);
    return 0;
}
