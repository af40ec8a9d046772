/* The network side of a server: what it does on each loop, and its addresses.
 */
#include "rpc/accept.h"
#include "rpc/address.h"
#include "rpc/channelz.h"
#include "rpc/conn.h"
#include "rpc/h2.h"
#include "rpc/inherited.h"
#include "rpc/log.h"
#include "rpc/tls_tickets.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* For files, database links and the listeners themselves. */
    RESERVED_FDS = 128,
    SWEEP_MS_MAX = 1000,
    SWEEP_MS_MIN = 10,
};

/* --- workers: struct rpc_net_ops --- */

static void on_flush(struct loop_flush *flush)
{
    struct rpc_net_worker *net =
        (struct rpc_net_worker *)((char *)flush -
                                  offsetof(struct rpc_net_worker, flush));
    net->handshake_steps = 0;
    conn_flush_all(net);
}

/* Often enough for the shortest time limit. */
static int64_t sweep_ms(const struct rpc_server_options *options)
{
    const uint32_t limits[] = {
        options->handshake_ms,
        options->stall_ms,
        options->receive_ms,
        options->idle_ms,
        options->age_ms > 0 ? options->age_ms : UINT32_MAX,
        options->age_grace_ms,
        options->keepalive_ms,
        options->keepalive_timeout_ms,
    };
    uint32_t shortest = SWEEP_MS_MAX * 4;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i] < shortest)
            shortest = limits[i];
    return shortest / 4 < SWEEP_MS_MIN ? SWEEP_MS_MIN : shortest / 4;
}

static void on_sweep(struct loop_timer *timer)
{
    struct rpc_net_worker *net =
        (struct rpc_net_worker *)((char *)timer -
                                  offsetof(struct rpc_net_worker, sweep));
    int64_t now_us = loop_now_us(net->worker->loop);
    for (struct conn *c = net->conns, *next; c != NULL; c = next) {
        next = c->next;
        conn_sweep(c, now_us);
    }
    loop_timer_start(net->worker->loop, timer, sweep_ms(&net->worker->options));
}

static void publish(struct rpc_net_server *server, struct rpc_worker *worker,
                    struct rpc_net_worker *net)
{
    pthread_mutex_lock(&server->lock);
    if (server->workers == NULL)
        server->workers = calloc((size_t)server->server->worker_count,
                                 sizeof *server->workers);
    pthread_mutex_unlock(&server->lock);
    if (server->workers == NULL)
        abort();
    atomic_store(&server->workers[worker->index], net);
}

static rpc_status worker_start(struct rpc_worker *worker)
{
    struct rpc_net_worker *net = calloc(1, sizeof *net);
    if (net == NULL)
        abort();
    net->worker = worker;
    net->server = worker->server->net;
    net->pool = pool_create();
    net->compress = compress_create();
    net->input = malloc(SOCKET_INPUT_BYTES);
    net->output = malloc(SOCKET_OUTPUT_BYTES + SOCKET_OUTPUT_SLACK_BYTES);
    if (net->input == NULL || net->output == NULL)
        abort();
    net->received_bytes = metrics_counter("grpc_server_received_bytes_total",
                                          "Bytes read from clients.", NULL);
    net->sent_bytes = metrics_counter("grpc_server_sent_bytes_total",
                                      "Bytes written to clients.", NULL);
    h2_worker_start(net);
    net->flush.fn = on_flush;
    loop_add_flush(worker->loop, &net->flush);
    loop_timer_init(&net->sweep, on_sweep);
    loop_timer_start(worker->loop, &net->sweep, sweep_ms(&worker->options));
    worker->net = net;
    publish(net->server, worker, net);
    if (worker->index == 0)
        accept_start(net);
    return RPC_SUCCESS;
}

static void close_all(struct rpc_net_worker *net)
{
    while (net->conns != NULL)
        conn_close(net->conns);
}

static void worker_stop(struct rpc_worker *worker)
{
    struct rpc_net_worker *net = worker->net;
    if (net == NULL)
        return; /* it did not start */
    accept_stop(net);
    close_all(net);
    loop_remove_flush(worker->loop, &net->flush);
    loop_timer_stop(&net->sweep);
    while (net->poll_handles > 0 || net->dirty != NULL) {
        conn_flush_all(net);
        uv_run(loop_uv(worker->loop), UV_RUN_NOWAIT);
    }
    atomic_store(&net->server->workers[worker->index], NULL);
    h2_worker_stop(net);
    compress_destroy(net->compress);
    pool_destroy(net->pool);
    free(net->input);
    free(net->output);
    worker->net = NULL;
    pthread_mutex_lock(&net->server->lock);
    net->next_stopped = net->server->stopped;
    net->server->stopped = net;
    pthread_mutex_unlock(&net->server->lock);
}

static void worker_drain(struct rpc_worker *worker)
{
    struct rpc_net_worker *net = worker->net;
    net->draining = true;
    accept_stop(net);
    for (struct conn *c = net->conns, *next; c != NULL; c = next) {
        next = c->next;
        conn_drain(c, "draining");
    }
}

static bool worker_is_idle(const struct rpc_worker *worker)
{
    return atomic_load(&worker->net->conn_count) == 0;
}

/* As many as the limit on open files allows, after it is raised as far as it
 * goes. */
static uint32_t connections_allowed(uint32_t wanted)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return wanted;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur >= (rlim_t)wanted + RESERVED_FDS)
        return wanted;
    if (files.rlim_cur <= RESERVED_FDS)
        return 1;
    return (uint32_t)(files.rlim_cur - RESERVED_FDS);
}

/* The caps on connections are the first loop's, which accepts. */
static void worker_limits(struct rpc_worker *worker)
{
    struct rpc_net_server *net = worker->net->server;
    loop_timer_start(worker->loop, &worker->net->sweep, 0);
    if (worker->index != 0)
        return;
    net->connections_max = connections_allowed(worker->options.connections_max);
    peers_limit(net->peers, worker->options.connections_per_ip_max);
}

static void worker_abort(struct rpc_worker *worker)
{
    close_all(worker->net);
}

static void destroy(struct rpc_server *server)
{
    struct rpc_net_server *net = server->net;
    for (struct listener *l = net->listeners, *next; l != NULL; l = next) {
        next = l->next;
        if (l->fd >= 0)
            inherited_close(l->fd);
        if (l->unix_path != NULL && !inherited_are_handed_over())
            unlink(l->unix_path);
        free(l->unix_path);
        free(l);
    }
    for (struct rpc_net_worker *w = net->stopped, *next; w != NULL; w = next) {
        next = w->next_stopped;
        free(w);
    }
    if (net->spare_fd >= 0)
        close(net->spare_fd);
    tls_identity_release(net->identity);
    tls_tickets_destroy(net->tickets);
    peers_destroy(net->peers);
    pthread_mutex_destroy(&net->lock);
    free(net->workers);
    free(net);
}

static const struct rpc_net_ops net_ops = {
    .worker_start = worker_start,
    .worker_stop = worker_stop,
    .worker_drain = worker_drain,
    .worker_is_idle = worker_is_idle,
    .worker_abort = worker_abort,
    .worker_limits = worker_limits,
    .destroy = destroy,
};

/* --- setting up --- */

static struct rpc_net_server *net_of(struct rpc_server *server)
{
    if (server->net != NULL)
        return server->net;
    struct rpc_net_server *net = calloc(1, sizeof *net);
    if (net == NULL)
        abort();
    const struct rpc_server_options *options = &server->options;
    net->server = server;
    net->peers = peers_create(options->connections_per_ip_max);
    net->connections_gauge =
        metrics_gauge("grpc_server_connections", "Open connections.", NULL);
    net->crowded_count = metrics_counter(
        "grpc_server_accept_pauses_total",
        "Times that too many handshakes were under way to accept more.", NULL);
    accept_init(net);
    net->tickets = tls_tickets_create(NULL);
    net->connections_max = connections_allowed(options->connections_max);
    net->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pthread_mutex_init(&net->lock, NULL);
    server->net = net;
    server->net_ops = &net_ops;
    /* OpenSSL writes without MSG_NOSIGNAL. */
    signal(SIGPIPE, SIG_IGN);
    return net;
}

static const char *given(const char *path)
{
    return path == NULL || *path == '\0' ? NULL : path;
}

bool rpc_server_use_tls(struct rpc_server *server, const char *certificate_path,
                        const char *key_path, char *error, size_t error_size)
{
    struct rpc_net_server *net = net_of(server);
    const struct rpc_server_options *o = &server->options;
    const struct tls_options options = {
        .certificate_path = certificate_path,
        .key_path = key_path,
        .client_auth = (tls_client_auth)o->client_auth,
        .client_ca_path = given(o->client_ca),
        .client_crl_path = given(o->client_crl),
        .ticket_count = o->tickets,
        .tickets = net->tickets,
    };
    struct tls_identity *identity =
        tls_identity_load(&options, error, error_size);
    if (identity == NULL)
        return false;
    pthread_mutex_lock(&net->lock);
    struct tls_identity *old = net->identity;
    net->identity = identity;
    pthread_mutex_unlock(&net->lock);
    tls_identity_release(old);
    return true;
}

struct tls_identity *net_take_identity(struct rpc_net_server *net)
{
    pthread_mutex_lock(&net->lock);
    struct tls_identity *identity = tls_identity_hold(net->identity);
    pthread_mutex_unlock(&net->lock);
    return identity;
}

size_t net_listener_ids(const struct rpc_server *server, int64_t *ids,
                        size_t room)
{
    size_t count = 0;
    const struct listener *l =
        server->net == NULL ? NULL : server->net->listeners;
    for (; l != NULL; l = l->next)
        if (count++ < room)
            ids[count - 1] = l->id;
    return count;
}

int net_listener_fd(const struct rpc_server *server, int64_t id)
{
    const struct listener *l =
        server->net == NULL ? NULL : server->net->listeners;
    while (l != NULL && l->id != id)
        l = l->next;
    return l == NULL ? -1 : l->fd;
}

/* NULL, or why not. */
static const char *check_mode(const struct rpc_net_server *net,
                              const char *path, rpc_listen_mode mode)
{
    if (mode == RPC_LISTEN_TLS && net->identity == NULL)
        return "with TLS: there is no certificate";
    if (mode == RPC_LISTEN_OPERATOR && path == NULL)
        return "for the operator: that has to be a Unix socket";
    return NULL;
}

int rpc_server_listen(struct rpc_server *server, const char *address,
                      rpc_listen_mode mode, char *error, size_t error_size)
{
    struct rpc_net_server *net = net_of(server);
    const char *path = address_unix_path(address);
    const char *objection = check_mode(net, path, mode);
    if (objection != NULL) {
        snprintf(error, error_size, "cannot listen on %s %s", address,
                 objection);
        return -1;
    }
    bool is_clear_text = mode == RPC_LISTEN_H2C || mode == RPC_LISTEN_BOTH;
    if (is_clear_text &&
        server->options.client_auth == RPC_CLIENT_AUTH_REQUIRED) {
        snprintf(error, error_size,
                 "cannot listen on %s: clear text is a way round the required "
                 "client certificates",
                 address);
        return -1;
    }
    int fd = address_listen(address, error, error_size);
    if (fd < 0)
        return -1;
    /* Whoever comes before this line is asked who they are all the same. */
    if (mode == RPC_LISTEN_OPERATOR)
        chmod(path, 0600);
    struct listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        abort();
    *listener = (struct listener){
        .next = net->listeners,
        .net = net,
        .id = channelz_take_id(),
        .fd = fd,
        .mode = mode,
        .unix_path = path == NULL ? NULL : strdup(path),
    };
    net->listeners = listener;
    return address_port(fd);
}
