#ifndef PRBAL_RPC_CODEC_MEMORY_H
#define PRBAL_RPC_CODEC_MEMORY_H

#include "rpc/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* What decoders may allocate for one message, and arrays that grow within it:
 * a small request cannot become a large one in memory. */

enum {
    CODEC_MEMORY_FLOOR_BYTES = 1024 * 1024,
    CODEC_MEMORY_FACTOR = 16,
};

struct codec_memory {
    struct arena *arena;
    size_t left_bytes;
};

/* max(floor, factor x input). */
void codec_memory_init(struct codec_memory *memory, struct arena *arena,
                       size_t input_bytes);

/* From the arena, zeroed; NULL when the budget is used up. */
void *codec_take(struct codec_memory *memory, size_t size);

/* Repeated fields are arrays that know their room, in front of the first
 * element; NULL has none. */
size_t codec_room(const void *array);

/* Makes room for `more` elements behind the `count` that are there, at least
 * doubling.  False when the budget is used up. */
bool codec_reserve(struct codec_memory *memory, void **array,
                   size_t element_size, size_t count, size_t more);

#endif
