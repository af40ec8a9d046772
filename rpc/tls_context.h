#ifndef PRBAL_RPC_TLS_CONTEXT_H
#define PRBAL_RPC_TLS_CONTEXT_H

#include "rpc/tls_internal.h"

/* What the contexts of servers and of clients have in common. */

/* Certificates between a peer's and its root.  OpenSSL would look through 100,
 * at a stranger's wish. */
enum { TLS_CHAIN_MAX = 8 };

/* Where the sentence about what went wrong goes. */
struct tls_problem {
    char *text;
    size_t size;
};

/* What tls_blame() says of settings that OpenSSL does not take. */
#define TLS_REFUSES_SETTINGS "OpenSSL refuses our settings"

/* All three return false, for callers to pass on: with OpenSSL's last reason,
 * with the same or the system's about a file, and with a sentence of ours. */
bool tls_blame(const struct tls_problem *problem, const char *what);
bool tls_blame_file(const struct tls_problem *problem, const char *what,
                    const char *path);
bool tls_complain(const struct tls_problem *problem, const char *sentence);

/* An empty context with the versions, suites and modes of both sides; NULL with
 * the problem told. */
SSL_CTX *tls_context_create(const SSL_METHOD *method,
                            const struct tls_problem *problem);

/* The certificate that is shown, and its key. */
bool tls_context_show(SSL_CTX *context, const char *certificate_path,
                      const char *key_path, const struct tls_problem *problem);

#endif
