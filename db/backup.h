#ifndef PRBAL_DB_BACKUP_H
#define PRBAL_DB_BACKUP_H

#include "db/cluster.h"

#include <stdint.h>

/* Backups of a cluster, in a folder that had better be on another disk:
 *
 *   <folder>/base/20261121T004809Z/   a base backup, named by the second in UTC
 *            base.tar.gz              after which it can be restored
 *            pg_wal.tar.gz
 *            backup_manifest          a checksum for each file
 *   <folder>/wal/NAME.gz              what was written since, file by file
 *
 * Both are the cluster's user's and closed to all others.  From a base backup
 * and the WAL after it any second since can be had again (db/restore.h).  All
 * calls block: for commands, not for loops. */
enum {
    BACKUP_COMMAND_BYTES = 4 * CLUSTER_PATH_BYTES + 256,
    BACKUP_NAME_BYTES = sizeof "20261121T004809Z",
};

/* Makes the folder.  Its path may hold letters, digits and . _ - / only: it
 * becomes part of a shell command of PostgreSQL. */
bool backup_prepare(const struct cluster *cluster, const char *folder,
                    struct cluster_error error);

/* "archive_command=..." for a cluster whose WAL goes to `folder`: compressed,
 * on the disk before it counts as kept, and a file that is there already is
 * left alone when it is the same and an error when it is not. */
void backup_archive_command(const char *folder, char *command, size_t size);

/* Takes a base backup of the server at `url` (a user who may replicate) into
 * `folder`; a failed one leaves nothing.  `tick` as in struct cluster_program.
 */
struct backup_options {
    const char *url;
    const char *folder;
    void (*tick)(void *argument);
    void *argument;
};
bool backup_take(const struct cluster *cluster,
                 const struct backup_options *options,
                 char name[BACKUP_NAME_BYTES], struct cluster_error error);

/* Keeps the newest `keep` base backups and the WAL since the oldest of them. */
bool backup_prune(const struct cluster *cluster, const char *folder,
                  size_t keep, size_t *removed, struct cluster_error error);

/* The newest base backup from which `until_us` (microseconds since 1970; 0 = as
 * late as possible) can be reached. */
bool backup_choose(const char *folder, int64_t until_us,
                   char name[BACKUP_NAME_BYTES], struct cluster_error error);

/* The time in a base backup's name. */
int64_t backup_time_us(const char *name);

/* Bytes of all files below a folder. */
int64_t backup_bytes(const char *folder);

#endif
