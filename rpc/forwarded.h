#ifndef PRBAL_RPC_FORWARDED_H
#define PRBAL_RPC_FORWARDED_H

#include "rpc/transport.h"

#include <sys/socket.h>

/* The client's address behind trusted proxies, from x-forwarded-for.
 *
 * Every proxy appends the address it was called from, so with `proxies` of them
 * in a row the client is the one that many from the right; what stands left of
 * it anybody may have written.  False when there are fewer addresses, or when
 * that one is none: the connection's own peer is then all that is known. */
bool forwarded_peer(const struct rpc_field *metadata, uint32_t proxies,
                    struct sockaddr_storage *peer);

enum { FORWARDED_PROXIES_MAX = 8 };

#endif
