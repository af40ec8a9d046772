#ifndef PRBAL_TESTS_RPC_TLS_PAIR_H
#define PRBAL_TESTS_RPC_TLS_PAIR_H

#include "rpc/tls.h"
#include "tests/wire/certificate.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

/* A server and a client on one thread, each taking a step in turn. */
struct pair {
    int fds[2];
    struct tls_identity *identity;
    struct tls *server;
    SSL_CTX *context;
    SSL *client;
};

/* What the server is, by these options and the certificate's files. */
static inline struct tls_identity *pair_identity(
    const struct certificate *certificate, struct tls_options options)
{
    char error[256];
    options.certificate_path = certificate->certificate_path;
    options.key_path = certificate->key_path;
    struct tls_identity *identity =
        tls_identity_load(&options, error, sizeof error);
    if (identity == NULL)
        fail_msg("%s", error);
    return identity;
}

/* Takes the identity over. */
static inline struct pair *pair_open_with(struct tls_identity *identity)
{
    struct pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fds), 0);
    p->identity = identity;
    p->server = tls_create(p->identity, p->fds[0]);
    assert_non_null(p->server);
    p->context = SSL_CTX_new(TLS_client_method());
    p->client = SSL_new(p->context);
    SSL_set_fd(p->client, p->fds[1]);
    return p;
}

static inline void pair_close(struct pair *p)
{
    SSL_free(p->client);
    SSL_CTX_free(p->context);
    tls_destroy(p->server);
    tls_identity_release(p->identity);
    close(p->fds[0]);
    close(p->fds[1]);
    free(p);
}

static inline void offer(struct pair *p, const char *protocols)
{
    assert_int_equal(SSL_set_alpn_protos(p->client,
                                         (const unsigned char *)protocols,
                                         (unsigned)strlen(protocols)),
                     0);
}

/* What the server's handshake came to; the client's is in *client. */
static inline tls_result shake_hands(struct pair *p, int *client)
{
    tls_result result = TLS_WANT_READ;
    *client = 0;
    for (int step = 0; step < 20; step++) {
        ERR_clear_error();
        if (*client != 1)
            *client = SSL_connect(p->client);
        if (result == TLS_WANT_READ || result == TLS_WANT_WRITE)
            result = tls_handshake(p->server);
    }
    return result;
}

/* A byte to the client, which sees what came before it: tickets, alerts.  False
 * when that is the end. */
static inline bool pair_says_hello(struct pair *p)
{
    size_t count;
    char text;
    return tls_write(p->server, "x", 1, &count) == TLS_DONE &&
           SSL_read(p->client, &text, 1) == 1;
}

#endif
