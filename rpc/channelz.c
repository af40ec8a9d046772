#include "rpc/channelz.h"

#include "rpc/channelz_socket.h"
#include "rpc/gather.h"

#include <stdatomic.h>
#include <stdlib.h>

/* A page when the client names no size, and the largest that it gets. */
enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

int64_t channelz_take_id(void)
{
    static _Atomic int64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}

static rpc_status check_page(struct rpc_call *call, int64_t start, int64_t max,
                             size_t *room)
{
    if (start < 0 || max < 0)
        return rpc_fail(call, RPC_INVALID_ARGUMENT,
                        "an id or a size is never negative");
    *room = max == 0 ? PAGE_DEFAULT : max > PAGE_MAX ? PAGE_MAX : (size_t)max;
    return RPC_SUCCESS;
}

/* --- channels: clients have no place here yet ----------------------------- */

rpc_status channelz_get_top_channels(struct rpc_call *call,
                                     const GetTopChannelsRequest *req,
                                     GetTopChannelsResponse *res)
{
    size_t room;
    TRY(check_page(call, req->start_channel_id, req->max_results, &room));
    res->end = true;
    return RPC_SUCCESS;
}

rpc_status channelz_get_channel(struct rpc_call *call,
                                const GetChannelRequest *req,
                                GetChannelResponse *res)
{
    (void)res;
    return rpc_fail(call, RPC_NOT_FOUND, "there is no channel %lld",
                    (long long)req->channel_id);
}

rpc_status channelz_get_subchannel(struct rpc_call *call,
                                   const GetSubchannelRequest *req,
                                   GetSubchannelResponse *res)
{
    (void)res;
    return rpc_fail(call, RPC_NOT_FOUND, "there is no subchannel %lld",
                    (long long)req->subchannel_id);
}

/* --- the server ----------------------------------------------------------- */

static ServerData *make_server_data(struct arena *arena,
                                    const struct rpc_server *server)
{
    ServerData *data = ARENA_NEW(arena, ServerData);
    *data = (ServerData)SERVER_DATA_INIT;
    int64_t last_us = 0;
    for (int i = 0; i < server->worker_count; i++) {
        const struct load_counts *c = &server->workers[i].counts;
        int64_t us = atomic_load(&c->last_started_us);
        data->calls_started += (int64_t)atomic_load(&c->started);
        data->calls_succeeded += (int64_t)atomic_load(&c->succeeded);
        data->calls_failed += (int64_t)atomic_load(&c->failed);
        if (us > last_us)
            last_us = us;
    }
    data->last_call_started_timestamp = channelz_time(arena, last_us);
    return data;
}

static void add_listeners(struct rpc_call *call, Server *server)
{
    size_t count = net_listener_ids(call->server, NULL, 0);
    int64_t *ids = arena_array(call->arena, count, sizeof ids[0]);
    net_listener_ids(call->server, ids, count);
    server->n_listen_socket = count;
    server->listen_socket =
        arena_array(call->arena, count, sizeof server->listen_socket[0]);
    for (size_t i = 0; i < count; i++)
        server->listen_socket[i] = channelz_socket_ref(call->arena, ids[i], "");
}

static Server *make_server(struct rpc_call *call)
{
    Server *server = ARENA_NEW(call->arena, Server);
    *server = (Server)SERVER_INIT;
    server->ref = ARENA_NEW(call->arena, ServerRef);
    *server->ref = (ServerRef)SERVER_REF_INIT;
    server->ref->server_id = call->server->id;
    server->data = make_server_data(call->arena, call->server);
    add_listeners(call, server);
    return server;
}

rpc_status channelz_get_servers(struct rpc_call *call,
                                const GetServersRequest *req,
                                GetServersResponse *res)
{
    size_t room;
    TRY(check_page(call, req->start_server_id, req->max_results, &room));
    res->end = true;
    if (call->server->id < req->start_server_id)
        return RPC_SUCCESS;
    res->server = arena_array(call->arena, 1, sizeof res->server[0]);
    res->server[res->n_server++] = make_server(call);
    return RPC_SUCCESS;
}

static rpc_status check_server(struct rpc_call *call, int64_t id)
{
    if (id == call->server->id)
        return RPC_SUCCESS;
    return rpc_fail(call, RPC_NOT_FOUND, "there is no server %lld",
                    (long long)id);
}

rpc_status channelz_get_server(struct rpc_call *call,
                               const GetServerRequest *req,
                               GetServerResponse *res)
{
    TRY(check_server(call, req->server_id));
    res->server = make_server(call);
    return RPC_SUCCESS;
}

/* --- its connections ------------------------------------------------------ */

struct sockets_question {
    int64_t start;
    size_t room;
};

struct sockets_answer {
    SocketRef **refs; /* by id */
    size_t count;
};

static int compare_refs(const void *one, const void *other)
{
    int64_t a = (*(SocketRef *const *)one)->socket_id;
    int64_t b = (*(SocketRef *const *)other)->socket_id;
    return a < b ? -1 : a > b;
}

static void sort_refs(SocketRef **refs, size_t count)
{
    if (count > 1)
        qsort(refs, count, sizeof refs[0], compare_refs);
}

/* The newest connection stands first and has the highest id: the page is the
 * last of those that are asked for. */
static void list_sockets(struct rpc_worker *worker, struct arena *arena,
                         const void *question, void *answer)
{
    const struct sockets_question *q = question;
    struct sockets_answer *a = answer;
    size_t count = 0;
    if (worker->net == NULL)
        return;
    for (const struct conn *c = worker->net->conns; c != NULL; c = c->next)
        count += c->id >= q->start;
    size_t skip = count > q->room ? count - q->room : 0;
    a->refs = arena_array(arena, count - skip + 1, sizeof a->refs[0]);
    for (const struct conn *c = worker->net->conns; c != NULL; c = c->next)
        if (c->id >= q->start && skip > 0)
            skip--;
        else if (c->id >= q->start)
            a->refs[a->count++] = channelz_socket_ref(arena, c->id, c->peer);
    sort_refs(a->refs, a->count);
}

rpc_status channelz_get_server_sockets(struct rpc_call *call,
                                       const GetServerSocketsRequest *req,
                                       GetServerSocketsResponse *res)
{
    struct sockets_question question = {.start = req->start_socket_id};
    TRY(check_server(call, req->server_id));
    TRY(check_page(call, req->start_socket_id, req->max_results,
                   &question.room));
    size_t room = question.room++; /* one more shows whether there is more */
    const struct gather_ask ask = {list_sockets, &question, sizeof question,
                                   sizeof(struct sockets_answer)};
    struct sockets_answer *answers;
    TRY(gather(call, &ask, &answers));
    size_t most = (size_t)call->server->worker_count * question.room;
    res->socket_ref = arena_array(call->arena, most, sizeof res->socket_ref[0]);
    for (int i = 0; i < call->server->worker_count; i++)
        for (size_t j = 0; j < answers[i].count; j++)
            res->socket_ref[res->n_socket_ref++] = answers[i].refs[j];
    sort_refs(res->socket_ref, res->n_socket_ref);
    res->end = res->n_socket_ref <= room;
    if (!res->end)
        res->n_socket_ref = room;
    return RPC_SUCCESS;
}

static void find_socket(struct rpc_worker *worker, struct arena *arena,
                        const void *question, void *answer)
{
    int64_t id = *(const int64_t *)question;
    int fd = worker->index == 0 ? net_listener_fd(worker->server, id) : -1;
    if (fd >= 0)
        *(Socket **)answer = channelz_listener(arena, id, fd);
    if (worker->net == NULL)
        return;
    for (const struct conn *c = worker->net->conns; c != NULL; c = c->next)
        if (c->id == id)
            *(Socket **)answer = channelz_conn(arena, c);
}

rpc_status channelz_get_socket(struct rpc_call *call,
                               const GetSocketRequest *req,
                               GetSocketResponse *res)
{
    const struct gather_ask ask = {find_socket, &req->socket_id,
                                   sizeof req->socket_id, sizeof(Socket *)};
    Socket **answers;
    TRY(gather(call, &ask, &answers));
    for (int i = 0; i < call->server->worker_count; i++)
        if (answers[i] != NULL)
            res->socket = answers[i];
    if (res->socket != NULL)
        return RPC_SUCCESS;
    return rpc_fail(call, RPC_NOT_FOUND, "there is no socket %lld",
                    (long long)req->socket_id);
}
