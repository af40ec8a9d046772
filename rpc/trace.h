#ifndef PRBAL_RPC_TRACE_H
#define PRBAL_RPC_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a call stands in a distributed trace (W3C Trace Context): every call is
 * a span.  Its ids are in its log line, and calls it makes over a channel name
 * it as their parent. */
struct rpc_trace {
    uint64_t trace_high, trace_low; /* together never 0 */
    uint64_t span;                  /* this call; never 0 */
    uint64_t parent;                /* who called; 0 = the trace begins here */
    uint8_t flags;                  /* RPC_TRACE_SAMPLED */
};
enum { RPC_TRACE_SAMPLED = 1 };

/* A trace that begins here. */
void trace_begin(struct rpc_trace *trace);

/* Goes on with the trace of a `traceparent` field.  False, and nothing changed,
 * when the text breaks a rule of the specification: then it counts as absent,
 * and so does `tracestate`. */
bool trace_continue(struct rpc_trace *trace, const char *text, size_t size);

/* The `traceparent` that calls of this one carry, with a NUL. */
enum { TRACE_PARENT_SIZE = 55 };
void trace_write(const struct rpc_trace *trace,
                 char text[TRACE_PARENT_SIZE + 1]);

/* The parts in hexadecimal figures, with a NUL. */
enum { TRACE_ID_SIZE = 32, TRACE_SPAN_SIZE = 16 };
void trace_write_id(const struct rpc_trace *trace,
                    char text[TRACE_ID_SIZE + 1]);
void trace_write_span(uint64_t span, char text[TRACE_SPAN_SIZE + 1]);

#endif
