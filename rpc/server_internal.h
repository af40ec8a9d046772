#ifndef PRBAL_RPC_SERVER_INTERNAL_H
#define PRBAL_RPC_SERVER_INTERNAL_H

#include "rpc/load.h"
#include "rpc/loop.h"
#include "rpc/memory_share.h"
#include "rpc/server.h"
#include "rpc/transport.h"

#include <stdatomic.h>
#include <uv.h>

/* The server as the files of rpc/ see it. */

struct admission;
struct call_state;
struct health_watch;
struct json_types;
struct method_table;
struct orca_report;
struct orca_server;
struct reflection;
struct rpc_limiter;
struct rpc_net_server; /* listeners, certificates: rpc/net's */
struct rpc_net_worker; /* the connections of one loop: rpc/net's */

/* One loop, its thread, and what it counts.  Only its own thread touches it,
 * but for the atomics. */
struct rpc_worker {
    struct rpc_server *server;
    struct rpc_server_options options; /* the server's, with newer limits */
    struct loop *loop;
    int index;
    uv_thread_t thread;
    struct call_state *calls; /* all that are open or have a coroutine */
    struct call_state *spare_calls;
    int spare_call_count;
    struct rpc_tail *tails;
    struct rpc_tail *next_to_drain; /* while tails are asked to end */
    struct health_watch *watches;
    uint32_t watch_count;
    struct rpc_net_worker *net;
    struct orca_copy *load;
    struct load_counts counts;
    uint32_t calls_in_flight; /* tails and tasks are not counted */
    uint32_t calls_in_flight_max;
    struct admission *admissions; /* by method_entry.index */
    uint64_t memory_bytes;        /* bodies, queues and arenas of this loop */
    uint64_t memory_bytes_max;
    struct memory_shares *shares; /* of it, by address */
    struct loop_timer tick;       /* once a second; often while draining */
    int64_t drain_end_us;
    bool draining;
    bool aborted;  /* the drain's deadline has passed */
    bool stopping; /* no call and no task begins any more */
    bool stopped;
};

/* What the network side gives to the server.  Set by rpc_server_listen(); NULL
 * in a server that only answers rpc_local calls. */
struct rpc_net_ops {
    /* On the worker's thread, before the first and after the last call. */
    rpc_status (*worker_start)(struct rpc_worker *worker);
    void (*worker_stop)(struct rpc_worker *worker);
    /* On the worker's thread: stop accepting, GOAWAY. */
    void (*worker_drain)(struct rpc_worker *worker);
    /* Whether all its connections are closed. */
    bool (*worker_is_idle)(const struct rpc_worker *worker);
    /* worker->options has new limits. */
    void (*worker_limits)(struct rpc_worker *worker);
    /* The deadline of the drain has passed: close what is left. */
    void (*worker_abort)(struct rpc_worker *worker);
    /* Closes the listeners; any thread, workers have stopped. */
    void (*destroy)(struct rpc_server *server);
};

enum { RPC_REGISTRIES_MAX = 16 };

struct rpc_server {
    int64_t id;                        /* of channelz */
    struct rpc_server_options options; /* zeros replaced by the defaults */
    const struct rpc_registry *registries[RPC_REGISTRIES_MAX + 1];
    int registry_count;
    const struct rpc_service **services; /* of all registries, and our own */
    size_t service_count;
    struct method_table *methods;
    struct reflection *reflection; /* NULL unless options.reflection */
    struct json_types *json;       /* of all registries' messages */
    struct orca_server *orca;      /* NULL unless options.load_reports */
    struct rpc_limiter *limiter;
    struct rpc_worker *workers;
    int worker_count;
    atomic_bool leaving; /* rpc_server_stop() was called: not ready */
    atomic_bool handed_over;
    atomic_bool draining; /* connections are asked to end */
    atomic_bool ready;    /* as the ready hook said last */
    bool is_threaded;
    const struct rpc_net_ops *net_ops;
    struct rpc_net_server *net;
};

/* The worker of a loop that belongs to a server; NULL for another loop. */
struct rpc_worker *rpc_worker_of(struct loop *loop);

/* A worker's life; for rpc/server.c.  start and stop run on its thread, drain
 * may be called from any. */
void rpc_worker_init(struct rpc_server *server, int index);
rpc_status rpc_worker_start(struct rpc_worker *worker);
void rpc_worker_take_limits(struct rpc_worker *worker,
                            const struct rpc_server_options *options);
void rpc_worker_drain(struct rpc_worker *worker);
void rpc_worker_stop(struct rpc_worker *worker);
void rpc_worker_finish(struct rpc_worker *worker);

/* The memory budget: false when it is spent, or the share is (NULL = nobody's),
 * and nothing was taken. */
bool rpc_worker_take_memory(struct rpc_worker *worker,
                            struct memory_share *share, size_t bytes);
void rpc_worker_give_memory(struct rpc_worker *worker,
                            struct memory_share *share, size_t bytes);

#endif
