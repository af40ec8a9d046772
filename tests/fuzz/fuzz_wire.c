/* A whole server behind a socket pair: whatever a client sends, in whatever
 * pieces, it neither crashes nor leaks, and forgets the client afterwards.
 *
 *   first byte: how the rest is cut; bit 7: a proper greeting comes first */
#include "tests/fuzz/fuzz_server.h"

static void greet(int fd)
{
    static const char greeting[] =
        NGHTTP2_CLIENT_MAGIC "\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0";
    if (send(fd, greeting, sizeof greeting - 1, MSG_NOSIGNAL) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct rpc_server *server;
    if (server == NULL)
        server = server_start();
    if (size < 1)
        return 0;
    struct rpc_worker *worker = &server->workers[0];
    int fd = client_connect(worker->net);
    if (bytes[0] & 0x80)
        greet(fd);
    send_in_pieces(worker, fd, bytes + 1, size - 1,
                   (size_t)(bytes[0] & 0x7f) * 16 + 1);
    client_leave(worker, fd);
    return 0;
}
