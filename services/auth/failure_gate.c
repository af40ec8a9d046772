/* Each bucket is one moment: when it will be empty again (GCRA).  Addresses
 * that share a slot share a bucket; a salt of the process decides which, so
 * that nobody can pick his neighbour. */
#include "services/auth/failure_gate.h"

#include <arpa/inet.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 4096,
    INTERVAL_US = 1000000 / FAILURE_GATE_PER_SECOND,
    DEPTH_US = FAILURE_GATE_BURST * INTERVAL_US,
};

struct failure_gate {
    uint64_t salt;
    int64_t empty_us[SLOTS];
};

struct failure_gate *failure_gate_create(void)
{
    struct failure_gate *gate = calloc(1, sizeof *gate);
    if (gate == NULL ||
        RAND_bytes((uint8_t *)&gate->salt, sizeof gate->salt) != 1)
        abort();
    return gate;
}

void failure_gate_destroy(struct failure_gate *gate)
{
    free(gate);
}

void failure_gate_network(const char *peer, char network[64])
{
    const char *colon = strrchr(peer, ':');
    size_t length = colon != NULL ? (size_t)(colon - peer) : strlen(peer);
    snprintf(network, 64, "%.*s", (int)(length < 63 ? length : 63), peer);
    size_t end = strlen(network);
    if (network[0] != '[' || network[end - 1] != ']')
        return;
    network[end - 1] = '\0';
    struct in6_addr address;
    if (inet_pton(AF_INET6, network + 1, &address) != 1)
        return;
    memset(&address.s6_addr[8], 0, 8);
    inet_ntop(AF_INET6, &address, network, 64);
}

static size_t slot_of(const struct failure_gate *gate, const char *peer)
{
    char network[64];
    failure_gate_network(peer, network);
    uint64_t hash = gate->salt;
    for (const char *c = network; *c != '\0'; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001B3u;
    return (hash >> 32) % SLOTS;
}

bool failure_gate_is_shut(const struct failure_gate *gate, const char *peer,
                          int64_t now_us)
{
    return gate->empty_us[slot_of(gate, peer)] > now_us + DEPTH_US;
}

void failure_gate_count(struct failure_gate *gate, const char *peer,
                        int64_t now_us)
{
    int64_t *empty_us = &gate->empty_us[slot_of(gate, peer)];
    if (*empty_us < now_us)
        *empty_us = now_us;
    *empty_us += INTERVAL_US;
}
