#ifndef PRBAL_RPC_CONFIG_H
#define PRBAL_RPC_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Settings, described by a table of rows and read into a struct of the
 * application.  A row "access_ttl" is the environment variable
 * PREFIX_ACCESS_TTL, the same line in a file, and `--set access_ttl=15m`.  What
 * comes later in this list wins:
 *
 *   default  <  file  <  environment  <  command line
 */
typedef enum {
    CONFIG_TEXT,     /* const char *, never NULL */
    CONFIG_SECRET,   /* the same, and never printed */
    CONFIG_BOOL,     /* bool: true, false, yes, no, on, off, 1, 0 */
    CONFIG_INT,      /* int64_t */
    CONFIG_DURATION, /* int64_t milliseconds: "500ms", "15m", "1h30m", "7d" */
    CONFIG_SIZE,     /* int64_t bytes: "4096", "512KiB", "4MiB", "1GiB" */
    CONFIG_ENUM,     /* int: the index of the word in `choices` */
} config_type;

typedef enum {
    CONFIG_FROM_DEFAULT,
    CONFIG_FROM_FILE,
    CONFIG_FROM_ENVIRONMENT,
    CONFIG_FROM_COMMAND_LINE,
} config_origin;

struct config_row {
    const char *section; /* a heading, and nothing else of the row is used */
    const char *name;
    config_type type;
    size_t offset; /* of the value in the application's struct */
    const char *fallback;
    const char *minimum, *maximum; /* written as values are; NULL = any */
    const char *choices;           /* CONFIG_ENUM: "auto|on|off" */
    const char *sentence;
};

struct config;

/* `rows` and `values` outlive the config; `values` gets the defaults.  Texts in
 * it belong to the config.  `prefix` is "PRBAL_". */
struct config *config_create(const char *prefix, const struct config_row *rows,
                             size_t row_count, void *values);
void config_destroy(struct config *config); /* accepts NULL */

/* All of these answer false with one sentence in error[error_size] that names
 * the setting, the value and what is allowed. */
bool config_set(struct config *config, const char *name, const char *value,
                config_origin origin, char *error, size_t error_size);

/* "name=value", as `--set` takes it. */
bool config_set_pair(struct config *config, const char *pair, char *error,
                     size_t error_size);

/* Lines `PREFIX_NAME=value`, `#` comments, blank lines, an optional `export`;
 * a value may stand in single or double quotes.  An unknown name is an error:
 * it is a typing mistake that would otherwise stay unseen. */
bool config_read_file(struct config *config, const char *path, char *error,
                      size_t error_size);

/* `environment` is environ.  Unknown names that begin with the prefix are left
 * alone: Kubernetes and Docker make such variables by themselves.  An empty
 * variable counts as absent. */
bool config_read_environment(struct config *config, char **environment,
                             char *error, size_t error_size);

/* "300ms", "1h30m" and the like, for texts that hold durations. */
bool config_read_duration(const char *text, int64_t *ms);

/* The value as text, a secret masked, and where it came from.  The text of a
 * number is as it was written.  NULL for an unknown name. */
const char *config_text(const struct config *config, const char *name);
config_origin config_origin_of(const struct config *config, const char *name);
const char *config_origin_name(config_origin origin);

/* The name of the row at this place, NULL for a heading; false past the end. */
bool config_name(const struct config *config, size_t place, const char **name);

/* What is a number, a duration in ms or a size in bytes; false for others and
 * unknown names. */
bool config_number(const struct config *config, const char *name,
                   int64_t *number);

/* A table of all settings: for people, or as the reference page. */
void config_print(const struct config *config, FILE *out);
void config_print_markdown(const struct config *config, FILE *out);

#endif
