#ifndef PRBAL_RPC_TLS_H
#define PRBAL_RPC_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The server's side of TLS: 1.2 or newer, HTTP/2 by ALPN, HTTP/1.1 by ALPN or
 * without it and nothing else, only the cipher suites that RFC 9113 9.2.2
 * leaves, no renegotiation and no early data: what is replayed must not be
 * executed twice.
 *
 *   rpc/tls_context.c    what servers and clients have in common
 *   rpc/tls_identity.c   what the server shows, and whom it believes
 *   rpc/tls.c            one connection
 *   rpc/tls_peer.c       who the client is, by its certificate
 *   rpc/tls_tickets.c    the keys of resumed sessions */

struct tls_tickets; /* rpc/tls_tickets.h */

typedef enum {
    TLS_CLIENTS_NOT_ASKED,
    TLS_CLIENTS_MAY,  /* one without a certificate is nobody */
    TLS_CLIENTS_MUST, /* one without fails the handshake */
} tls_client_auth;

struct tls_options {
    const char *certificate_path; /* PEM, with what leads to the root */
    const char *key_path;
    tls_client_auth client_auth;
    /* PEM of the authorities that clients' certificates are believed of; not
     * read unless they are asked for one. */
    const char *client_ca_path;
    /* PEM of revocation lists, NULL for none.  With it, each authority of a
     * chain must have a list in it that is not out of date. */
    const char *client_crl_path;
    /* Tickets for each new session, 0 for no resumption. */
    uint32_t ticket_count;
    struct tls_tickets *tickets; /* outlives the identity */
};

/* What connections are made with.  Counted, so a new one can take over while
 * old connections live on. */
struct tls_identity;

/* Reads the files.  NULL with a sentence in error[error_size]. */
struct tls_identity *tls_identity_load(const struct tls_options *options,
                                       char *error, size_t error_size);
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

/* A step of the handshake.  DONE means that the version of HTTP is known. */
tls_result tls_handshake(struct tls *tls);

/* After the handshake: whether HTTP/2 was not agreed. */
bool tls_is_http_1(const struct tls *tls);

/* Likewise: whether it was shortened by a ticket, and "TLSv1.3". */
bool tls_is_resumed(const struct tls *tls);
const char *tls_version(const struct tls *tls);

/* Who the client's certificate says it is: the URI of its subject alternative
 * names when that is a SPIFFE ID, else its first DNS name, else, for one
 * without alternative names, the common name.  NULL when it showed none, or one
 * that names nobody so.  By malloc(). */
char *tls_peer_identity(const struct tls *tls);

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
    const char *cipher; /* "TLS_AES_256_GCM_SHA384" */
    struct tls_certificate_bytes local, remote;
};

bool tls_describe(const struct tls *tls, struct tls_description *description);
void tls_description_free(struct tls_description *description);

/* OpenSSL's reason for the last failure, or a literal of ours; never NULL. */
const char *tls_failure(const struct tls *tls);

#endif
