#include "services/auth/service_identity.h"

#include <string.h>

bool service_identity_is_listed(const char *list, const char *identity)
{
    size_t size = identity == NULL ? 0 : strlen(identity);
    while (size > 0 && *list != '\0') {
        list += strspn(list, ", ");
        size_t name = strcspn(list, ", ");
        if (name == size && memcmp(list, identity, size) == 0)
            return true;
        list += name;
    }
    return false;
}
