#include "rpc/codec_memory.h"

#include <string.h>

void codec_memory_init(struct codec_memory *memory, struct arena *arena,
                       size_t input_bytes)
{
    memory->arena = arena;
    memory->left_bytes = CODEC_MEMORY_FLOOR_BYTES;
    if (input_bytes > CODEC_MEMORY_FLOOR_BYTES / CODEC_MEMORY_FACTOR)
        memory->left_bytes = input_bytes * CODEC_MEMORY_FACTOR;
}

void *codec_take(struct codec_memory *memory, size_t size)
{
    if (size > memory->left_bytes)
        return NULL;
    memory->left_bytes -= size;
    return arena_alloc(memory->arena, size);
}

struct array_head {
    size_t room;
    size_t unused; /* keeps the elements aligned like the head */
};

size_t codec_room(const void *array)
{
    return array == NULL ? 0 : ((const struct array_head *)array - 1)->room;
}

bool codec_reserve(struct codec_memory *memory, void **array,
                   size_t element_size, size_t count, size_t more)
{
    size_t room = codec_room(*array);
    if (count + more <= room)
        return true;
    room = count + more > 2 * room ? count + more : 2 * room;
    struct array_head *head =
        codec_take(memory, sizeof *head + room * element_size);
    if (head == NULL)
        return false;
    head->room = room;
    if (count > 0)
        memcpy(head + 1, *array, count * element_size);
    *array = head + 1;
    return true;
}
