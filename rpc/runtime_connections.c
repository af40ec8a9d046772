/* prbal.runtime.v1: ListServerConnections. */
#include "rpc/runtime_state.h"

#include "rpc/conn.h"

static const char *const stages[] = {
    [CONN_SNIFFING] = "sniffing", [CONN_SHAKING_HANDS] = "handshake",
    [CONN_TALKING] = "talking",   [CONN_LINGERING] = "lingering",
    [CONN_CLOSED] = "closed",
};

static ServerConnection *describe(struct arena *arena, const struct conn *conn)
{
    int64_t now_us = conn_now_us(conn);
    ServerConnection *row = ARENA_NEW(arena, ServerConnection);
    *row = (ServerConnection)SERVER_CONNECTION_INIT;
    row->socket_id = conn->id;
    row->peer = arena_strdup(arena, conn->peer);
    row->loop = (uint32_t)conn->net->worker->index;
    row->stage = stages[conn->stage];
    row->protocol = conn->protocol == NULL ? "" : conn->protocol->name;
    row->tls = conn->socket.tls == NULL ? "" : tls_version(conn->socket.tls);
    row->age_us = now_us - conn->opened_us;
    row->idle_us = conn->stream_count == 0 && conn->idle_us != 0
                       ? now_us - conn->idle_us
                       : 0;
    row->streams = conn->stream_count;
    row->orphans = conn->orphan_count;
    row->streams_started = conn->counts.streams_started;
    row->received_bytes = conn->counts.bytes_received;
    row->sent_bytes = conn->counts.bytes_sent;
    row->queued_bytes = conn->queued_bytes;
    row->is_blocked = conn->is_blocked;
    if (conn->guard.limits != NULL)
        row->guard_fullness = guard_fullness(&conn->guard, now_us, &row->guard);
    return row;
}

/* By queued bytes, streams, age. */
static int heavier(const void *one, const void *other)
{
    const ServerConnection *a = *(ServerConnection *const *)one;
    const ServerConnection *b = *(ServerConnection *const *)other;
    if (a->queued_bytes != b->queued_bytes)
        return a->queued_bytes > b->queued_bytes ? -1 : 1;
    if (a->streams != b->streams)
        return a->streams > b->streams ? -1 : 1;
    return a->age_us > b->age_us ? -1 : a->age_us < b->age_us;
}

static void list_connections(struct rpc_worker *worker, struct arena *arena,
                             const void *question, void *answer)
{
    struct runtime_answer *a = answer;
    const struct conn *first = worker->net == NULL ? NULL : worker->net->conns;
    for (const struct conn *c = first; c != NULL; c = c->next)
        a->total++;
    a->rows = arena_array(arena, a->total, sizeof a->rows[0]);
    for (const struct conn *c = first; c != NULL; c = c->next)
        a->rows[a->count++] = describe(arena, c);
    runtime_trim(a, *(const size_t *)question, heavier);
}

rpc_status runtime_list_server_connections(
    struct rpc_call *call, const ListServerConnectionsRequest *req,
    ListServerConnectionsResponse *res)
{
    struct runtime_answer list = {0};
    TRY(runtime_list(call, list_connections, req->page_size, heavier, &list));
    res->connections = (ServerConnection **)list.rows;
    res->n_connections = list.count;
    res->total = (uint32_t)list.total;
    return RPC_SUCCESS;
}
