#ifndef PRBAL_SERVICES_AUTH_PASSWORD_RULES_H
#define PRBAL_SERVICES_AUTH_PASSWORD_RULES_H

#include <stdbool.h>

/* Which new passwords are too weak. */
enum { PASSWORD_LENGTH_MIN = 8, PASSWORD_BYTES_MAX = 1024 };

/* What the password must not resemble; any may be NULL. */
struct password_owner {
    const char *username;
    const char *email;
    const char *first_name;
    const char *last_name;
    const char *full_name;
};

/* NULL when the password will do, else a sentence for its owner. */
const char *password_weakness(const char *password,
                              const struct password_owner *owner);

/* Whether little more than a name is in a password: their longest common run,
 * whatever its case, counted twice, is 0.7 or more of both lengths together.
 * The whole name is compared, and each of its words of four characters or
 * more.  Looks at the first 128 bytes of each. */
bool password_is_similar(const char *password, const char *name);

#endif
