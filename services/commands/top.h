#ifndef PRBAL_SERVICES_COMMANDS_TOP_H
#define PRBAL_SERVICES_COMMANDS_TOP_H

#include "prbal/runtime/v1/runtime.rpc.h"
#include "rpc/arena.h"

#include <stdio.h>

/* What `prbald top` asked and what it shows of it. */

struct top_sample {
    struct arena *arena; /* of the messages */
    int64_t at_us;       /* wall clock */
    GetServerStateResponse *state;
    ListServerCallsResponse *calls;
    ListServerConnectionsResponse *connections;
};

/* Prints tables of at most `rows` rows each.  Rates are those since `previous`,
 * or since the server's start when it is NULL. */
void top_print(FILE *out, const struct top_sample *now,
               const struct top_sample *previous, size_t rows);

/* One line of JSON: {"state": ..., "calls": ..., "connections": ...}. */
void top_print_json(FILE *out, const struct top_sample *now);

#endif
