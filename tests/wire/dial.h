#ifndef PRBAL_TESTS_WIRE_DIAL_H
#define PRBAL_TESTS_WIRE_DIAL_H

/* What the clients of tests stand on: blocking sockets, and TLS on them.  What
 * does not work ends the test. */
#include "tests/wire/client.h"

#include <openssl/ssl.h>
#include <string.h>

/* On the loopback; `from` is an address of it, or NULL. */
int dial_tcp(int port, const char *from);
int dial_unix(const char *path);

/* Offers these protocols, in ALPN's form.  The caller frees both. */
SSL *dial_tls(int fd, SSL_CTX **context, const char *alpn,
              const struct client_options *options);

/* For CLIENT_PATIENCE_MS at most. */
void dial_wait_readable(int fd);

static inline nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value,
                        strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

#endif
