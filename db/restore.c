#include "db/restore.h"

#include "rpc/civil.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = CLUSTER_PATH_BYTES + 64 };

static bool unpack(const struct cluster *c, const char *archive,
                   const char *into, struct cluster_error error)
{
    const char *const argv[] = {"/bin/tar", "-xzf", archive, "-C", into, NULL};
    return cluster_run(
        c, &(struct cluster_program){"tar", argv, .timeout_ms = -1}, error);
}

bool restore_unpack(const struct cluster *c, const char *folder,
                    const char *name, struct cluster_error error)
{
    char base[PATH_BYTES], wal[PATH_BYTES], into[PATH_BYTES];
    snprintf(base, sizeof base, "%s/base/%s/base.tar.gz", folder, name);
    snprintf(wal, sizeof wal, "%s/base/%s/pg_wal.tar.gz", folder, name);
    snprintf(into, sizeof into, "%s/pg_wal", c->data);
    return cluster_make_home(c, error) &&
           cluster_make_folder(c, c->data, error) &&
           unpack(c, base, c->data, error) && unpack(c, wal, into, error);
}

bool restore_verify(const struct cluster *c, const char *folder,
                    const char *name, struct cluster_error error)
{
    char program[PATH_BYTES], manifest[PATH_BYTES];
    snprintf(program, sizeof program, "%s/pg_verifybackup", c->programs);
    snprintf(manifest, sizeof manifest, "%s/base/%s/backup_manifest", folder,
             name);
    const char *const argv[] = {program,  "--quiet", "--manifest-path",
                                manifest, c->data,   NULL};
    return cluster_run(
        c, &(struct cluster_program){"pg_verifybackup", argv, .timeout_ms = -1},
        error);
}

static bool write_file(const struct cluster *c, const char *name,
                       const char *mode, const char *text,
                       struct cluster_error error)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", c->data, name);
    FILE *file = fopen(path, mode);
    bool good = file != NULL && fputs(text, file) >= 0 &&
                fchown(fileno(file), c->user.uid, c->user.gid) == 0 &&
                fchmod(fileno(file), 0600) == 0;
    if (file != NULL && fclose(file) != 0)
        good = false;
    return good || cluster_fail(error, "%s cannot be written: %s.", path,
                                strerror(errno));
}

static void write_target(char *text, size_t size, int64_t until_us)
{
    int64_t seconds = until_us / 1000000, year;
    int month, day, rest = (int)(seconds % 86400);
    civil_from_days(seconds / 86400, &year, &month, &day);
    snprintf(text, size,
             "recovery_target_time = '%04d-%02d-%02d %02d:%02d:%02d.%06d+00'\n",
             (int)year, month, day, rest / 3600, rest / 60 % 60, rest % 60,
             (int)(until_us % 1000000));
}

/* A file that is not there is the end of the archive; one that is broken must
 * not look like that, and more than 125 stops PostgreSQL. */
bool restore_aim(const struct cluster *c, const char *folder, int64_t until_us,
                 struct cluster_error error)
{
    char target[128] = "", text[2 * PATH_BYTES + 512];
    if (until_us != 0)
        write_target(target, sizeof target, until_us);
    snprintf(text, sizeof text,
             "\nrestore_command = 'test -e %s/wal/%%f.gz || exit 1; "
             "gzip -dc %s/wal/%%f.gz > %%p || exit 255'\n"
             "recovery_target_action = 'promote'\n%s",
             folder, folder, target);
    return write_file(c, "postgresql.auto.conf", "ae", text, error) &&
           write_file(c, "recovery.signal", "we", "", error);
}
