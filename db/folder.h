#ifndef PRBAL_DB_FOLDER_H
#define PRBAL_DB_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* As `mkdir -p`, for the data folder.  Others may pass through what it makes,
 * but not list it: the user postgres has to get to its own folder inside.
 * False with a sentence in error[error_size].  Blocks; for start-up. */
bool folder_make(const char *path, char *error, size_t error_size);

#endif
