#include "services/commands/live_settings.h"

#include "rpc/limits.h"
#include "services/app.h"
#include "services/commands/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct live_settings {
    struct app_config values;
    struct config *table;
};

void live_settings_destroy(struct live_settings *settings)
{
    if (settings == NULL)
        return;
    config_destroy(settings->table);
    free(settings);
}

static bool is_live(const char *name)
{
    for (size_t i = 0; i < rpc_limit_count; i++)
        if (strcmp(rpc_limits[i].name, name) == 0)
            return rpc_limits[i].is_live;
    return false;
}

static void tell_difference(const char *name, const struct config *before,
                            const struct config *after)
{
    const char *old = config_text(before, name);
    const char *new = config_text(after, name);
    if (strcmp(old, new) == 0)
        return;
    if (is_live(name))
        printf("%-12s %s is %s from now on\n", "settings", name, new);
    else
        printf("%-12s %s has changed, which needs a restart\n", "settings",
               name);
}

static void tell_differences(const struct config *before,
                             const struct config *after)
{
    const char *name;
    for (size_t i = 0; config_name(after, i, &name); i++)
        if (name != NULL)
            tell_difference(name, before, after);
    printf("%-12s limits were read again\n", "settings");
}

void live_settings_read(struct live_settings **last, struct rpc_server *server)
{
    char error[COMMAND_ERROR_BYTES];
    struct live_settings *fresh = calloc(1, sizeof *fresh);
    if (fresh == NULL)
        abort();
    fresh->table = app_config_reread(&fresh->values, error, sizeof error);
    if (fresh->table == NULL) {
        printf("%-12s %s; the old ones stay in use\n", "settings", error);
        live_settings_destroy(fresh);
        return;
    }
    struct rpc_server_options options = {0};
    app_limits(fresh->table, &options);
    rpc_server_set_limits(server, &options);
    tell_differences(*last == NULL ? app_config_table() : (*last)->table,
                     fresh->table);
    live_settings_destroy(*last);
    *last = fresh;
}
