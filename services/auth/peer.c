#include "services/auth/peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* 0 for neither; the address in host form goes to *v6 when it is one. */
static int family_of(const char *address, struct in6_addr *v6)
{
    struct in_addr v4;
    if (inet_pton(AF_INET, address, &v4) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, address, v6) == 1 ? AF_INET6 : 0;
}

static void without_port(const char *peer, char *address)
{
    const char *start = peer[0] == '[' ? peer + 1 : peer;
    const char *end = strrchr(start, peer[0] == '[' ? ']' : ':');
    size_t length = end != NULL ? (size_t)(end - start) : strlen(start);
    if (length >= PEER_TEXT_BYTES)
        length = PEER_TEXT_BYTES - 1;
    memcpy(address, start, length);
    address[length] = '\0';
}

void peer_address(const char *peer, char address[PEER_TEXT_BYTES])
{
    struct in6_addr v6;
    without_port(peer, address);
    if (family_of(address, &v6) == 0)
        address[0] = '\0';
}

void peer_network(const char *peer, char network[PEER_TEXT_BYTES])
{
    struct in6_addr v6;
    without_port(peer, network);
    if (family_of(network, &v6) != AF_INET6 || IN6_IS_ADDR_V4MAPPED(&v6))
        return;
    memset(&v6.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &v6, network, PEER_TEXT_BYTES);
}
