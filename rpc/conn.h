#ifndef PRBAL_RPC_CONN_H
#define PRBAL_RPC_CONN_H

#include "rpc/net.h"
#include "rpc/socket.h"

/* One socket.
 *
 *   SNIFFING -> SHAKING_HANDS -> TALKING -> LINGERING -> CLOSED
 *      |  (the first bytes)        ^
 *      +------- clear text --------+
 *
 * A connection is freed when it is closed, its poll handle is closed, and
 * nothing refers to it any more. */

typedef enum {
    CONN_SNIFFING,      /* what is it going to be? */
    CONN_SHAKING_HANDS, /* TLS */
    CONN_TALKING,       /* HTTP, of the version that conn->protocol is */
    CONN_LINGERING,     /* said everything; waits for the peer to close */
    CONN_CLOSED,
} conn_stage;

typedef enum {
    CONN_SERVING,
    CONN_NOTICED, /* the first GOAWAY is out; the last streams are arriving */
    CONN_LEAVING, /* the final GOAWAY is out; streams end */
} conn_drain_step;

struct conn;

/* What is talked: HTTP/2 (rpc/h2.c) or HTTP/1.1 (rpc/h1.c). */
struct conn_protocol {
    const char *name; /* "h2", "http1", for the metrics */
    void (*open)(struct conn *conn);
    /* Streams are lost, everything is freed. */
    void (*close)(struct conn *conn);
    /* How many bytes may be read now; 0 stops reading until the next flush. */
    size_t (*room)(const struct conn *conn);
    /* Bytes from the client, which may be changed.  False when the connection
     * must be closed at once. */
    bool (*receive)(struct conn *conn, uint8_t *bytes, size_t size);
    /* Fills up to `size` bytes and SOCKET_OUTPUT_SLACK_BYTES more. */
    size_t (*fill)(struct conn *conn, uint8_t *bytes, size_t size);
    /* True when there is nothing left to send or to receive. */
    bool (*is_over)(const struct conn *conn);
    /* Finish what is going on, then end. */
    void (*drain)(struct conn *conn, const char *reason);
    /* Gives each running call this end. */
    void (*fail_calls)(struct conn *conn, rpc_code code, const char *message);
    /* Enforces its own time limits.  May close the connection. */
    void (*sweep)(struct conn *conn, int64_t now_us);
};

extern const struct conn_protocol h2_protocol;
extern const struct conn_protocol h1_protocol;

enum { CONN_SNIFF_BYTES = 3 };

/* rpc/h2_window.c's. */
struct h2_window {
    int32_t bytes;         /* of each stream */
    int32_t probed_stream; /* which of them a PING measures; 0 = none */
    size_t probed_bytes;
    int64_t rest_us;   /* after the next probe in vain */
    int64_t rested_us; /* no probe before */
    bool is_resizing;  /* our SETTINGS are on their way */
};

/* What has happened on a connection; for who looks (rpc/channelz.c). */
struct conn_counts {
    uint64_t streams_started;
    uint64_t streams_succeeded; /* we sent the end */
    uint64_t streams_failed;
    uint64_t messages_sent, messages_received;
    uint64_t bytes_sent, bytes_received;
    uint64_t keepalives;
    int64_t stream_us; /* the last of each; 0 = none */
    int64_t sent_us, received_us;
};

struct conn {
    struct conn *next, *previous; /* of the worker; the newest first */
    struct conn *next_dirty;
    struct rpc_net_worker *net;
    struct socket socket;
    uv_poll_t poll;
    int interest; /* of the poll handle */
    conn_stage stage;
    rpc_listen_mode mode;
    const struct conn_protocol *protocol; /* NULL before TALKING */
    uint8_t sniffed[CONN_SNIFF_BYTES];    /* read, and not understood yet */
    uint8_t sniffed_size;
    bool is_dirty;
    bool is_blocked; /* the socket takes nothing more for now */
    bool has_unread; /* bytes came in already that there was no room for */
    uint32_t references;

    int64_t id; /* of channelz */
    struct conn_counts counts;
    int64_t opened_us;
    int64_t aged_us; /* when it will be too old; INT64_MAX = never */
    int64_t received_us;
    int64_t progress_us; /* the socket took something, or had nothing to take */
    int64_t lingering_us;
    size_t lingering_bytes;
    uint64_t key;
    uint32_t roles; /* that calls have by coming this way */
    char peer[PEER_TEXT_BYTES];
    struct memory_share *share; /* its address's; NULL = not counted */
    char *identity; /* of a client's certificate, or NULL; by malloc() */

    /* Of both versions of HTTP: */
    bool has_settled; /* a client has shown that it is one: conn_settle() */
    int64_t idle_us;  /* since when there is no stream */

    uint32_t stream_count;
    size_t queued_bytes;        /* of all bodies */
    uint32_t orphan_count;      /* streams gone, handlers still running */
    struct http_fields *fields; /* of the header block that is arriving */
    const char *refusal;        /* why we end the connection; a literal */
    conn_drain_step drain;
    int64_t drain_us;
    const char *drain_reason; /* a literal */
    bool is_overstayed;       /* its calls were ended, the grace is over */

    /* rpc/h1.c's: */
    struct h1 *h1;

    /* rpc/h2.c's: */
    struct guard guard;
    struct h2_window window;
    nghttp2_session *session;
    struct h2_stream *streams;
    bool goaway_sent;
    int64_t ping_us; /* of the keepalive that is out; 0 = none */
};

/* The time of this pass. */
static inline int64_t conn_now_us(const struct conn *conn)
{
    return loop_now_us(conn->net->worker->loop);
}

static inline const struct rpc_server_options *conn_options(
    const struct conn *conn)
{
    return &conn->net->worker->options;
}

/* Takes over an accepted socket, on the worker's thread. */
void conn_adopt(struct rpc_net_worker *net, int fd, rpc_listen_mode mode,
                const struct sockaddr_storage *from);

/* The peer has shown that it is a client: it acknowledged our SETTINGS, say.
 * Again is harmless. */
void conn_settle(struct conn *conn);

/* Has something to send at the end of this pass. */
void conn_mark_dirty(struct conn *conn);

/* Sends for all dirty connections: the worker's flush hook. */
void conn_flush_all(struct rpc_net_worker *net);

/* Ends it when what is going on, or on its way, has finished. */
void conn_drain(struct conn *conn, const char *reason);

/* Ends it at once; safe to call again, and with streams open. */
void conn_close(struct conn *conn);

/* Keeps the memory, not the socket. */
void conn_hold(struct conn *conn);
void conn_release(struct conn *conn);

/* `age_ms`, a tenth more or less, so that connections made together do not come
 * back together (gRFC A9). */
int64_t conn_age_us(uint32_t age_ms, uint64_t random);

/* Enforces the time limits.  May close the connection. */
void conn_sweep(struct conn *conn, int64_t now_us);

#endif
