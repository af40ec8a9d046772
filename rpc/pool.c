/* Every object has a header that says which list it goes back to:
 *
 *   | list, size | object ... |
 */
#include "rpc/pool.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Sizes of 48, 112, 240, 496 and 1008 bytes: powers of two less the header.
 * Larger objects are few, and malloc() is good at them. */
enum {
    LIST_COUNT = 5,
    SMALLEST_BYTES = 64,
    LARGEST_BYTES = SMALLEST_BYTES << (LIST_COUNT - 1),
    SPARE_MAX = 4096, /* a list; 4 MiB in the largest */
    NO_LIST = LIST_COUNT,
};

struct header {
    alignas(16) struct header *next;
    uint32_t list;
    uint32_t size;
};
_Static_assert(sizeof(struct header) == 16, "keeps objects aligned");

struct pool {
    struct header *spare[LIST_COUNT];
    int spare_count[LIST_COUNT];
    size_t used_bytes;
};

struct pool *pool_create(void)
{
    struct pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL)
        abort();
    return pool;
}

void pool_destroy(struct pool *pool)
{
    for (int i = 0; i < LIST_COUNT; i++)
        for (struct header *h = pool->spare[i], *next; h != NULL; h = next) {
            next = h->next;
            free(h);
        }
    free(pool);
}

#if defined(__SANITIZE_ADDRESS__)
/* The sanitizer sees wrong uses only of what malloc() gave. */
static uint32_t list_for(size_t size)
{
    (void)size;
    return NO_LIST;
}
#else
static uint32_t list_for(size_t size)
{
    if (size > LARGEST_BYTES - sizeof(struct header))
        return NO_LIST;
    size_t beyond = (size + sizeof(struct header) - 1) / SMALLEST_BYTES;
    return beyond == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(beyond);
}
#endif

static struct header *header_of(void *object)
{
    return (struct header *)object - 1;
}

/* No list has one: what runs for each object is short. */
__attribute__((cold, noinline)) static void *alloc_new(struct pool *pool,
                                                       size_t size,
                                                       uint32_t list)
{
    size_t bytes = list == NO_LIST ? size + sizeof(struct header)
                                   : (size_t)SMALLEST_BYTES << list;
    struct header *h = bytes < size ? NULL : malloc(bytes);
    if (h == NULL)
        abort();
    h->list = list;
    h->size = (uint32_t)(bytes - sizeof *h);
    pool->used_bytes += h->size;
    return h + 1;
}

void *pool_alloc(struct pool *pool, size_t size)
{
    uint32_t list = list_for(size);
    if (list == NO_LIST || pool->spare[list] == NULL)
        return alloc_new(pool, size, list);
    struct header *h = pool->spare[list];
    pool->spare[list] = h->next;
    pool->spare_count[list]--;
    pool->used_bytes += h->size;
    return h + 1;
}

void *pool_alloc_zeroed(struct pool *pool, size_t size)
{
    return memset(pool_alloc(pool, size), 0, size);
}

void pool_free(struct pool *pool, void *object)
{
    if (object == NULL)
        return;
    struct header *h = header_of(object);
    pool->used_bytes -= h->size;
    if (h->list == NO_LIST || pool->spare_count[h->list] >= SPARE_MAX) {
        free(h);
        return;
    }
    h->next = pool->spare[h->list];
    pool->spare[h->list] = h;
    pool->spare_count[h->list]++;
}

/* What has no list is malloc()'s: it can grow where it is. */
static void *grow_large(struct header *h, size_t size)
{
    size_t bytes = size + sizeof *h;
    h = bytes < size ? NULL : realloc(h, bytes);
    if (h == NULL)
        abort();
    h->size = (uint32_t)size;
    return h + 1;
}

void *pool_realloc(struct pool *pool, void *object, size_t size)
{
    if (object == NULL)
        return pool_alloc(pool, size);
    size_t old_size = header_of(object)->size;
    if (size <= old_size)
        return object;
    if (header_of(object)->list == NO_LIST)
        return grow_large(header_of(object), size);
    void *grown = pool_alloc(pool, size);
    memcpy(grown, object, old_size);
    pool_free(pool, object);
    return grown;
}

size_t pool_used_bytes(const struct pool *pool)
{
    return pool->used_bytes;
}

size_t pool_spare_bytes(const struct pool *pool)
{
    size_t bytes = 0;
    for (int i = 0; i < LIST_COUNT; i++)
        bytes += (size_t)pool->spare_count[i] * ((size_t)SMALLEST_BYTES << i);
    return bytes;
}
