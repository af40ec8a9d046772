/* The product's settings: services/config.def as a table for rpc/config.h. */
#include "services/app.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct app_config, name)

static const struct config_row rows[] = {
#define ROW(kind, name, field, fallback, minimum, maximum, choices, sentence) \
    {                                                                         \
        NULL, #name, CONFIG_##kind, FIELD(field), fallback, minimum, maximum, \
            choices, sentence                                                 \
    }
#define SECTION(heading) {.section = heading},
#define TEXT(name, fallback, sentence) \
    ROW(TEXT, name, name, fallback, NULL, NULL, NULL, sentence),
#define SECRET(name, fallback, sentence) \
    ROW(SECRET, name, name, fallback, NULL, NULL, NULL, sentence),
#define BOOL(name, fallback, sentence) \
    ROW(BOOL, name, name, fallback, NULL, NULL, NULL, sentence),
#define INT(name, fallback, minimum, maximum, sentence) \
    ROW(INT, name, name, fallback, minimum, maximum, NULL, sentence),
#define DURATION(name, fallback, minimum, maximum, sentence) \
    ROW(DURATION, name, name##_ms, fallback, minimum, maximum, NULL, sentence),
#define SIZE(name, fallback, minimum, maximum, sentence) \
    ROW(SIZE, name, name##_bytes, fallback, minimum, maximum, NULL, sentence),
#define ENUM(name, fallback, choices, sentence) \
    ROW(ENUM, name, name, fallback, NULL, NULL, choices, sentence),
#include "services/config.def"
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct app_config values;
static struct config *table;

/* Kept until the process ends, and freed then so that leak checkers see a
 * clean exit. */
static void forget(void)
{
    config_destroy(table);
    table = NULL;
}

static void set_defaults(void)
{
    table =
        config_create("PRBAL_", rows, sizeof rows / sizeof rows[0], &values);
    atexit(forget);
}

const struct app_config *app_config(void)
{
    pthread_once(&once, set_defaults);
    return &values;
}

const struct config *app_config_table(void)
{
    pthread_once(&once, set_defaults);
    return table;
}

static const char *const *command_line; /* "name=value"... */

static bool read_all(struct config *config, char *error, size_t error_size)
{
    const char *path = getenv("PRBAL_CONFIG");
    if (path != NULL && *path != '\0' &&
        !config_read_file(config, path, error, error_size))
        return false;
    if (!config_read_environment(config, environ, error, error_size))
        return false;
    const char *const *pair = command_line;
    for (; pair != NULL && *pair != NULL; pair++)
        if (!config_set_pair(config, *pair, error, error_size))
            return false;
    return true;
}

bool app_configure(const char *const *pairs, char *error, size_t error_size)
{
    pthread_once(&once, set_defaults);
    command_line = pairs;
    return read_all(table, error, error_size);
}

struct config *app_config_reread(struct app_config *fresh, char *error,
                                 size_t error_size)
{
    struct config *config =
        config_create("PRBAL_", rows, sizeof rows / sizeof rows[0], fresh);
    if (read_all(config, error, error_size))
        return config;
    config_destroy(config);
    return NULL;
}

bool app_config_set(const char *name, const char *value, char *error,
                    size_t error_size)
{
    pthread_once(&once, set_defaults);
    return config_set(table, name, value, CONFIG_FROM_COMMAND_LINE, error,
                      error_size);
}

void app_admin_address(char *address, size_t size)
{
    const char *path = app_config()->admin_socket;
    if (*path != '\0')
        snprintf(address, size, "unix:%s", path);
    else
        snprintf(address, size, "unix:%s/admin.sock", app_data_folder());
}

const char *app_data_folder(void)
{
    static char folder[4096];
    const struct app_config *config = app_config();
    if (*config->data != '\0')
        return config->data;
    if (geteuid() == 0)
        return "/var/lib/prbal";

    const char *share = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    if (share != NULL && *share == '/')
        snprintf(folder, sizeof folder, "%s/prbal", share);
    else
        snprintf(folder, sizeof folder, "%s/.local/share/prbal",
                 home != NULL ? home : "/tmp");
    return folder;
}
