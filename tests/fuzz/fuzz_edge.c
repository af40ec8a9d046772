/* The listener for probes: whatever comes, it answers or hangs up, and then
 * answers the next one. */
#include "rpc/edge.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct edge *edge;

static void hello(void *argument, struct edge_answer *answer)
{
    (void)argument;
    edge_text(answer, 200, "hello\n");
}

static void start(void)
{
    static const struct edge_route routes[] = {{"/hello", hello}, {NULL, NULL}};
    char error[256];
    edge = edge_start("127.0.0.1:0", routes, NULL, error, sizeof error);
    if (edge == NULL)
        abort();
}

/* All that comes back within that time of silence; returns its size. */
static size_t ask(const void *bytes, size_t size, int64_t patience_us,
                  char *answer, size_t room)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)edge_port(edge)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* No TIME_WAIT: thousands of these would use up the ports. */
    const struct linger at_once = {.l_onoff = 1};
    size_t used = 0;
    ssize_t count;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    const struct timeval patience = {.tv_sec = patience_us / 1000000,
                                     .tv_usec = patience_us % 1000000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        abort();
    send(fd, bytes, size, MSG_NOSIGNAL);
    while ((count = recv(fd, answer + used, room - used, 0)) > 0)
        used += (size_t)count;
    close(fd);
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char good[] =
        "GET /hello HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    static char answer[65536];
    if (edge == NULL)
        start();
    ask(bytes, size, 1000, answer, sizeof answer);
    size_t count = ask(good, sizeof good - 1, 10000000, answer, sizeof answer);
    if (count < 15 || memcmp(answer, "HTTP/1.1 200 OK", 15) != 0)
        abort();
    return 0;
}
