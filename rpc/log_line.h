#ifndef PRBAL_RPC_LOG_LINE_H
#define PRBAL_RPC_LOG_LINE_H

#include "rpc/log.h"
#include "rpc/trace.h"

/* From a record in a ring to a line of JSON. */

/* This and then its texts, each with its NUL. */
struct log_record {
    int64_t wall_us;
    const char *area; /* a literal; NULL = a call */
    const char *path; /* a call's method, from the method table */
    log_level level;
    rpc_code code;
    int64_t duration_us, wait_us; /* wait: from the headers to the handler */
    uint64_t bytes_in, bytes_out;
    uint32_t messages_in, messages_out;
    uint32_t previous_attempts;
    /* Text; for a call: its struct rpc_trace, and the texts message, caller,
     * request id, peer. */
    char texts[];
};

/* The longest line: a text of control characters, each six bytes. */
enum {
    LOG_NAME_MAX = 128, /* of a caller's or request's id, of an address */
    LOG_LINE_BYTES_MAX = 6 * (LOG_TEXT_MAX + 4 * LOG_NAME_MAX) + 1024,
    LOG_BATCH_BYTES = 64 * 1024,
};

struct log_batch {
    size_t size;
    char bytes[LOG_BATCH_BYTES];
};

/* Appends one line; there must be room for LOG_LINE_BYTES_MAX.  Only for the
 * log's writer: it keeps the text of the second it is in. */
void log_line_put(struct log_batch *batch, const struct log_record *record);

#endif
