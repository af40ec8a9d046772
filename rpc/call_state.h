#ifndef PRBAL_RPC_CALL_STATE_H
#define PRBAL_RPC_CALL_STATE_H

#include "rpc/loop.h"
#include "rpc/methods.h"
#include "rpc/server_internal.h"
#include "rpc/stream.h"
#include "rpc/transport.h"

/* A call as the files of rpc/ see it.
 *
 *   HEADERS --open()--> BODY --message, half-close--> RUNNING --> ANSWERED
 *      |                 |                              |
 *      +-- refused,      +-- fail, lost, deadline       +-- detached: a tail
 *          lost                                              goes on alone
 *
 * A streaming request skips BODY: its coroutine reads the messages itself.
 * The state is given back when the call is answered and its coroutine, if it
 * had one, has ended. */

typedef enum {
    CALL_HEADERS,
    CALL_BODY,
    CALL_RUNNING,
    CALL_ANSWERED,
} call_phase;

/* A message of a streaming request that waits for rpc_recv(). */
struct rpc_received {
    struct rpc_received *next;
    size_t size;
    size_t window_bytes;
    bool was_compressed;
    uint8_t bytes[];
};

struct rpc_in {
    struct call_state *state;
    struct rpc_received *first, **last;
    struct arena *arena; /* of the message that the handler looks at */
    bool half_closed;
};

struct rpc_out {
    struct call_state *state;
};

struct field_list {
    struct rpc_field *first, **end;
};

struct call_state {
    struct rpc_call call;
    struct call_state *next, *previous; /* of the worker, or the spare ones */
    struct rpc_worker *worker;          /* NULL in a bare task */
    const struct method_entry *entry;   /* NULL until found, and in a task */
    call_phase phase;
    struct rpc_head head;
    struct loop_timer deadline;
    struct field_list headers, trailers; /* of the response */
    bool headers_sent;
    bool was_compressed;         /* the message that the handler has */
    bool is_counted;             /* in worker->calls_in_flight */
    struct admission *admission; /* while the handler is counted there */
    bool began_quiet;            /* as admission_begin() said */
    int64_t admitted_us;
    rpc_codec codec; /* of the stream */
    ProtobufCMessage *request;
    struct rpc_in in;
    struct rpc_out out;
    struct orca_report *load; /* what the handler reported; NULL = nothing */
    void (*task)(struct rpc_call *call, void *argument);
    void *task_argument;

    size_t charged_bytes;       /* of the worker's memory budget */
    struct memory_share *share; /* held; NULL = nobody's */
    size_t queued_in_bytes;
    size_t text_bytes;  /* of a message in JSON, while it is queued */
    int64_t start_us;   /* headers complete */
    int64_t body_us;    /* the request is complete, or read by the handler */
    int64_t handler_us; /* the handler began; 0 = it did not */
    uint64_t bytes_in, bytes_out;
    uint64_t wire_bytes_in, wire_bytes_out; /* as the wire counted them */
    uint32_t messages_in, messages_out;
    char request_id[20];
};

static inline struct call_state *call_state_of(const struct rpc_call *call)
{
    return (struct call_state *)call; /* its first member */
}

/* A call of whoever runs the machine, to a method for them: a full server
 * answers it all the same. */
static inline bool call_is_operators(const struct call_state *state)
{
    return (state->head.roles & RPC_ACCESS_OPERATOR) != 0 &&
           state->call.method != NULL &&
           (state->call.method->access & RPC_ACCESS_OPERATOR) != 0;
}

/* The state of a new call on this worker (NULL: a bare task's), with its arena,
 * linked into the worker's list. */
struct call_state *call_state_take(struct rpc_worker *worker);
void call_state_give(struct call_state *state);

/* Parks once, and says what for (rpc_call.waits_for). */
void call_park(struct rpc_call *call, const char *what);

/* Adjusts the worker's memory budget to what the call holds now.  False when
 * the budget is spent. */
bool call_charge(struct call_state *state);

/* What to say when that is false: RESOURCE_EXHAUSTED, and when to try again.
 */
rpc_status call_starved(struct rpc_call *call);
void call_end_starved(struct call_state *state);

/* The header-time gate (rpc/gate.c): finds the method, fills caller and
 * deadline, or says why not. */
rpc_status gate_pass(struct call_state *state);

/* On the call's coroutine: faults made on purpose, the request's rules, the
 * handler, and a single answer's way out (rpc/call_run.c). */
rpc_status call_run_handler(struct call_state *state);

void call_send_headers(struct call_state *state); /* rpc/stream.c */

/* Asks the application for the metadata that goes with what leaves now. */
void call_leave(struct call_state *state, rpc_set_metadata *set);

/* Encodes and queues a response message in the stream's codec, from a struct or
 * from protobuf's bytes (rpc/call_codec.c).  Does nothing when nobody listens;
 * INTERNAL when JSON cannot say it. */
rpc_status call_send(struct call_state *state, const ProtobufCMessage *message);
rpc_status call_send_bytes(struct call_state *state, const void *bytes,
                           size_t size);

/* An encoded response as JSON in the arena; false with a sentence in *text. */
bool call_json(struct arena *arena, const struct rpc_server *server,
               const struct rpc_method *method, const void *bytes, size_t size,
               char **text, size_t *text_size);

/* Decodes into `arena`; INVALID_ARGUMENT when the bytes are no message of the
 * request's type. */
rpc_status call_decode(struct call_state *state, struct arena *arena,
                       const void *bytes, size_t size,
                       ProtobufCMessage **message);

/* A message or the end of a streaming request came (rpc/stream.c). */
void stream_receive(struct call_state *state, const void *bytes, size_t size,
                    size_t window_bytes);
void stream_drop_received(struct call_state *state);

/* Lets the handler see that it should come to an end, and wakes it. */
void call_drain(struct rpc_call *call);

/* Tails (rpc/tail.c). */
void tail_drain(struct rpc_tail *tail);
void tail_lost(struct rpc_tail *tail, rpc_code code, const char *message);
void tail_drain_all(struct rpc_worker *worker);
void tail_end_all(struct rpc_worker *worker, rpc_code code,
                  const char *message);

void tail_count_sent(struct rpc_tail *tail, size_t wire_size);

/* For who looks on: the next tail of the worker, and what it is. */
const struct rpc_tail *tail_next(const struct rpc_tail *tail);
const struct observed *tail_observed(const struct rpc_tail *tail);

/* Response metadata, for the runtime's own. */
void field_list_init(struct field_list *list);
void field_list_add(struct field_list *list, struct arena *arena,
                    const char *name, const void *value, size_t size);

#endif
