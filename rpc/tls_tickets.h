#ifndef PRBAL_RPC_TLS_TICKETS_H
#define PRBAL_RPC_TLS_TICKETS_H

#include <openssl/types.h>
#include <stdint.h>

/* The keys of session tickets (RFC 8446 2.2, RFC 5077): a client that comes
 * back with one is spared half the round trips of TLS 1.2 and us the signature.
 *
 *   | newest | one hour older | two hours older |   then forgotten
 *     seals      opens            opens
 *
 * Whoever has a key can read the TLS 1.2 sessions resumed with it, so keys are
 * never written anywhere and none lives long.  Used by several threads. */
struct tls_tickets;

enum {
    TLS_TICKET_KEYS = 3,
    TLS_TICKET_KEY_S = 3600,
    /* What clients are told; no ticket outlives its key. */
    TLS_TICKET_LIFETIME_S = 2 * TLS_TICKET_KEY_S,
};

/* `now_us` NULL takes the monotonic clock. */
struct tls_tickets *tls_tickets_create(int64_t (*now_us)(void));
void tls_tickets_destroy(struct tls_tickets *tickets); /* accepts NULL */

/* Lets the context seal and open its tickets with them; `tickets` outlives it.
 */
void tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *context);

#endif
