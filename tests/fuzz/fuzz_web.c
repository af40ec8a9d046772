/* Requests of browsers over HTTP/1.1: the whole server survives any body of any
 * protocol, and forgets the client afterwards.
 *
 *   first byte: which protocol; second: which method, and how the body is cut;
 *   the rest is the body */
#include "tests/fuzz/fuzz_server.h"

#include <stdio.h>

static const struct {
    const char *type, *more;
} protocols[] = {
    {"application/grpc-web+proto", "x-grpc-web: 1"},
    {"application/grpc-web-text+proto", "x-grpc-web: 1"},
    {"application/grpc-web-text", "x-grpc-web: 1"},
    {"application/grpc-web+json", "x-grpc-web: 1"},
    {"application/grpc-web+proto", "grpc-encoding: gzip"},
    {"application/proto", "connect-protocol-version: 1"},
    {"application/json", "connect-protocol-version: 1"},
    {"application/json", "content-encoding: gzip"},
    {"application/connect+proto", "connect-timeout-ms: 1000"},
    {"application/connect+json", "connect-accept-encoding: gzip"},
    {"application/connect+json", "connect-content-encoding: gzip"},
};
enum { PROTOCOLS = sizeof protocols / sizeof protocols[0] };

static const char *const methods[] = {"Echo", "ServerStream", "ClientStream",
                                      "Fail"};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct rpc_server *server;
    char head[512];
    if (server == NULL)
        server = server_start();
    if (size < 2)
        return 0;
    int head_size =
        snprintf(head, sizeof head,
                 "POST /prbal.test.TestService/%s HTTP/1.1\r\nhost: a\r\n"
                 "content-type: %s\r\n%s\r\ncontent-length: %zu\r\n\r\n",
                 methods[bytes[1] % 4], protocols[bytes[0] % PROTOCOLS].type,
                 protocols[bytes[0] % PROTOCOLS].more, size - 2);
    struct rpc_worker *worker = &server->workers[0];
    int fd = client_connect(worker->net);
    send_in_pieces(worker, fd, head, (size_t)head_size, sizeof head);
    send_in_pieces(worker, fd, bytes + 2, size - 2,
                   (size_t)(bytes[1] >> 2) * 16 + 1);
    client_leave(worker, fd);
    return 0;
}
