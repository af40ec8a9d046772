#ifndef PRBAL_RPC_OBSERVE_H
#define PRBAL_RPC_OBSERVE_H

#include "rpc/metrics.h"
#include "rpc/status.h"

#include <stdint.h>

/* One event a call: what its log line and the metrics say of it. */

struct call_state;
struct method_entry;

struct observed {
    const struct method_entry *entry; /* NULL: no such method */
    const char *caller_id;            /* NULL: nobody signed in */
    const char *request_id;
    const char *peer;
    int64_t start_us;   /* headers complete */
    int64_t handler_us; /* the handler began; 0 = it did not */
    uint64_t bytes_in, bytes_out;
    uint32_t messages_in, messages_out;
};

struct method_numbers {
    metric started;
    metric finished[RPC_CODE_COUNT];
    metric duration;
};

/* The numbers of a method: "prbal.v1.BidService/AcceptBid". */
struct method_numbers observe_method(const char *name);

/* Those of all paths that are no method. */
const struct method_numbers *observe_other(void);

/* The call is answered.  `status` as the handler said it. */
void observe_call(const struct call_state *state, rpc_status status);

/* A call that becomes a tail, and the tail's end. */
struct observed observe_detach(const struct call_state *state);
void observe_tail(const struct observed *observed, rpc_status status);

/* The gate has let a call in, or refused it. */
void observe_start(const struct call_state *state);

#endif
