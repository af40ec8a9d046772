#include "rpc/compress.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

enum {
    /* Output grows by at most this much at a time, so a bomb is noticed before
     * it has been given memory. */
    STEP_BYTES = 64 * 1024,
    KEEP_BYTES = 256 * 1024,
    GZIP_WINDOW_BITS = 15 + 16, /* 16: with gzip's header and checksum */
    MEMORY_LEVEL = 8,
};

struct gzip {
    z_stream inflate;
    z_stream deflate;
    bool inflate_ready;
    bool deflate_ready;
    uint8_t *out;
    size_t out_capacity;
};

struct gzip *gzip_create(void)
{
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip == NULL)
        abort();
    return gzip;
}

void gzip_destroy(struct gzip *gzip)
{
    if (gzip == NULL)
        return;
    if (gzip->inflate_ready)
        inflateEnd(&gzip->inflate);
    if (gzip->deflate_ready)
        deflateEnd(&gzip->deflate);
    free(gzip->out);
    free(gzip);
}

static bool begin_inflate(struct gzip *gzip)
{
    if (gzip->inflate_ready)
        return inflateReset(&gzip->inflate) == Z_OK;
    gzip->inflate_ready =
        inflateInit2(&gzip->inflate, GZIP_WINDOW_BITS) == Z_OK;
    return gzip->inflate_ready;
}

/* Speed before size: a message is sent once. */
static bool begin_deflate(struct gzip *gzip)
{
    if (gzip->deflate_ready)
        return deflateReset(&gzip->deflate) == Z_OK;
    gzip->deflate_ready =
        deflateInit2(&gzip->deflate, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS,
                     MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    return gzip->deflate_ready;
}

static bool reserve(struct gzip *gzip, size_t capacity)
{
    if (capacity <= gzip->out_capacity)
        return true;
    uint8_t *grown = realloc(gzip->out, capacity);
    if (grown == NULL)
        return false;
    gzip->out = grown;
    gzip->out_capacity = capacity;
    return true;
}

static bool is_bomb(size_t size, size_t made)
{
    return made > GZIP_RATIO_FREE_BYTES && made / GZIP_RATIO_MAX > size;
}

/* Inflates until the input or the room ends. */
static int inflate_step(z_stream *z, uint8_t *out, size_t room, size_t *made)
{
    z->next_out = out;
    z->avail_out = (uInt)room;
    int outcome = inflate(z, Z_NO_FLUSH);
    *made += room - z->avail_out;
    /* RFC 1952 2.2: members may follow one another. */
    if (outcome == Z_STREAM_END && z->avail_in > 0)
        outcome = inflateReset(z);
    return outcome;
}

gzip_result gzip_inflate(struct gzip *gzip, const void *bytes, size_t size,
                         size_t bytes_max, const uint8_t **out,
                         size_t *out_size)
{
    if (size > UINT_MAX || !begin_inflate(gzip))
        return GZIP_NO_MEMORY;
    z_stream *z = &gzip->inflate;
    z->next_in = (Bytef *)(uintptr_t)bytes;
    z->avail_in = (uInt)size;
    size_t made = 0;
    int outcome = Z_OK;
    while (outcome == Z_OK) {
        size_t left = bytes_max + 1 - made;
        size_t room = left < STEP_BYTES ? left : STEP_BYTES;
        if (!reserve(gzip, made + room))
            return GZIP_NO_MEMORY;
        outcome = inflate_step(z, gzip->out + made, room, &made);
        if (made > bytes_max || is_bomb(size, made))
            return GZIP_TOO_LARGE;
    }
    *out = gzip->out;
    *out_size = made;
    return outcome == Z_STREAM_END ? GZIP_DONE : GZIP_BROKEN;
}

gzip_result gzip_deflate(struct gzip *gzip, const void *bytes, size_t size,
                         const uint8_t **out, size_t *out_size)
{
    if (size > UINT_MAX || !begin_deflate(gzip) || !reserve(gzip, size))
        return GZIP_NO_MEMORY;
    z_stream *z = &gzip->deflate;
    z->next_in = (Bytef *)(uintptr_t)bytes;
    z->avail_in = (uInt)size;
    z->next_out = gzip->out;
    z->avail_out = (uInt)size;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return GZIP_TOO_LARGE;
    *out = gzip->out;
    *out_size = size - z->avail_out;
    return *out_size < size ? GZIP_DONE : GZIP_TOO_LARGE;
}

void gzip_trim(struct gzip *gzip)
{
    if (gzip->out_capacity <= KEEP_BYTES)
        return;
    free(gzip->out);
    gzip->out = NULL;
    gzip->out_capacity = 0;
}
