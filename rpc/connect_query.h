#ifndef PRBAL_RPC_CONNECT_QUERY_H
#define PRBAL_RPC_CONNECT_QUERY_H

#include "rpc/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A call in the query of a GET request:
 *
 *     ?connect=v1&encoding=json&message=%7B%7D
 *     ?connect=v1&encoding=proto&base64=1&compression=gzip&message=H4sI...
 *
 * Parameters come in any order; what Connect does not know is ignored.  A pure
 * function of bytes that a stranger has chosen. */
struct connect_query {
    const char *encoding;    /* NULL when it is not named */
    const char *compression; /* the same */
    const char *message;     /* NULL likewise; compressed as it came */
    size_t message_size;
};

/* NULL, and the query's texts in `arena`; or a sentence that says what is
 * wrong. */
const char *connect_query_read(struct arena *arena, const char *text,
                               size_t size, struct connect_query *query);

#endif
