#ifndef PRBAL_RPC_PEERS_H
#define PRBAL_RPC_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Who is at the other end: names for people, keys for limits, and how many
 * connections each key has. */

enum { PEER_TEXT_BYTES = 56 }; /* "[v6]:port" and a NUL */

/* "127.0.0.1:4711", "[::1]:4711" or "unix". */
void peer_format(const struct sockaddr_storage *from,
                 char text[PEER_TEXT_BYTES]);

/* Whether a Unix socket's peer is root or our own user; and its name,
 * "operator:uid=0,pid=4711". */
bool peer_is_operator(int fd);
void peer_format_operator(int fd, char text[PEER_TEXT_BYTES]);

/* The same for one IPv4 address, mapped into IPv6 or not, and for one IPv6 /64,
 * which is what a household gets.  0 for Unix sockets: they have no limit. */
uint64_t peer_key(const struct sockaddr_storage *from);

/* Counts connections by key.  May be used by several threads. */
struct peers;

struct peers *peers_create(uint32_t per_peer_max);
void peers_destroy(struct peers *peers); /* accepts NULL */

/* Another maximum; what is above it already stays. */
void peers_limit(struct peers *peers, uint32_t per_peer_max);

/* False, and nothing counted, when the key has its maximum. */
bool peers_enter(struct peers *peers, uint64_t key);
void peers_leave(struct peers *peers, uint64_t key);

#endif
