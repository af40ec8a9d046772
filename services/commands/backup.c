#include "db/backup.h"
#include "services/app.h"
#include "services/commands/command.h"
#include "services/commands/database.h"

#include <stdio.h>
#include <unistd.h>

static void tell_size(void *argument)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%.1f MB", (double)backup_bytes(argument) / 1e6);
}

static void clear_line(void)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
}

static int take(const struct cluster *cluster, const char *url)
{
    const char *folder = app_config()->backup;
    char text[COMMAND_ERROR_BYTES], name[BACKUP_NAME_BYTES], path[1024];
    struct cluster_error error = {text, sizeof text};
    snprintf(path, sizeof path, "%s/base/new", folder);
    bool good = backup_take(
        cluster,
        &(struct backup_options){
            .url = url, .folder = folder, .tick = tell_size, .argument = path},
        name, error);
    clear_line();
    if (!good)
        return command_fail("%s", text);
    snprintf(path, sizeof path, "%s/base/%s", folder, name);
    printf("%s: %.1f MB\n", path, (double)backup_bytes(path) / 1e6);

    size_t removed;
    if (!backup_prune(cluster, folder, (size_t)app_config()->backups, &removed,
                      error))
        return command_fail("The backup is made, but the old ones stay: %s",
                            text);
    if (removed > 0)
        printf("removed %zu older one%s\n", removed, removed == 1 ? "" : "s");
    return COMMAND_DONE;
}

static int run(const char *const *arguments)
{
    char text[COMMAND_ERROR_BYTES];
    static struct cluster cluster; /* too large for a stack's frame */
    struct database database;
    if (*arguments != NULL)
        return command_misused(&command_backup, *arguments);
    if (*app_config()->backup == '\0')
        return command_fail("PRBAL_BACKUP names no folder to put it in.");
    if (!cluster_locate(&cluster, app_data_folder(),
                        (struct cluster_error){text, sizeof text}) ||
        !database_open(&database, true, text, sizeof text))
        return command_fail("%s", text);
    int status = take(&cluster, database.url);
    database_close(&database);
    return status;
}

const struct command command_backup = {
    .name = "backup",
    .summary = "Takes a backup of the database, while it is in use",
    .arguments = "",
    .help =
        "It goes to the folder that PRBAL_BACKUP names, best on another disk.  "
        "With that\nsetting the private PostgreSQL also keeps there what is "
        "written from then on, so\nthat every second after the backup can be "
        "had again: `prbald drill restore` proves\nit.  The newest "
        "PRBAL_BACKUPS are kept.  Signing keys are not in it; they are in the\n"
        "folder `keys` of the data folder.\n",
    .run = run,
};
