#include "tests/wire/dial.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static void bind_to(int fd, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &from.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
}

int dial_tcp(int port, const char *from)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    assert_true(fd >= 0);
    if (from != NULL)
        bind_to(fd, from);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

int dial_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

void dial_wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, CLIENT_PATIENCE_MS) != 1)
        fail_msg("%s", "the server did not answer in time");
}

SSL *dial_tls(int fd, SSL_CTX **context, const char *alpn,
              const struct client_options *options)
{
    *context = SSL_CTX_new(TLS_client_method());
    if (options->certificate_path != NULL) {
        assert_int_equal(SSL_CTX_use_certificate_chain_file(
                             *context, options->certificate_path),
                         1);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(
                             *context, options->key_path, SSL_FILETYPE_PEM),
                         1);
    }
    SSL *ssl = SSL_new(*context);
    SSL_set_alpn_protos(ssl, (const unsigned char *)alpn,
                        (unsigned)strlen(alpn));
    SSL_set_fd(ssl, fd);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}
