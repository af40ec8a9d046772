/* Each bucket is one moment: when it will be empty again (GCRA).  Addresses
 * that share a slot share a bucket; a salt of the process decides which, so
 * that nobody can pick his neighbour. */
#include "services/auth/failure_gate.h"

#include "services/auth/peer.h"

#include <openssl/rand.h>
#include <stdlib.h>

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

static size_t slot_of(const struct failure_gate *gate, const char *peer)
{
    char network[PEER_TEXT_BYTES];
    peer_network(peer, network);
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
