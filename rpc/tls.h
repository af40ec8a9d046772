#ifndef PRBAL_RPC_TLS_H
#define PRBAL_RPC_TLS_H

#include <stdbool.h>
#include <stddef.h>

/* The server's side of TLS: 1.2 or newer, HTTP/2 by ALPN and nothing else, only
 * the cipher suites that RFC 9113 9.2.2 leaves, no renegotiation, no early
 * data, no session resumption (a full handshake costs half a millisecond;
 * tickets would be one more secret to rotate). */

/* A certificate with its key, shared by the connections made with it.  Counted,
 * so a new one can take over while old connections live on. */
struct tls_identity;

/* Reads a PEM chain and its key.  NULL with a sentence in error[error_size]. */
struct tls_identity *tls_identity_load(const char *certificate_path,
                                       const char *key_path, char *error,
                                       size_t error_size);
struct tls_identity *tls_identity_hold(struct tls_identity *identity);
void tls_identity_release(struct tls_identity *identity);
/* Both accept NULL. */

/* One connection. */
struct tls;

/* NULL when memory is short.  Does not own `fd`, which does not block. */
struct tls *tls_create(struct tls_identity *identity, int fd);
void tls_destroy(struct tls *tls); /* accepts NULL; sends nothing */

typedef enum {
    TLS_DONE,
    TLS_WANT_READ,
    TLS_WANT_WRITE,
    TLS_CLOSED, /* the peer is gone, politely or not */
    TLS_FAILED, /* tls_failure() says why; only tls_destroy() may follow */
} tls_result;

/* A step of the handshake.  DONE means that HTTP/2 was agreed. */
tls_result tls_handshake(struct tls *tls);

/* DONE with *count > 0, or why not. */
tls_result tls_read(struct tls *tls, void *bytes, size_t size, size_t *count);
tls_result tls_write(struct tls *tls, const void *bytes, size_t size,
                     size_t *count);

/* True when tls_read() has something without the socket becoming readable. */
bool tls_has_pending(const struct tls *tls);

/* Tells the peer that nothing more comes, if that can be sent at once. */
void tls_say_goodbye(struct tls *tls);

/* What was agreed, for people.  False before the handshake is done. */
struct tls_certificate_bytes {
    unsigned char *bytes; /* DER; NULL = none */
    size_t size;
};

struct tls_description {
    const char *version; /* "TLSv1.3" */
    const char *cipher;  /* "TLS_AES_256_GCM_SHA384" */
    struct tls_certificate_bytes local, remote;
};

bool tls_describe(const struct tls *tls, struct tls_description *description);
void tls_description_free(struct tls_description *description);

/* OpenSSL's reason for the last failure, or a literal of ours; never NULL. */
const char *tls_failure(const struct tls *tls);

#endif
