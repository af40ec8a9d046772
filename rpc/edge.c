#include "rpc/edge.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEMORY_BYTES = 8192, HOST_BYTES = 256 };

struct edge {
    struct MHD_Daemon *daemon;
    const struct edge_route *routes;
    void *argument;
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

/* "127.0.0.1:80", "[::1]:80", "localhost:80", ":80" (all addresses). */
static bool split(const char *address, char host[HOST_BYTES], const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0')
        return false;
    size_t length = (size_t)(colon - address);
    if (length > 1 && address[0] == '[' && colon[-1] == ']') {
        address++;
        length -= 2;
    }
    if (length >= HOST_BYTES)
        return false;
    memcpy(host, address, length);
    host[length] = '\0';
    *port = colon + 1;
    return true;
}

static int open_socket(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, info->ai_addr, info->ai_addrlen) == 0 &&
        listen(fd, EDGE_CONNECTIONS_MAX) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static int open_address(const char *address, char *error, size_t error_size)
{
    char host[HOST_BYTES];
    const char *port;
    if (!split(address, host, &port)) {
        snprintf(error, error_size, "\"%s\" is not HOST:PORT.", address);
        return -1;
    }
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *info;
    int reason = getaddrinfo(*host == '\0' ? NULL : host, port, &hints, &info);
    if (reason != 0) {
        snprintf(error, error_size, "The address %s: %s.", address,
                 gai_strerror(reason));
        return -1;
    }
    int fd = open_socket(info);
    if (fd < 0)
        snprintf(error, error_size, "Nothing can listen on %s: %s.", address,
                 strerror(errno));
    freeaddrinfo(info);
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &size) != 0)
        return 0;
    return name.ss_family == AF_INET6
               ? ntohs(((struct sockaddr_in6 *)&name)->sin6_port)
               : ntohs(((struct sockaddr_in *)&name)->sin_port);
}

struct edge *edge_start(const char *address, const struct edge_route *routes,
                        void *argument, char *error, size_t error_size)
{
    int fd = open_address(address, error, error_size);
    if (fd < 0)
        return NULL;
    struct edge *edge = calloc(1, sizeof *edge);
    if (edge == NULL)
        abort();
    edge->routes = routes;
    edge->argument = argument;
    edge->port = port_of(fd);
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
    close(fd);
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
    MHD_stop_daemon(edge->daemon); /* closes the socket too */
    free(edge);
}
