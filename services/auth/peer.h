#ifndef PRBAL_SERVICES_AUTH_PEER_H
#define PRBAL_SERVICES_AUTH_PEER_H

/* Addresses out of rpc_call.peer ("127.0.0.1:4711", "[2001:db8::1]:4711",
 * "local"). */
enum { PEER_TEXT_BYTES = 64 };

/* The IP address without the port; "" when the peer has none. */
void peer_address(const char *peer, char address[PEER_TEXT_BYTES]);

/* What limits count by: the IPv4 address, or the first 64 bits of an IPv6 one,
 * because anybody has that many of those. A peer without an address counts by
 * its name. */
void peer_network(const char *peer, char network[PEER_TEXT_BYTES]);

#endif
