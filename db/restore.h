#ifndef PRBAL_DB_RESTORE_H
#define PRBAL_DB_RESTORE_H

#include "db/backup.h"

/* Making a cluster again from a base backup and the WAL after it (db/backup.h).
 * The steps follow each other as they stand here; each blocks and, when it
 * fails, says why in one sentence.  `scratch` is a located cluster whose folder
 * holds none yet. */

/* Unpacks the base backup `name`. */
bool restore_unpack(const struct cluster *scratch, const char *folder,
                    const char *name, struct cluster_error error);

/* Compares each file with the checksum that the backup took of it. */
bool restore_verify(const struct cluster *scratch, const char *folder,
                    const char *name, struct cluster_error error);

/* Tells PostgreSQL to replay, when it starts (embedded_start), up to the last
 * transaction that was committed at `until_us` (microseconds since 1970) or
 * before; 0 = all there is.  Then it is an ordinary cluster. */
bool restore_aim(const struct cluster *scratch, const char *folder,
                 int64_t until_us, struct cluster_error error);

#endif
