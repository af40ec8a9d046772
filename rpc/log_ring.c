#include "rpc/log_ring.h"

/* Before each record. */
struct header {
    uint32_t step; /* to the next header */
    uint32_t size; /* of the record; UINT32_MAX = nothing here */
};

#define EMPTY UINT32_MAX

static struct header *header_at(struct log_ring *ring, uint64_t position)
{
    return (struct header *)&ring->bytes[position % LOG_RING_BYTES];
}

static uint64_t load(const _Atomic uint64_t *position)
{
    return atomic_load_explicit(position, memory_order_acquire);
}

void *log_ring_reserve(struct log_ring *ring, size_t size)
{
    uint64_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
    size_t step = (sizeof(struct header) + size + 7) & ~(size_t)7;
    size_t to_end = LOG_RING_BYTES - put % LOG_RING_BYTES;
    size_t gap = to_end < step ? to_end : 0;
    if (put + gap + step - load(&ring->taken) > LOG_RING_BYTES) {
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return NULL;
    }
    if (gap > 0) {
        *header_at(ring, put) = (struct header){(uint32_t)gap, EMPTY};
        put += gap;
        atomic_store_explicit(&ring->put, put, memory_order_release);
    }
    struct header *header = header_at(ring, put);
    *header = (struct header){(uint32_t)step, (uint32_t)size};
    return header + 1;
}

void log_ring_commit(struct log_ring *ring)
{
    uint64_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
    atomic_store(&ring->put, put + header_at(ring, put)->step);
}

bool log_ring_is_half_full(const struct log_ring *ring)
{
    uint64_t put = atomic_load_explicit(&ring->put, memory_order_relaxed);
    return put - load(&ring->taken) > LOG_RING_BYTES / 2;
}

const void *log_ring_peek(struct log_ring *ring, size_t *size)
{
    for (;;) {
        uint64_t taken = load(&ring->taken);
        if (taken == atomic_load(&ring->put))
            return NULL;
        struct header *header = header_at(ring, taken);
        *size = header->size;
        if (header->size != (uint32_t)EMPTY)
            return header + 1;
        log_ring_release(ring);
    }
}

void log_ring_release(struct log_ring *ring)
{
    uint64_t taken = load(&ring->taken);
    atomic_store_explicit(&ring->taken, taken + header_at(ring, taken)->step,
                          memory_order_release);
}
