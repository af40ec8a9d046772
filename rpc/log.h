#ifndef PRBAL_RPC_LOG_H
#define PRBAL_RPC_LOG_H

#include "rpc/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The process's log: JSON lines, one event each.
 *
 *   any thread --(its own ring)--> writer thread --> stderr or a file
 *
 * Logging costs its thread a copy into its ring; text is formatted for calls
 * and written for all by the writer.  A full ring drops the line and counts it
 * (log_dropped_total) rather than making a loop wait for a disk.  Tokens,
 * request metadata and messages' contents are never logged. */

typedef enum { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } log_level;

struct log_options {
    const char *path;      /* NULL = stderr */
    log_level level;       /* lines below it are not made */
    bool without_calls;    /* no line for calls that ended well */
    size_t file_bytes_max; /* then the file is rotated; 0 = 10 MB */
    int files_max;         /* "path.1" to this; 0 = 5 */
};

/* Before log_open() and after log_close() nothing is logged.  False with a
 * sentence in error[error_size] when the file cannot be opened. */
bool log_open(const struct log_options *options, char *error,
              size_t error_size);

/* Writes out all that was logged before. */
void log_close(void);

bool log_is_on(log_level level);

/* One line: `area` is the part of the program that speaks, a literal.  At most
 * LOG_TEXT_MAX bytes of text are kept. */
enum { LOG_TEXT_MAX = 2048 };
void log_text(log_level level, const char *area, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The line of one call; a failure of the server's own keeps its real message
 * and is an error. */
struct observed;
void log_call(const struct observed *observed, rpc_status status,
              int64_t end_us);

#endif
