#include "rpc/cors.h"

#include <string.h>

bool cors_allows(const char *origins, const char *origin)
{
    if (origins == NULL || origin == NULL)
        return false;
    size_t size = strlen(origin);
    while (*origins != '\0') {
        origins += strspn(origins, ", ");
        size_t token = strcspn(origins, ", ");
        if (token == 1 && *origins == '*')
            return true;
        if (token == size && token > 0 && memcmp(origins, origin, size) == 0)
            return true;
        origins += token;
    }
    return false;
}
