#ifndef PRBAL_DB_LOOKUP_H
#define PRBAL_DB_LOOKUP_H

#include <libpq-fe.h>
#include <stdbool.h>

/* Starts connections without blocking the loop.  libpq would look host names up
 * by getaddrinfo() on the calling thread, for as long as that takes; here it is
 * done on the thread pool, at every attempt, so that a failover by DNS is
 * followed. */
struct lookup;
struct loop;

/* Looks up the host of a connection string and calls `found(address, owner)` on
 * the loop, with NULL when there is none; `address` is only lent.  Returns
 * NULL, and calls nothing, when there is no name to look up: a Unix socket, an
 * address, or a list of hosts, which is libpq's own business. */
struct lookup *lookup_start(struct loop *loop, const char *url,
                            void (*found)(const char *address, void *owner),
                            void *owner);
void lookup_cancel(struct lookup *lookup); /* accepts NULL */

/* PQconnectStart() with our settings; `address` may be NULL.  NULL when the
 * settings are too long. */
PGconn *lookup_connect(const char *url, const char *address,
                       const char *application, const char *settings);

#endif
