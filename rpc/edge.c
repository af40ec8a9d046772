#include "rpc/edge.h"

#include "rpc/address.h"
#include "rpc/inherited.h"

#include <microhttpd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY_BYTES = 8192 };

struct edge {
    struct MHD_Daemon *daemon;
    const struct edge_route *routes;
    void *argument;
    int fd;
    int port;
};

void edge_text(struct edge_answer *answer, int status, const char *text)
{
    answer->status = status;
    answer->content_type = "text/plain; charset=utf-8";
    answer->body = strdup(text);
    answer->size = strlen(text);
}

/* --- answering ------------------------------------------------------------ */

static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   const struct edge_answer *answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->size, answer->body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(answer->body);
        return MHD_NO;
    }
    MHD_add_response_header(response, "content-type", answer->content_type);
    MHD_add_response_header(response, "cache-control", "no-store");
    MHD_add_response_header(response, "x-content-type-options", "nosniff");
    MHD_add_response_header(response, "x-frame-options", "DENY");
    MHD_add_response_header(response, "content-security-policy",
                            "default-src 'none'; frame-ancestors 'none'");
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "allow", "GET, HEAD");
    enum MHD_Result result =
        MHD_queue_response(connection, (unsigned int)answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static const struct edge_route *find(const struct edge *edge, const char *path)
{
    const struct edge_route *route = edge->routes;
    while (route->path != NULL && strcmp(route->path, path) != 0)
        route++;
    return route->path == NULL ? NULL : route;
}

/* libmicrohttpd frees the body. */
static enum MHD_Result on_request(void *argument,
                                  struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *body,
                                  size_t *body_size, void **state)
{
    (void)version, (void)body, (void)state;
    struct edge *edge = argument;
    struct edge_answer answer = {.status = MHD_HTTP_OK};
    const struct edge_route *route = find(edge, url);
    if (*body_size > 0)
        return MHD_NO; /* nothing here takes a body */
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        edge_text(&answer, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
    else if (route == NULL)
        edge_text(&answer, MHD_HTTP_NOT_FOUND, "not found\n");
    else
        route->answer(edge->argument, &answer);
    if (answer.body == NULL)
        return MHD_NO;
    return send_answer(connection, &answer);
}

/* --- listening ------------------------------------------------------------ */

struct edge *edge_start(const char *address, const struct edge_route *routes,
                        void *argument, char *error, size_t error_size)
{
    int fd = address_listen(address, error, error_size);
    if (fd < 0)
        return NULL;
    struct edge *edge = calloc(1, sizeof *edge);
    if (edge == NULL)
        abort();
    edge->routes = routes;
    edge->argument = argument;
    edge->port = address_port(fd);
    edge->fd = fd;
    edge->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request,
        edge, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned int)EDGE_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned int)EDGE_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)MEMORY_BYTES, MHD_OPTION_END);
    if (edge->daemon != NULL)
        return edge;
    snprintf(error, error_size, "No HTTP listener can be started on %s.",
             address);
    inherited_close(fd);
    free(edge);
    return NULL;
}

int edge_port(const struct edge *edge)
{
    return edge->port;
}

void edge_stop(struct edge *edge)
{
    if (edge == NULL)
        return;
    /* Or the daemon might shut it down, for another process that has it, too.
     */
    MHD_quiesce_daemon(edge->daemon);
    inherited_close(edge->fd);
    MHD_stop_daemon(edge->daemon);
    free(edge);
}
