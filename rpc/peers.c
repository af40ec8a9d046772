#include "rpc/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKET_COUNT = 4096 };

struct peer {
    struct peer *next;
    uint64_t key;
    uint32_t count;
};

struct peers {
    pthread_mutex_t lock;
    uint32_t per_peer_max;
    struct peer *buckets[BUCKET_COUNT];
};

void peer_format(const struct sockaddr_storage *from,
                 char text[PEER_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN];
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, PEER_TEXT_BYTES, "%s:%u", host, ntohs(in->sin_port));
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        snprintf(text, PEER_TEXT_BYTES, "[%s]:%u", host, ntohs(in->sin6_port));
    } else {
        snprintf(text, PEER_TEXT_BYTES, "unix");
    }
}

static bool get_credentials(int fd, struct ucred *peer)
{
    socklen_t size = sizeof *peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &size) == 0 &&
           size == sizeof *peer;
}

bool peer_is_operator(int fd)
{
    struct ucred peer;
    return get_credentials(fd, &peer) &&
           (peer.uid == 0 || peer.uid == geteuid());
}

void peer_format_operator(int fd, char text[PEER_TEXT_BYTES])
{
    struct ucred peer;
    if (get_credentials(fd, &peer))
        snprintf(text, PEER_TEXT_BYTES, "operator:uid=%u,pid=%d", peer.uid,
                 (int)peer.pid);
}

/* No key of a real peer is 0: the high half of an IPv6 address that can connect
 * is not, and IPv4 gets a mark. */
static uint64_t key_of_v4(const void *address)
{
    uint32_t bits;
    memcpy(&bits, address, sizeof bits);
    return (uint64_t)ntohl(bits) | 1ull << 32;
}

uint64_t peer_key(const struct sockaddr_storage *from)
{
    if (from->ss_family == AF_INET)
        return key_of_v4(&((const struct sockaddr_in *)from)->sin_addr);
    if (from->ss_family != AF_INET6)
        return 0;
    const struct in6_addr *address =
        &((const struct sockaddr_in6 *)from)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(address))
        return key_of_v4(address->s6_addr + 12);
    uint64_t network;
    memcpy(&network, address->s6_addr, sizeof network);
    return network != 0 ? network : 1;
}

struct peers *peers_create(uint32_t per_peer_max)
{
    struct peers *peers = calloc(1, sizeof *peers);
    if (peers == NULL)
        abort();
    pthread_mutex_init(&peers->lock, NULL);
    peers->per_peer_max = per_peer_max;
    return peers;
}

void peers_destroy(struct peers *peers)
{
    if (peers == NULL)
        return;
    for (int i = 0; i < BUCKET_COUNT; i++)
        for (struct peer *p = peers->buckets[i], *next; p != NULL; p = next) {
            next = p->next;
            free(p);
        }
    pthread_mutex_destroy(&peers->lock);
    free(peers);
}

/* Where the key's entry is, or the end of its bucket.  An attacker who owns
 * many addresses is held by connections_max, so chains stay short. */
static struct peer **find(struct peers *peers, uint64_t key)
{
    uint64_t mixed = key * 0x9e3779b97f4a7c15u;
    struct peer **at = &peers->buckets[mixed >> 52];
    while (*at != NULL && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

static bool enter_locked(struct peers *peers, uint64_t key)
{
    struct peer **at = find(peers, key);
    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
        if (*at == NULL)
            abort();
        (*at)->key = key;
    }
    if ((*at)->count >= peers->per_peer_max)
        return false;
    (*at)->count++;
    return true;
}

void peers_limit(struct peers *peers, uint32_t per_peer_max)
{
    pthread_mutex_lock(&peers->lock);
    peers->per_peer_max = per_peer_max;
    pthread_mutex_unlock(&peers->lock);
}

bool peers_enter(struct peers *peers, uint64_t key)
{
    if (key == 0)
        return true;
    pthread_mutex_lock(&peers->lock);
    bool entered = enter_locked(peers, key);
    pthread_mutex_unlock(&peers->lock);
    return entered;
}

void peers_leave(struct peers *peers, uint64_t key)
{
    if (key == 0)
        return;
    pthread_mutex_lock(&peers->lock);
    struct peer **at = find(peers, key);
    struct peer *p = *at;
    if (p != NULL && --p->count == 0) {
        *at = p->next;
        free(p);
    }
    pthread_mutex_unlock(&peers->lock);
}
