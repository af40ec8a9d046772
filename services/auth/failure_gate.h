#ifndef PRBAL_SERVICES_AUTH_FAILURE_GATE_H
#define PRBAL_SERVICES_AUTH_FAILURE_GATE_H

#include <stdbool.h>
#include <stdint.h>

/* How many bad tokens an address may have checked: checking one takes as long
 * as thirty calls.  A bucket for each IPv4 address or IPv6 /64; a token that is
 * in the cache never comes here.  One for each loop; suspends nowhere. */
enum {
    FAILURE_GATE_BURST = 200,
    FAILURE_GATE_PER_SECOND = 50, /* 2.5 % of a core */
};
struct failure_gate;

struct failure_gate *failure_gate_create(void);
void failure_gate_destroy(struct failure_gate *gate); /* accepts NULL */

/* `peer` is rpc_call.peer; `now_us` any clock that does not jump. */
bool failure_gate_is_shut(const struct failure_gate *gate, const char *peer,
                          int64_t now_us);
void failure_gate_count(struct failure_gate *gate, const char *peer,
                        int64_t now_us);

#endif
