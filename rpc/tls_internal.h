#ifndef PRBAL_RPC_TLS_INTERNAL_H
#define PRBAL_RPC_TLS_INTERNAL_H

#include "rpc/tls.h"

#include <openssl/ssl.h>

struct tls {
    SSL *ssl;
    const char *failure;
};

/* struct tls_identity is the SSL_CTX itself: it is counted already. */
static inline SSL_CTX *tls_context(struct tls_identity *identity)
{
    return (SSL_CTX *)identity;
}

/* The last error's, in words. */
const char *tls_openssl_reason(void);

#endif
