/* Bump allocation in blocks.  Small blocks come back to a list of the thread,
 * so a call costs no malloc() once its loop is warm. */
#include "rpc/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(at, size) __asan_poison_memory_region((at), (size))
#define UNPOISON(at, size) __asan_unpoison_memory_region((at), (size))
#else
#define POISON(at, size) ((void)0)
#define UNPOISON(at, size) ((void)0)
#endif

/* A block with its header is one page-friendly 8 KiB; 64 spare ones a thread
 * are half a megabyte. */
enum { BLOCK_BYTES = 8192 - 32, SPARE_MAX = 64 };

struct block {
    struct block *next;
    size_t size;
    alignas(max_align_t) char bytes[];
};

struct arena {
    struct block *blocks; /* newest first; the first one is being filled */
    char *free_start;
    size_t free_size;
    size_t total;
};

static _Thread_local struct block *spare;
static _Thread_local int spare_count;

static struct block *block_take(size_t size)
{
    if (size <= BLOCK_BYTES && spare != NULL) {
        struct block *b = spare;
        spare = b->next;
        spare_count--;
        UNPOISON(b->bytes, b->size);
        return b;
    }
    if (size < BLOCK_BYTES)
        size = BLOCK_BYTES;
    struct block *b = malloc(sizeof *b + size);
    if (b == NULL)
        abort();
    b->size = size;
    return b;
}

static void block_give(struct block *b)
{
    if (b->size != BLOCK_BYTES || spare_count >= SPARE_MAX) {
        UNPOISON(b->bytes, b->size);
        free(b);
        return;
    }
    POISON(b->bytes, b->size);
    b->next = spare;
    spare = b;
    spare_count++;
}

void arena_thread_finish(void)
{
    while (spare != NULL) {
        struct block *b = spare;
        spare = b->next;
        UNPOISON(b->bytes, b->size);
        free(b);
    }
    spare_count = 0;
}

struct arena *arena_create(void)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (arena == NULL)
        abort();
    return arena;
}

void arena_reset(struct arena *arena)
{
    for (struct block *b = arena->blocks, *next; b != NULL; b = next) {
        next = b->next;
        block_give(b);
    }
    *arena = (struct arena){0};
}

void arena_destroy(struct arena *arena)
{
    if (arena == NULL)
        return;
    arena_reset(arena);
    free(arena);
}

/* A large block goes behind the one being filled, whose rest stays usable. */
static void *take_large(struct arena *arena, size_t size)
{
    struct block *b = block_take(size);
    arena->total += b->size;
    b->next = arena->blocks->next;
    arena->blocks->next = b;
    return b->bytes;
}

static void grow(struct arena *arena)
{
    struct block *b = block_take(BLOCK_BYTES);
    arena->total += b->size;
    b->next = arena->blocks;
    arena->blocks = b;
    arena->free_start = b->bytes;
    arena->free_size = b->size;
    POISON(b->bytes, b->size);
}

/* Bytes that the caller fills in; what was there before is still there. */
static void *take(struct arena *arena, size_t size)
{
    assert(size < SIZE_MAX / 2);
    size += size == 0; /* nothing has an address too */
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (size > arena->free_size) {
        if (arena->blocks == NULL)
            grow(arena);
        if (size > BLOCK_BYTES / 4)
            return take_large(arena, size);
        if (size > arena->free_size)
            grow(arena);
    }
    void *p = arena->free_start;
    arena->free_start += size;
    arena->free_size -= size;
    UNPOISON(p, size);
    return p;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(take(arena, size), 0, size);
}

void *arena_array(struct arena *arena, size_t count, size_t element_size)
{
    size_t size;
    if (__builtin_mul_overflow(count, element_size, &size))
        abort();
    return arena_alloc(arena, size);
}

void *arena_grown(struct arena *arena, const void *old, size_t count,
                  size_t capacity, size_t element_size)
{
    void *fresh = arena_array(arena, capacity, element_size);
    if (count > 0)
        memcpy(fresh, old, count * element_size);
    return fresh;
}

char *arena_strdup(struct arena *arena, const char *text)
{
    return text == NULL ? NULL : arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    if (text == NULL)
        return NULL;
    char *copy = take(arena, length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

void *arena_memdup(struct arena *arena, const void *bytes, size_t size)
{
    if (bytes == NULL)
        return NULL;
    void *copy = take(arena, size);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

char *arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0)
        abort();
    char *text = take(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(arena, format, args);
    va_end(args);
    return text;
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->total;
}
