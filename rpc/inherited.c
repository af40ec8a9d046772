#include "rpc/inherited.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SOCKETS_MAX = 32, SYSTEMD_FIRST_FD = 3 };

struct sockets {
    int fds[SOCKETS_MAX];
    int count;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sockets waiting;   /* inherited, not asked for yet */
static struct sockets listening; /* in use */
static bool handed_over;

static bool add(struct sockets *sockets, int fd)
{
    pthread_mutex_lock(&lock);
    bool has_room = sockets->count < SOCKETS_MAX;
    if (has_room)
        sockets->fds[sockets->count++] = fd;
    pthread_mutex_unlock(&lock);
    return has_room;
}

static void drop(struct sockets *sockets, int fd)
{
    pthread_mutex_lock(&lock);
    for (int i = 0; i < sockets->count; i++)
        if (sockets->fds[i] == fd) {
            sockets->fds[i] = sockets->fds[--sockets->count];
            break;
        }
    pthread_mutex_unlock(&lock);
}

static bool is_listening(int fd)
{
    int type = 0, accepts = 0;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
           type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 &&
           accepts != 0;
}

bool inherited_add(int fd)
{
    drop(&listening, fd);
    if (is_listening(fd) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0 &&
        add(&waiting, fd))
        return true;
    close(fd);
    return false;
}

/* The variables are for this process alone, not for its children. */
int inherited_add_from_systemd(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    bool is_for_us = pid != NULL && fds != NULL && atol(pid) == (long)getpid();
    int count = is_for_us ? atoi(fds) : 0, added = 0;
    for (int i = 0; i < count && i < SOCKETS_MAX; i++)
        added += inherited_add(SYSTEMD_FIRST_FD + i);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return added;
}

/* --- which of them --- */

typedef bool (*matcher)(const struct sockaddr_storage *name,
                        const void *wanted);

static int take(matcher matches, const void *wanted)
{
    int found = -1;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < waiting.count && found < 0; i++) {
        struct sockaddr_storage name = {0};
        socklen_t size = sizeof name;
        int fd = waiting.fds[i];
        if (getsockname(fd, (struct sockaddr *)&name, &size) != 0 ||
            !matches(&name, wanted))
            continue;
        waiting.fds[i] = waiting.fds[--waiting.count];
        found = fd;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static in_port_t port_of(const struct sockaddr *name)
{
    return name->sa_family == AF_INET
               ? ((const struct sockaddr_in *)name)->sin_port
               : ((const struct sockaddr_in6 *)name)->sin6_port;
}

static bool is_everywhere(const struct sockaddr *name)
{
    if (name->sa_family == AF_INET)
        return ((const struct sockaddr_in *)name)->sin_addr.s_addr ==
               INADDR_ANY;
    return IN6_IS_ADDR_UNSPECIFIED(
        &((const struct sockaddr_in6 *)name)->sin6_addr);
}

static bool is_same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)b)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

static bool is_tcp(const struct sockaddr *name)
{
    return name->sa_family == AF_INET || name->sa_family == AF_INET6;
}

static bool matches_tcp(const struct sockaddr_storage *name, const void *wanted)
{
    const struct sockaddr *have = (const struct sockaddr *)name;
    const struct sockaddr *want = wanted;
    return is_tcp(have) && is_tcp(want) && port_of(have) == port_of(want) &&
           (is_same_address(have, want) || is_everywhere(have));
}

static bool matches_unix(const struct sockaddr_storage *name,
                         const void *wanted)
{
    const struct sockaddr_un *have = (const struct sockaddr_un *)name;
    return have->sun_family == AF_UNIX && strcmp(have->sun_path, wanted) == 0;
}

int inherited_take_tcp(const struct addrinfo *at)
{
    return take(matches_tcp, at->ai_addr);
}

int inherited_take_unix(const char *path)
{
    return take(matches_unix, path);
}

int inherited_close_rest(void)
{
    pthread_mutex_lock(&lock);
    int count = waiting.count;
    for (int i = 0; i < count; i++)
        close(waiting.fds[i]);
    waiting.count = 0;
    pthread_mutex_unlock(&lock);
    return count;
}

/* --- what is listened on --- */

void inherited_note(int fd)
{
    add(&listening, fd);
}

void inherited_close(int fd)
{
    drop(&listening, fd);
    close(fd);
}

size_t inherited_listening(int *fds, size_t room)
{
    pthread_mutex_lock(&lock);
    size_t count = (size_t)listening.count;
    for (size_t i = 0; i < count && i < room; i++)
        fds[i] = listening.fds[i];
    pthread_mutex_unlock(&lock);
    return count;
}

void inherited_hand_over(void)
{
    pthread_mutex_lock(&lock);
    handed_over = true;
    pthread_mutex_unlock(&lock);
}

bool inherited_are_handed_over(void)
{
    pthread_mutex_lock(&lock);
    bool are = handed_over;
    pthread_mutex_unlock(&lock);
    return are;
}
