#include "db/backup.h"

#include "db/folder.h"
#include "rpc/civil.h"
#include "rpc/clock.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_BYTES = CLUSTER_PATH_BYTES + 64,
    MANIFEST_TAIL_BYTES = 512,
    PRUNE_MS = 10 * 60 * 1000,
    SEGMENT_BYTES = 16 << 20, /* initdb's, and every packager's, default */
    WAL_NAME_BYTES = 32,
};

/* --- the folder ------------------------------------------------------------
 */

bool backup_prepare(const struct cluster *c, const char *folder,
                    struct cluster_error error)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
    if (*folder != '/' || folder[strspn(folder, plain)] != '\0' ||
        strlen(folder) >= CLUSTER_PATH_BYTES - 8)
        return cluster_fail(error,
                            "The folder of backups has to be a whole path of "
                            "letters, digits and . _ - / only: %s.",
                            folder);
    char base[PATH_BYTES], wal[PATH_BYTES];
    snprintf(base, sizeof base, "%s/base", folder);
    snprintf(wal, sizeof wal, "%s/wal", folder);
    return folder_make(folder, error.text, error.size) &&
           cluster_make_folder(c, base, error) &&
           cluster_make_folder(c, wal, error);
}

/* PostgreSQL may offer a file twice, after a crash. */
void backup_archive_command(const char *folder, char *command, size_t size)
{
    const char *f = folder;
    snprintf(command, size,
             "archive_command=if test -e %s/wal/%%f.gz; "
             "then gzip -dc %s/wal/%%f.gz | cmp -s - %%p; "
             "else gzip -1 -c %%p > %s/wal/%%f.part && sync %s/wal/%%f.part "
             "&& mv %s/wal/%%f.part %s/wal/%%f.gz && sync %s/wal; fi",
             f, f, f, f, f, f, f);
}

static _Thread_local int64_t bytes_found;

static int add_bytes(const char *path, const struct stat *info, int kind,
                     struct FTW *walk)
{
    (void)path, (void)walk;
    bytes_found += kind == FTW_F ? info->st_size : 0;
    return 0;
}

int64_t backup_bytes(const char *folder)
{
    bytes_found = 0;
    nftw(folder, add_bytes, 16, FTW_PHYS);
    return bytes_found;
}

/* --- names -------------------------------------------------------------------
 */

static void name_now(char name[BACKUP_NAME_BYTES])
{
    int64_t seconds = clock_wall_us() / 1000000, year;
    int month, day, rest = (int)(seconds % 86400);
    civil_from_days(seconds / 86400, &year, &month, &day);
    char text[64];
    snprintf(text, sizeof text, "%04" PRId64 "%02d%02dT%02d%02d%02dZ", year,
             month, day, rest / 3600, rest / 60 % 60, rest % 60);
    memcpy(name, text, BACKUP_NAME_BYTES - 1);
    name[BACKUP_NAME_BYTES - 1] = '\0';
}

int64_t backup_time_us(const char *name)
{
    int year, month, day, hour, minute, second, length = 0;
    if (sscanf(name, "%4d%2d%2dT%2d%2d%2dZ%n", &year, &month, &day, &hour,
               &minute, &second, &length) != 6 ||
        length != BACKUP_NAME_BYTES - 1 || name[length] != '\0')
        return 0;
    return (civil_to_days(year, month, day) * 86400 + hour * 3600 +
            minute * 60 + second) *
           1000000;
}

static int is_base(const struct dirent *entry)
{
    return backup_time_us(entry->d_name) != 0;
}

/* Oldest first, as their names are; to be given to free_bases(). */
struct bases {
    struct dirent **entries;
    int count;
};

static struct bases list_bases(const char *folder)
{
    char path[PATH_BYTES];
    struct bases bases = {NULL, 0};
    snprintf(path, sizeof path, "%s/base", folder);
    int count = scandir(path, &bases.entries, is_base, alphasort);
    bases.count = count > 0 ? count : 0;
    return bases;
}

static void free_bases(struct bases *bases)
{
    for (int i = 0; i < bases->count; i++)
        free(bases->entries[i]);
    free(bases->entries);
}

static bool choose(const char *folder, const struct bases *bases,
                   int64_t until_us, char name[BACKUP_NAME_BYTES],
                   struct cluster_error error)
{
    if (bases->count == 0)
        return cluster_fail(error,
                            "There is no base backup in %s/base; `prbald "
                            "backup` makes one.",
                            folder);
    for (int i = bases->count; i-- > 0;) {
        const char *base = bases->entries[i]->d_name;
        if (until_us != 0 && backup_time_us(base) > until_us)
            continue;
        memcpy(name, base, BACKUP_NAME_BYTES);
        return true;
    }
    return cluster_fail(error,
                        "The oldest base backup in %s/base was ready at %s: "
                        "nothing before that can be restored.",
                        folder, bases->entries[0]->d_name);
}

bool backup_choose(const char *folder, int64_t until_us,
                   char name[BACKUP_NAME_BYTES], struct cluster_error error)
{
    struct bases bases = list_bases(folder);
    bool good = choose(folder, &bases, until_us, name, error);
    free_bases(&bases);
    return good;
}

/* --- taking one
 * ---------------------------------------------------------------
 */

/* The connection goes by environment: an argument could be read by anybody. */
static bool export_connection(const char *url, struct cluster_error error)
{
    char *reason = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &reason);
    if (options == NULL) {
        cluster_fail(error, "The database's URL: %s", reason);
        PQfreemem(reason);
        return false;
    }
    for (const PQconninfoOption *o = options; o->keyword != NULL; o++)
        if (o->val != NULL && o->envvar != NULL)
            setenv(o->envvar, o->val, 1);
    PQconninfoFree(options);
    return true;
}

bool backup_take(const struct cluster *cluster,
                 const struct backup_options *options,
                 char name[BACKUP_NAME_BYTES], struct cluster_error error)
{
    char program[PATH_BYTES], fresh[PATH_BYTES], final[PATH_BYTES],
        log[PATH_BYTES];
    snprintf(program, sizeof program, "%s/pg_basebackup", cluster->programs);
    snprintf(fresh, sizeof fresh, "%s/base/new", options->folder);
    snprintf(log, sizeof log, "%s/base/log", options->folder);
    if (!backup_prepare(cluster, options->folder, error) ||
        !export_connection(options->url, error))
        return false;
    cluster_remove_tree(fresh);
    unlink(log);
    const char *const argv[] = {program,
                                "--no-password",
                                "--pgdata",
                                fresh,
                                "--format=tar",
                                "-z",
                                "--checkpoint=fast",
                                "--wal-method=stream",
                                NULL};
    if (!cluster_run(cluster,
                     &(struct cluster_program){"pg_basebackup", argv, -1, log,
                                               options->tick,
                                               options->argument},
                     error)) {
        cluster_remove_tree(fresh);
        return false;
    }
    name_now(name);
    snprintf(final, sizeof final, "%s/base/%s", options->folder, name);
    if (rename(fresh, final) == 0)
        return true;
    return cluster_fail(error, "%s cannot be renamed: %s.", fresh,
                        strerror(errno));
}

/* --- removing old ones
 * --------------------------------------------------------
 */

/* The WAL file with which a restore from that base backup begins; the manifest
 * ends with "WAL-Ranges": [{"Timeline": 1, "Start-LSN": "0/2000028", ... */
static bool first_wal(const char *folder, const char *name, char *wal,
                      size_t size)
{
    char path[PATH_BYTES], tail[MANIFEST_TAIL_BYTES + 1];
    snprintf(path, sizeof path, "%s/base/%s/backup_manifest", folder, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    if (fseek(file, -MANIFEST_TAIL_BYTES, SEEK_END) != 0)
        rewind(file);
    tail[fread(tail, 1, MANIFEST_TAIL_BYTES, file)] = '\0';
    fclose(file);

    unsigned timeline, high, low;
    const char *ranges = strstr(tail, "\"WAL-Ranges\"");
    const char *at = ranges == NULL ? NULL : strstr(ranges, "\"Timeline\"");
    if (at == NULL || sscanf(at, "\"Timeline\": %u, \"Start-LSN\": \"%X/%X\"",
                             &timeline, &high, &low) != 3)
        return false;
    snprintf(wal, size, "%08X%08X%08X", timeline, high, low / SEGMENT_BYTES);
    return true;
}

static bool prune_wal(const struct cluster *c, const char *folder,
                      const char *oldest, struct cluster_error error)
{
    char program[PATH_BYTES], path[PATH_BYTES], wal[WAL_NAME_BYTES];
    if (!first_wal(folder, oldest, wal, sizeof wal))
        return cluster_fail(error,
                            "%s/base/%s/backup_manifest does not say where its "
                            "WAL begins.",
                            folder, oldest);
    snprintf(program, sizeof program, "%s/pg_archivecleanup", c->programs);
    snprintf(path, sizeof path, "%s/wal", folder);
    const char *const argv[] = {program, "-x", ".gz", path, wal, NULL};
    return cluster_run(c,
                       &(struct cluster_program){"pg_archivecleanup", argv,
                                                 .timeout_ms = PRUNE_MS},
                       error);
}

bool backup_prune(const struct cluster *cluster, const char *folder,
                  size_t keep, size_t *removed, struct cluster_error error)
{
    struct bases bases = list_bases(folder);
    int excess = bases.count - (int)keep > 0 ? bases.count - (int)keep : 0;
    for (int i = 0; i < excess; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/base/%.*s", folder, BACKUP_NAME_BYTES,
                 bases.entries[i]->d_name);
        cluster_remove_tree(path);
    }
    *removed = (size_t)excess;
    bool good =
        bases.count == 0 ||
        prune_wal(cluster, folder, bases.entries[excess]->d_name, error);
    free_bases(&bases);
    return good;
}
