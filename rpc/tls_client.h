#ifndef PRBAL_RPC_TLS_CLIENT_H
#define PRBAL_RPC_TLS_CLIENT_H

#include "rpc/tls.h"

/* The client's side of TLS, with the same demands: 1.2 or newer, HTTP/2 by
 * ALPN, no renegotiation; and the server's certificate is verified, name and
 * chain. */

/* Whom we believe (`ca_path` in PEM; NULL = the system's authorities), and what
 * we show ourselves (NULL = nothing).  NULL with a sentence in
 * error[error_size].  Released by tls_identity_release(). */
struct tls_identity *tls_client_load(const char *ca_path,
                                     const char *certificate_path,
                                     const char *key_path, char *error,
                                     size_t error_size);

/* A connection, for tls_handshake() and what follows.  `server_name` is a host
 * name or an address: the certificate must be for it.  NULL when memory is
 * short or the name is none. */
struct tls *tls_client_create(struct tls_identity *identity, int fd,
                              const char *server_name);

#endif
