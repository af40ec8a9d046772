#ifndef PRBAL_RPC_OBSERVE_H
#define PRBAL_RPC_OBSERVE_H

#include "rpc/metrics.h"
#include "rpc/status.h"
#include "rpc/trace.h"

#include <stdint.h>

/* One event a call: what its log line and the metrics say of it. */

struct call_state;
struct method_entry;

struct observed {
    const struct method_entry *entry; /* NULL: no such method */
    const char *caller_id;            /* NULL: nobody signed in */
    const char *request_id;
    const char *peer;
    struct rpc_trace trace;
    uint32_t previous_attempts;
    int64_t start_us;             /* headers complete */
    int64_t handler_us;           /* the handler began; 0 = it did not */
    uint64_t bytes_in, bytes_out; /* of messages, as they are read */
    uint64_t wire_bytes_in, wire_bytes_out; /* the same, compressed */
    uint32_t messages_in, messages_out;
};

/* gRFC A66: durations and sizes have the method and the status as labels.  Few
 * methods answer with many statuses, so that a status has no numbers before it
 * is answered for the first time. */
struct ended_numbers {
    _Atomic metric duration; /* METRIC_UNUSED until the three are there */
    _Atomic metric sent_bytes, received_bytes;
};

struct method_numbers {
    const char *name;
    metric started;
    struct ended_numbers ended[RPC_CODE_COUNT];
};
enum { METRIC_UNUSED = -1 };

/* The numbers of a method: "prbal.v1.BidService/AcceptBid", which outlives
 * them. */
struct method_numbers observe_method(const char *name);

/* What they say, for who asks. */
struct method_summary {
    int64_t started;
    int64_t finished[RPC_CODE_COUNT];
    int64_t median_us, p95_us, p99_us;
    int64_t received_bytes, sent_bytes; /* of messages, on the wire */
};
void observe_summary(const struct method_numbers *method,
                     struct method_summary *summary);

/* Those of all paths that are no method. */
const struct method_numbers *observe_other(void);

/* The call is answered.  `status` as the handler said it. */
void observe_call(const struct call_state *state, rpc_status status);

/* A call that becomes a tail, and the tail's end. */
struct observed observe_detach(const struct call_state *state);
void observe_tail(const struct observed *observed, rpc_status status);

/* A limit has refused a call, or a part of it: "message_size".  A literal. */
void observe_refusal(const char *reason);

/* The gate has let a call in, or refused it. */
void observe_start(const struct call_state *state);

#endif
