#ifndef PRBAL_SERVICES_COMMANDS_REVIEW_H
#define PRBAL_SERVICES_COMMANDS_REVIEW_H

#include <stdbool.h>
#include <stddef.h>

/* What makes the settings too weak for production; each looks at them and
 * writes a sentence when something is wrong. */
struct review_rule {
    const char *name;
    bool (*is_fine)(char *error, size_t error_size);
};

extern const struct review_rule review_rules[]; /* ends with a NULL name */

/* The first rule that is broken.  Whether the environment is production is the
 * caller's to know. */
bool review_settings(char *error, size_t error_size);

#endif
