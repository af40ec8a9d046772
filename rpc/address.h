#ifndef PRBAL_RPC_ADDRESS_H
#define PRBAL_RPC_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* A socket that listens on "HOST:PORT", "[V6]:PORT" or "unix:/path", and does
 * not block; an inherited one that listens there already (rpc/inherited.h), or
 * a new one.  It is closed by inherited_close().  An empty host is every
 * address of both families.  -1 with a sentence in error[error_size].  A Unix
 * socket that a dead server left behind is replaced. */
int address_listen(const char *address, char *error, size_t error_size);

/* "[::1]:80" and "host:80" into host and port; the last colon counts.  False
 * when there is none, or the host is too long.  *port is within `address`. */
enum { ADDRESS_HOST_BYTES = 256 };
bool address_split(const char *address, char host[ADDRESS_HOST_BYTES],
                   const char **port);

/* The path of a "unix:" address, else NULL. */
const char *address_unix_path(const char *address);

/* The port that a listening socket has; 0 for a Unix socket. */
int address_port(int fd);

#endif
