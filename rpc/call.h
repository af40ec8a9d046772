#ifndef PRBAL_RPC_CALL_H
#define PRBAL_RPC_CALL_H

#include "rpc/arena.h"
#include "rpc/method.h"
#include "rpc/status.h"
#include "rpc/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct co;
struct db;
struct loop;
struct rpc_server;

/* Who is calling, as the server's authenticate hook found out.  Texts live in
 * the call's arena or longer. */
struct rpc_caller {
    const char *id;         /* NULL when nobody is signed in */
    const char *session_id; /* NULL likewise */
    uint32_t roles;         /* bits of prbal.Role, see rpc/method.h */
    int64_t expires_us;     /* wall clock, when the token ends; 0 = never */
};

/* One request being answered, or one background task (rpc_task): one
 * coroutine, one arena.  Lives and dies on one loop. */
struct rpc_call {
    struct arena *arena;
    struct db *db; /* set by the server's begin hook; rpc/ never looks in */
    struct loop *loop;
    struct rpc_server *server;       /* NULL in a bare task */
    const struct rpc_method *method; /* NULL in a task */
    struct rpc_caller caller;
    const char *request_id; /* never NULL */
    /* How often the client has made this call before, as it says itself
     * (grpc-previous-rpc-attempts, gRFC A6). */
    uint32_t previous_attempts;
    struct rpc_trace trace;
    const char *peer; /* "127.0.0.1:4711", "local", "task" */
    /* Whose certificate the connection was opened with: "spiffe://..." or a
     * name, as tls_peer_identity() chooses; NULL without one.  Its authority
     * was checked; whether it may do something was not. */
    const char *peer_identity;
    int64_t deadline_us; /* loop_now_us() scale; 0 = none */

    /* RPC_OK while the call is wanted.  Cancel, deadline and disconnect set it
     * once and wake the coroutine: every wait then returns it. */
    rpc_status ended;

    /* A literal: what its coroutine waits for, for who looks on; NULL = nothing
     * that says so.  rpc_wait_for() keeps it. */
    const char *waits_for;

    /* The rest belongs to rpc/. */
    bool is_draining;
    struct co *co;
    struct rpc_defer *defers;
    struct rpc_details *details;
    struct rpc_transport *transport;
};

/* Suspends until *done is true.  Whoever makes it true then calls
 * rpc_wake(call).  Answers call->ended instead when the call ends first: the
 * waiter must then make sure that `done` is not written any more. */
rpc_status rpc_wait(struct rpc_call *call, const bool *done);

/* The same, and says for what: a literal of few words. */
rpc_status rpc_wait_for(struct rpc_call *call, const char *what,
                        const bool *done);

/* As rpc_wait(), but waits on whatever happens to the call: for short work
 * that cannot be taken back. */
void rpc_wait_always(struct rpc_call *call, const bool *done);
void rpc_wake(struct rpc_call *call);

/* OK, or why the call has ended.  Does not suspend. */
rpc_status rpc_alive(const struct rpc_call *call);

/* Ends the call from outside its coroutine: records why, and wakes it.  The
 * first end wins. */
void rpc_end(struct rpc_call *call, rpc_code code, const char *message);

/* The same with a google.rpc.ErrorInfo, as rpc_fail_reason() makes it. */
void rpc_end_reason(struct rpc_call *call, rpc_code code, const char *reason,
                    const char *message);

/* How long the client said that it waits; -1 when it did not say.  The deadline
 * may be earlier: methods have one of their own. */
int64_t rpc_client_timeout_us(const struct rpc_call *call);

/* Suspends. */
rpc_status rpc_sleep(struct rpc_call *call, int64_t ms);

/* Runs `fn(argument)` on the thread pool and suspends until it has returned,
 * also when the call ends meanwhile: `argument` may be on the stack.  `fn` must
 * not touch the call or its arena.  RESOURCE_EXHAUSTED when the pool's queue is
 * full (RPC_OFFLOAD_MAX waiting). */
enum { RPC_OFFLOAD_MAX = 64 };
rpc_status rpc_offload(struct rpc_call *call, void (*fn)(void *argument),
                       void *argument);

/* Ties a resource to the call: `fn(argument)` runs when the call ends, however
 * it ends, on its loop, last tied first, and may suspend.  rpc_undefer() takes
 * it back. */
struct rpc_defer {
    void (*fn)(void *argument);
    void *argument;
    struct rpc_defer *next;
};
void rpc_defer(struct rpc_call *call, void (*fn)(void *argument),
               void *argument);
void rpc_undefer(struct rpc_call *call, void *argument);

/* A piece of metadata.  Names are in lower case.  In a request the value is as
 * it came, text with a NUL behind it ("-bin" still in base64); in a response it
 * is raw, and the transport encodes "-bin" values. */
struct rpc_field {
    struct rpc_field *next; /* in the order of arrival or setting */
    const char *name;
    const void *value;
    uint32_t name_size;
    uint32_t value_size;
};

/* All of the request's metadata, a list; NULL when there is none. */
const struct rpc_field *rpc_all_metadata(const struct rpc_call *call);

/* Request metadata: `name` in lower case.  NULL when absent; the first value
 * when it came more than once.  A "-bin" value is decoded; its size goes to
 * *size when that is not NULL. */
const char *rpc_metadata(const struct rpc_call *call, const char *name,
                         size_t *size);

/* Response metadata, sent with the headers or with the trailers.  Names are of
 * lower case letters, digits and "_.-", and do not begin with "grpc-".  One
 * that ends in "-bin" takes any bytes; in another one what is not printable
 * ASCII becomes '?'.  Copied. */
void rpc_set_header(struct rpc_call *call, const char *name, const void *value,
                    size_t size);
void rpc_set_trailer(struct rpc_call *call, const char *name, const void *value,
                     size_t size);

typedef void rpc_set_metadata(struct rpc_call *call, const char *name,
                              const void *value, size_t size);

/* Whether response messages may be compressed from now on; until this is called
 * they may.  They are when the client accepts an encoding that we have and the
 * message has compress_bytes_min bytes.  Say no before an answer that holds a
 * secret beside text of the caller's choice: its length would tell of both. */
void rpc_set_compression(struct rpc_call *call, bool on);

/* Whether the request message that the handler was given last had come
 * compressed. */
bool rpc_was_compressed(const struct rpc_call *call);

/* True once the server is going down, or the call's connection is to end: long
 * streams should say goodbye. */
bool rpc_is_draining(const struct rpc_call *call);

/* As rpc_wait(), and also OK, with *done still false, when draining begins: for
 * handlers that would otherwise sleep through it until they are ended. */
rpc_status rpc_wait_or_drain(struct rpc_call *call, const bool *done);

/* Starts `fn(call, argument)` on a coroutine and call of its own: background
 * work with an arena, a db (by the server's begin hook) and no peer.  NULL
 * when no coroutine can be had.  The task is over when fn returns. */
struct rpc_call *rpc_task(struct rpc_server *server, struct loop *loop,
                          void (*fn)(struct rpc_call *call, void *argument),
                          void *argument);

#endif
