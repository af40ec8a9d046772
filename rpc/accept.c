/* Accepting: the first worker does it for all, and gives each connection to the
 * worker that has fewest.  SO_REUSEPORT, where the kernel chooses, spread eight
 * connections over two loops 6:2 and 7:1. */
#include "rpc/accept.h"
#include "rpc/address.h"
#include "rpc/channelz.h"
#include "rpc/conn.h"
#include "rpc/inherited.h"
#include "rpc/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_PASS = 64,
    CROWDED_MS = 5, /* until the next look whether there is room again */
};

/* A connection on its way to its worker. */
struct arrival {
    struct rpc_net_worker *net;
    int fd;
    rpc_listen_mode mode;
    struct sockaddr_storage from;
};

void net_count_ended(const char *reason, const char *peer)
{
    char label[64];
    snprintf(label, sizeof label, "reason=\"%s\"", reason);
    metrics_add(metrics_counter("grpc_server_connections_ended_total",
                                "Connections that the server refused or ended.",
                                label),
                1);
    log_text(LOG_DEBUG, "net", "connection ended: %s, peer %s", reason, peer);
}

/* --- accepting --- */

/* The worker with the fewest connections; the earlier one when equal. */
static struct rpc_net_worker *least_busy(struct rpc_net_server *net)
{
    struct rpc_net_worker *best = NULL;
    unsigned best_count = 0;
    for (int i = 0; i < net->server->worker_count; i++) {
        struct rpc_net_worker *w = atomic_load(&net->workers[i]);
        unsigned count = w == NULL ? 0 : atomic_load(&w->conn_count);
        if (w != NULL && (best == NULL || count < best_count)) {
            best = w;
            best_count = count;
        }
    }
    return best;
}

void net_settle(struct rpc_net_server *server)
{
    atomic_fetch_sub(&server->handshakes, 1);
}

void net_leave(struct rpc_net_worker *net, uint64_t key)
{
    peers_leave(net->server->peers, key);
    atomic_fetch_sub(&net->server->connections, 1);
    atomic_fetch_sub(&net->conn_count, 1);
    metrics_add(net->server->connections_gauge, -1);
}

static void arrive(void *argument)
{
    struct arrival *arrival = argument;
    conn_adopt(arrival->net, arrival->fd, arrival->mode, &arrival->from);
    free(arrival);
}

static void count_arrival(struct rpc_net_worker *to)
{
    atomic_fetch_add(&to->conn_count, 1);
    atomic_fetch_add(&to->server->connections, 1);
    atomic_fetch_add(&to->server->handshakes, 1);
    metrics_add(to->server->connections_gauge, 1);
}

/* The place is counted before anyone looks whether the server drains: a worker
 * that drains then waits for this connection.  One that comes so late stays on
 * this loop, which still runs: others may have ended. */
static void hand_over(struct rpc_net_worker *to, const struct listener *from,
                      int fd, const struct sockaddr_storage *peer)
{
    count_arrival(to);
    if (atomic_load(&to->server->server->draining)) {
        struct rpc_net_worker *here = atomic_load(&to->server->workers[0]);
        atomic_fetch_add(&here->conn_count, 1);
        atomic_fetch_sub(&to->conn_count, 1);
        conn_adopt(here, fd, from->mode, peer);
        return;
    }
    struct arrival *arrival = malloc(sizeof *arrival);
    if (arrival == NULL)
        abort();
    *arrival = (struct arrival){to, fd, from->mode, *peer};
    loop_post(to->worker->loop, arrive, arrival);
}

static void refuse(int fd, const char *reason,
                   const struct sockaddr_storage *peer)
{
    char text[PEER_TEXT_BYTES];
    peer_format(peer, text);
    net_count_ended(reason, text);
    close(fd);
}

/* Also when there are too many connections: who looks after that needs one. */
static void admit_operator(struct listener *listener, struct rpc_net_worker *to,
                           int fd, const struct sockaddr_storage *peer)
{
    if (to == NULL || !peer_is_operator(fd))
        refuse(fd, "not_the_operator", peer);
    else
        hand_over(to, listener, fd, peer);
}

static void admit(struct listener *listener, int fd,
                  const struct sockaddr_storage *peer)
{
    struct rpc_net_server *net = listener->net;
    struct rpc_net_worker *to = least_busy(net);
    if (listener->mode == RPC_LISTEN_OPERATOR) {
        admit_operator(listener, to, fd, peer);
        return;
    }
    if (to == NULL || atomic_load(&net->connections) >= net->connections_max)
        refuse(fd, "too_many_connections", peer);
    else if (!peers_enter(net->peers, peer_key(peer)))
        refuse(fd, "too_many_connections_of_peer", peer);
    else
        hand_over(to, listener, fd, peer);
}

/* Out of file descriptors the connection would stay in the backlog and wake us
 * for ever: the spare one makes room to take and close it. */
static void drop_one(struct listener *listener)
{
    struct rpc_net_server *net = listener->net;
    if (net->spare_fd >= 0)
        close(net->spare_fd);
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    net->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    net_count_ended("no_file_descriptors", "unknown");
}

static void on_acceptable(uv_poll_t *poll, int status, int events);

static bool has_room(const struct rpc_net_server *net)
{
    const struct rpc_net_worker *first = atomic_load(&net->workers[0]);
    return atomic_load(&net->handshakes) <
           first->worker->options.handshakes_max;
}

static void accept_again(struct loop_timer *timer)
{
    struct rpc_net_server *net =
        (struct rpc_net_server *)((char *)timer -
                                  offsetof(struct rpc_net_server, again));
    if (!has_room(net)) {
        loop_timer_start(timer->loop, timer, CROWDED_MS);
        return;
    }
    atomic_store(&net->is_crowded, false);
    for (struct listener *l = net->listeners; l != NULL; l = l->next)
        if (l->fd >= 0)
            uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
}

/* A crowd that comes back after a restart waits in the kernel's queue, where it
 * costs nothing and none of it is turned away.  Those who hold a place and do
 * not get on with it then have less time (conn_sweep). */
static void wait_for_room(struct rpc_net_server *net)
{
    atomic_store(&net->is_crowded, true);
    metrics_add(net->crowded_count, 1);
    for (struct listener *l = net->listeners; l != NULL; l = l->next)
        if (l->fd >= 0)
            uv_poll_stop(&l->poll);
    struct rpc_net_worker *first = atomic_load(&net->workers[0]);
    loop_timer_start(first->worker->loop, &net->again, CROWDED_MS);
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct listener *listener = poll->data;
    if (status < 0)
        return;
    for (int i = 0; i < ACCEPTS_PER_PASS; i++) {
        if (!has_room(listener->net)) {
            wait_for_room(listener->net);
            return;
        }
        struct sockaddr_storage peer = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(listener->fd, (struct sockaddr *)&peer, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(listener, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE)
            drop_one(listener);
        else if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

void accept_init(struct rpc_net_server *net)
{
    loop_timer_init(&net->again, accept_again);
}

void accept_start(struct rpc_net_worker *net)
{
    for (struct listener *l = net->server->listeners; l != NULL; l = l->next) {
        if (uv_poll_init(loop_uv(net->worker->loop), &l->poll, l->fd) != 0)
            abort();
        l->poll.data = l;
        uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
        net->poll_handles++;
    }
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    atomic_load(&listener->net->workers[0])->poll_handles--;
}

void accept_stop(struct rpc_net_worker *net)
{
    if (net->worker->index != 0)
        return;
    loop_timer_stop(&net->server->again);
    for (struct listener *l = net->server->listeners; l != NULL; l = l->next) {
        if (l->fd < 0)
            continue;
        uv_close((uv_handle_t *)&l->poll, on_listener_closed);
        inherited_close(l->fd);
        l->fd = -1;
    }
}
