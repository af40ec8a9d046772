#ifndef PRBAL_RPC_SERVER_H
#define PRBAL_RPC_SERVER_H

#include "rpc/call.h"
#include "rpc/guard.h"

#include <stddef.h>

/* A gRPC server: loops on threads, listeners, and the method tables.  It knows
 * nothing of what the methods do. */
struct rpc_server;

struct rpc_faults;

/* Things that calls take and give back: links to a database, say. */
struct rpc_pool {
    const char *name; /* a literal */
    uint32_t used, idle, waiting, max;
    bool is_up; /* what they lead to can be reached */
};

/* What an application adds.  All run on the call's loop; any may be NULL. */
struct rpc_hooks {
    /* At header time, for a method that is not OPEN: `token` is the text after
     * "Bearer ", or NULL when there is none.  Fills call->caller.  Must not
     * suspend.  A failure refuses the call before any body is read. */
    rpc_status (*authenticate)(struct rpc_call *call, const char *token);
    /* Before the handler or task runs: sets call->db.  Must not suspend. */
    void (*begin)(struct rpc_call *call);
    /* On the coroutine of a call that is about to run, not of a task: what was
     * decided at the headers may have changed until the body was there.  A
     * failure is the call's answer.  May suspend. */
    rpc_status (*confirm)(struct rpc_call *call);
    /* Before response headers leave, and before the trailers behind them: the
     * last moment for metadata.  `set` is rpc_set_header or rpc_set_trailer.
     * Not for a call that was refused before begin.  Must not suspend. */
    void (*leave)(struct rpc_call *call, rpc_set_metadata *set);
    /* Runs a method that is marked (prbal.idempotent), once its request is
     * valid: fills `response` by call->method->unary(), or with what an earlier
     * call of the same intent was answered.  May suspend.  Without it such a
     * method runs like any other. */
    rpc_status (*once)(struct rpc_call *call, const void *request,
                       void *response);
    /* Per loop, on its thread, before the first and after the last call. */
    rpc_status (*loop_start)(struct rpc_server *server, struct loop *loop);
    void (*loop_stop)(struct rpc_server *server, struct loop *loop);
    /* Asked again and again on each loop while the server goes down: true keeps
     * the loop, at most until the drain time is over, for background work that
     * is worth an end of its own.  Must not suspend. */
    bool (*busy)(struct rpc_server *server, struct loop *loop);
    /* Whether the server can do its work now, for /readyz and health.  Called
     * about once a second on one loop; must not suspend. */
    bool (*ready)(struct rpc_server *server);
    /* Writes up to `room` of what the application keeps on this loop, for who
     * looks into the server; returns how many. */
    size_t (*pools)(struct loop *loop, struct rpc_pool *pools, size_t room);
};

#define RPC_ADMISSION_OFF UINT32_MAX
/* Whether answers tell how loaded the server is (rpc/orca.h).  For servers
 * whose clients are ours: a stranger has no need to know. */
typedef enum {
    RPC_REPORTS_OFF,
    RPC_REPORTS_GIVEN,    /* what handlers and the application say */
    RPC_REPORTS_MEASURED, /* and what the runtime measures */
} rpc_reports;

/* Whether clients show certificates; call->peer_identity is who they are. */
typedef enum {
    RPC_CLIENT_AUTH_OFF,
    RPC_CLIENT_AUTH_OPTIONAL,
    RPC_CLIENT_AUTH_REQUIRED,
} rpc_client_auth;

struct rpc_server_options {
    const struct rpc_registry *const *registries; /* NULL-terminated */
    struct rpc_hooks hooks;
    void *application;        /* rpc_server_application() */
    const char *version;      /* of the program, for who asks; may be NULL */
    const char *error_domain; /* ErrorInfo.domain; "prbal" */
    int loop_count;           /* 0 = one per core */
    bool reflection;
    /* What a handler says with INTERNAL reaches the client.  Not for the
     * public: such texts are about the inside. */
    bool tells_internal_errors;
    rpc_reports load_reports;
    /* Channelz and prbal.runtime.v1: what the server is doing, for superusers
     * and whoever runs the machine. */
    bool admin_services;

    /* Limits; 0 takes the default named beside it.  rpc/limits.def tells where
     * each comes from, and which of them rpc_server_set_limits() changes. */
    uint32_t message_bytes_max;      /* 4 MiB */
    uint32_t compress_bytes_min;     /* 1 KiB; shorter answers go as they are */
    uint32_t header_bytes_max;       /* 8 KiB, counted as in RFC 9113 6.5.2 */
    uint32_t streams_max;            /* 128 per connection */
    uint32_t connections_max;        /* 10,000, and below the fd limit */
    uint32_t connections_per_ip_max; /* 256; behind proxies any number */
    /* Connections that have not come to HTTP yet, by TLS or by slowness: 1,000.
     * More wait in the kernel's queue, and whoever is at it for more than a
     * second then gives way. */
    uint32_t handshakes_max;
    /* Trusted proxies in a row before the server, each of which appends to
     * x-forwarded-for; the client's address is taken from there.  0 = none. */
    uint32_t proxies;
    uint32_t calls_in_flight_max; /* 10,000: then RESOURCE_EXHAUSTED */
    uint64_t memory_bytes_max;    /* 512 MiB of bodies, queues and arenas */
    /* One address may hold one part in so many of that: 8.  Behind proxies,
     * where all have one address, and on a Unix socket there is no such part.
     */
    uint32_t memory_shares;
    uint32_t drain_ms; /* 30,000 */
    /* How long the server still takes calls after health has turned
     * NOT_SERVING, so that load balancers look away first; here 0 means not at
     * all. */
    uint32_t drain_notice_ms;
    uint32_t unary_ms_max; /* 60,000; the longest unary deadline */
    uint32_t receive_ms;   /* 30,000 for a message, once its first byte came */
    uint32_t queue_delay_ms_max; /* 1,000; a loop slower than this refuses */
    /* 100: how much later than twice their usual time calls of a method may be
     * answered before fewer are let in (rpc/admission.h). */
    uint32_t admission_delay_ms;

    /* Faults on purpose (rpc/fault.h), before any handler; NULL = none.  Stay
     * the caller's, and outlive the server. */
    const struct rpc_faults *faults;

    /* Token buckets over all unary methods, besides those of single methods.
     * Here 0 means none. */
    uint32_t signed_in_per_hour;
    uint32_t anonymous_per_hour; /* by address */
    bool without_method_limits;  /* those of single methods do not hold */

    /* Roles in words for "only ... may do this", by bit number, 32 of them,
     * NULL where there is none; NULL altogether gives a sentence without names.
     */
    const char *const *role_names;

    /* Origins of web pages that may call by Connect or gRPC-Web, separated by
     * commas, or "*" for any.  NULL or "": none.  What sends no Origin is no
     * page of another site, and is served. */
    const char *web_origins;

    /* For rpc_server_use_tls(), which reads the files each time; NULL or "" is
     * none, rpc/tls.h says what they mean. */
    rpc_client_auth client_auth;
    const char *client_ca;
    const char *client_crl;
    uint32_t tickets; /* of each new session; here 0 means no resumption */

    /* Time limits of connections, likewise; see docs of gRPC keepalive. */
    uint32_t handshake_ms; /* 10,000: from accept to HTTP/2 SETTINGS, or
                            to the end of an HTTP/1.1 head */
    uint32_t stall_ms;     /* 30,000: the peer takes none of our data */
    uint32_t idle_ms;      /* 900,000 without a stream, then GOAWAY */
    /* How old a connection gets, a tenth more or less, before GOAWAY asks its
     * client to make another, which a balancer may send elsewhere; here 0 means
     * any age.  What then still runs is ended after the grace. */
    uint32_t age_ms;
    uint32_t age_grace_ms;         /* 30,000 */
    uint32_t keepalive_ms;         /* 7,200,000 of silence, then a PING */
    uint32_t keepalive_timeout_ms; /* 20,000 to answer it */
    uint32_t ping_interval_ms;     /* 10,000: clients may ping this often */

    /* What a client may send of each kind of frame (rpc/guard.h); its
     * ping_interval_ms and frame_bytes are not looked at. */
    struct guard_limits frames;
};

/* The text arguments must outlive the server. */
struct rpc_server *rpc_server_create(const struct rpc_server_options *options);
void rpc_server_destroy(struct rpc_server *server);
void *rpc_server_application(const struct rpc_server *server);

/* TLS from PEM files: TLS 1.2 or newer, HTTP/2 when ALPN agrees on h2 and else
 * HTTP/1.1.  Not calling it leaves clear text only.  Also while the server
 * runs: connections that come from then on get the new certificate, and are
 * held to the new client_ca and client_crl.  False with a sentence in
 * error[error_size], and nothing changed, when a file will not do.  One thread
 * at a time. */
bool rpc_server_use_tls(struct rpc_server *server, const char *certificate_path,
                        const char *key_path, char *error, size_t error_size);

/* New limits for a server that runs: those of rpc/limits.def that are live.
 * Loops take them up one after the other; what is above a new limit already is
 * left alone, and time limits hold for connections that are open, too.  From
 * any thread that is not a loop's. */
void rpc_server_set_limits(struct rpc_server *server,
                           const struct rpc_server_options *options);

typedef enum {
    RPC_LISTEN_TLS,  /* TLS only */
    RPC_LISTEN_H2C,  /* clear text only */
    RPC_LISTEN_BOTH, /* told apart by the first byte: 0x16 is TLS */
    /* For whoever runs the machine: clear text on a Unix socket of mode 0600,
     * and only a peer with our user id or root's is let in (SO_PEERCRED).  Its
     * calls have RPC_ACCESS_OPERATOR.  Limits on connections, and what the gate
     * refuses to spare a full server, do not hold for them: this is how one
     * looks into it. */
    RPC_LISTEN_OPERATOR,
} rpc_listen_mode;

/* `address` is "HOST:PORT", "[V6]:PORT" or "unix:/path"; port 0 takes a free
 * one.  Returns the port (0 for a Unix socket), or -1 with a sentence in
 * error[error_size]. */
int rpc_server_listen(struct rpc_server *server, const char *address,
                      rpc_listen_mode mode, char *error, size_t error_size);

/* Starts the loops' threads and accepts.  Returns when all loops run. */
rpc_status rpc_server_start(struct rpc_server *server);

/* Two-step GOAWAY, health NOT_SERVING, calls get drain_ms to finish.  Returns
 * when all is over and the threads have ended.  From any thread that is not a
 * loop's. */
void rpc_server_stop(struct rpc_server *server);

/* Another process serves the same addresses from now on: rpc_server_stop() then
 * gives no notice and health says nothing, as there is nothing to look away
 * from. */
void rpc_server_hand_over(struct rpc_server *server);

/* Whether it serves: started, not going down, and the ready hook agrees.  From
 * any thread. */
bool rpc_server_is_ready(const struct rpc_server *server);

/* The loops, for posting to all of them. */
int rpc_server_loop_count(const struct rpc_server *server);
struct loop *rpc_server_loop(const struct rpc_server *server, int index);

/* For tests: no threads, one loop, which the calling thread runs itself. */
rpc_status rpc_server_start_here(struct rpc_server *server);
void rpc_server_stop_here(struct rpc_server *server);

const struct rpc_method *rpc_server_method(const struct rpc_server *server,
                                           const char *path);

#endif
