#include "rpc/gen/read_all.h"

#include <stdlib.h>

uint8_t *read_all(FILE *in, size_t *size)
{
    enum { CHUNK = 64 * 1024 };
    uint8_t *bytes = NULL;
    size_t room = 0;
    *size = 0;
    do {
        if (room - *size < CHUNK) {
            room = room * 2 + CHUNK;
            uint8_t *grown = realloc(bytes, room);
            if (grown == NULL) {
                free(bytes);
                return NULL;
            }
            bytes = grown;
        }
        *size += fread(bytes + *size, 1, room - *size, in);
    } while (!feof(in) && !ferror(in));
    if (!ferror(in))
        return bytes;
    free(bytes);
    return NULL;
}
