/* The time limits of a connection. */
#include "rpc/clock.h"
#include "rpc/conn.h"

enum {
    /* After our last word the peer gets this long to read it.  Closing at once
     * could reset the connection and take the GOAWAY with it. */
    LINGER_US = 1000000,
    /* How long the answers of calls that were ended may take to go out. */
    FAREWELL_US = 1000000,
    /* For a handshake while others wait for theirs, or the server for its end.
     */
    CROWDED_MS = 1000,
};

int64_t conn_age_us(uint32_t age_ms, uint64_t random)
{
    int64_t age_us = (int64_t)age_ms * 1000;
    int64_t tenth_us = age_us / 10;
    return age_us - tenth_us + (int64_t)(random % (uint64_t)(2 * tenth_us + 1));
}

static void evict(struct conn *conn, const char *reason)
{
    net_count_ended(reason, conn->peer);
    conn_close(conn);
}

/* Whoever has not come to HTTP yet. */
static void sweep_handshake(struct conn *conn, int64_t at_us)
{
    bool is_crowded = atomic_load(&conn->net->server->is_crowded);
    bool is_draining = conn->net->draining;
    if (clock_is_overdue(conn->opened_us, conn_options(conn)->handshake_ms,
                         at_us))
        evict(conn, "handshake_timeout");
    else if (is_draining &&
             clock_is_overdue(conn->opened_us, CROWDED_MS, at_us))
        evict(conn, "draining");
    else if (is_crowded && clock_is_overdue(conn->opened_us, CROWDED_MS, at_us))
        evict(conn, "handshake_crowded");
}

static void grow_old(struct conn *conn)
{
    conn->aged_us = INT64_MAX;
    conn->protocol->drain(conn, "max_age");
}

/* A connection that was told to go stays for its grace, and its calls' last
 * words; a server that drains has a deadline of its own.  The peer hears why,
 * and may try again on another connection. */
static void end_overstayed(struct conn *conn, int64_t at_us)
{
    int64_t stayed_us = at_us - conn->drain_us;
    int64_t grace_us = (int64_t)conn_options(conn)->age_grace_ms * 1000;
    if (conn->drain != CONN_LEAVING || conn->net->draining ||
        stayed_us < grace_us)
        return;
    if (!conn->is_overstayed) {
        conn->is_overstayed = true;
        net_count_ended("max_age_grace", conn->peer);
        conn->protocol->fail_calls(conn, RPC_UNAVAILABLE,
                                   "the connection is too old; use another");
    } else if (stayed_us >= grace_us + FAREWELL_US) {
        conn_close(conn);
    }
}

static void sweep_talk(struct conn *conn, int64_t at_us)
{
    end_overstayed(conn, at_us);
    if (conn->stage != CONN_TALKING)
        return;
    if (at_us >= conn->aged_us)
        grow_old(conn);
    conn->protocol->sweep(conn, at_us);
}

void conn_sweep(struct conn *conn, int64_t at_us)
{
    const struct rpc_server_options *options = conn_options(conn);
    if (conn->stage == CONN_LINGERING) {
        if (at_us - conn->lingering_us >= LINGER_US)
            conn_close(conn);
    } else if (!conn->has_settled) {
        sweep_handshake(conn, at_us);
    } else if (conn->is_blocked &&
               clock_is_overdue(conn->progress_us, options->stall_ms, at_us)) {
        evict(conn, "write_stalled");
    } else if (conn->stage == CONN_TALKING) {
        sweep_talk(conn, at_us);
    }
}
