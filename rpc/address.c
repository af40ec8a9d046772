#include "rpc/address.h"

#include "rpc/inherited.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    SOCKET_TYPE = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC
};

const char *address_unix_path(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
}

/* A server that died leaves its socket file; one that lives answers. */
static bool is_abandoned(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused = connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int listen_unix(const char *path, char *error, size_t error_size)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path) {
        snprintf(error, error_size, "the socket path %s is too long", path);
        return -1;
    }
    strcpy(at.sun_path, path);
    int inherited = inherited_take_unix(path);
    if (inherited >= 0)
        return inherited;
    if (is_abandoned(&at))
        unlink(path);
    int fd = socket(AF_UNIX, SOCKET_TYPE, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    snprintf(error, error_size, "cannot listen on unix:%s: %s", path,
             strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

bool address_split(const char *address, char host[ADDRESS_HOST_BYTES],
                   const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0')
        return false;
    size_t size = (size_t)(colon - address);
    if (size >= 2 && address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    if (size >= ADDRESS_HOST_BYTES)
        return false;
    memcpy(host, address, size);
    host[size] = '\0';
    *port = colon + 1;
    return true;
}

static int listen_at(const struct addrinfo *at)
{
    int on = 1, off = 0;
    int inherited = inherited_take_tcp(at);
    if (inherited >= 0)
        return inherited;
    int fd = socket(at->ai_family, SOCKET_TYPE, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

/* IPv6 first when no host is named: it takes IPv4 as well. */
static int listen_any(const struct addrinfo *list, int family)
{
    int fd = -1;
    for (const struct addrinfo *at = list; at != NULL && fd < 0;
         at = at->ai_next)
        if (family == AF_UNSPEC || at->ai_family == family)
            fd = listen_at(at);
    return fd;
}

static int listen_tcp(const char *host, const char *port)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
    };
    struct addrinfo *list;
    bool everywhere = *host == '\0';
    if (getaddrinfo(everywhere ? NULL : host, port, &hints, &list) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = everywhere ? listen_any(list, AF_INET6) : -1;
    if (fd < 0 && (!everywhere || errno != EADDRINUSE))
        fd = listen_any(list, AF_UNSPEC);
    freeaddrinfo(list);
    return fd;
}

static int listen_host(const char *address, char *error, size_t error_size)
{
    char host[ADDRESS_HOST_BYTES];
    const char *port;
    if (!address_split(address, host, &port)) {
        snprintf(error, error_size,
                 "\"%s\" is not HOST:PORT, [V6]:PORT or unix:/path", address);
        return -1;
    }
    int fd = listen_tcp(host, port);
    if (fd >= 0)
        return fd;
    if (errno == EADDRINUSE)
        snprintf(error, error_size,
                 "cannot listen on %s: another program uses that port",
                 address);
    else
        snprintf(error, error_size, "cannot listen on %s: %s", address,
                 strerror(errno));
    return -1;
}

int address_listen(const char *address, char *error, size_t error_size)
{
    const char *path = address_unix_path(address);
    int fd = path != NULL ? listen_unix(path, error, error_size)
                          : listen_host(address, error, error_size);
    if (fd >= 0)
        inherited_note(fd);
    return fd;
}

int address_port(int fd)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        return 0;
    if (at.ss_family == AF_INET)
        return ntohs(((struct sockaddr_in *)&at)->sin_port);
    if (at.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
    return 0;
}
