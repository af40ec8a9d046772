#ifndef PRBAL_RPC_LOG_RING_H
#define PRBAL_RPC_LOG_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A queue of records of any size between one thread that puts and one that
 * takes; neither waits for the other.
 *
 * Positions only grow, and are taken modulo the size.  A record does not wrap:
 * where it would, an empty one fills the rest of the ring. */
enum { LOG_RING_BYTES = 512 * 1024 };

struct log_ring {
    struct log_ring *next;    /* of all rings; for the owner of the list */
    atomic_bool is_abandoned; /* its thread has ended */
    _Atomic uint64_t put, taken;
    _Atomic uint64_t dropped; /* records that found no room */
    _Alignas(8) unsigned char bytes[LOG_RING_BYTES];
};

/* Room for a record of `size` bytes, aligned to 8; NULL when the ring is full,
 * and then the record is counted as dropped.  Nothing is visible to the taker
 * before log_ring_commit().  Commit and peek are sequentially consistent: who
 * commits and then reads a flag, and who raises that flag and then peeks,
 * cannot both miss the other. */
void *log_ring_reserve(struct log_ring *ring, size_t size);
void log_ring_commit(struct log_ring *ring);

/* For the thread that puts. */
bool log_ring_is_half_full(const struct log_ring *ring);

/* The oldest record, or NULL; valid until log_ring_release(). */
const void *log_ring_peek(struct log_ring *ring, size_t *size);
void log_ring_release(struct log_ring *ring);

#endif
