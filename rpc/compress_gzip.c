/* gzip by zlib. */
#include "rpc/compress_coder.h"

#include <stdlib.h>
#include <zlib.h>

enum {
    GZIP_WINDOW_BITS = 15 + 16, /* 16: with gzip's header and checksum */
    MEMORY_LEVEL = 8,
};

struct gzip {
    z_stream inflate;
    z_stream deflate;
    bool inflate_ready;
    bool deflate_ready;
};

static void *create(void)
{
    return calloc(1, sizeof(struct gzip));
}

static void destroy(void *state)
{
    struct gzip *gzip = state;
    if (gzip->inflate_ready)
        inflateEnd(&gzip->inflate);
    if (gzip->deflate_ready)
        deflateEnd(&gzip->deflate);
    free(gzip);
}

static bool begin(void *state)
{
    struct gzip *gzip = state;
    if (gzip->inflate_ready)
        return inflateReset(&gzip->inflate) == Z_OK;
    gzip->inflate_ready =
        inflateInit2(&gzip->inflate, GZIP_WINDOW_BITS) == Z_OK;
    return gzip->inflate_ready;
}

/* RFC 1952 2.2: members may follow one another. */
static coder_step next_member(z_stream *z)
{
    if (z->avail_in == 0)
        return CODER_END;
    return inflateReset(z) == Z_OK ? CODER_MORE : CODER_BROKEN;
}

static coder_step inflate_step(void *state, struct coder_input *input,
                               uint8_t *out, size_t room, size_t *made)
{
    z_stream *z = &((struct gzip *)state)->inflate;
    z->next_in = (Bytef *)(uintptr_t)(input->bytes + input->used);
    z->avail_in = (uInt)(input->size - input->used);
    z->next_out = out;
    z->avail_out = (uInt)room;
    int outcome = inflate(z, Z_NO_FLUSH);
    *made += room - z->avail_out;
    input->used = input->size - z->avail_in;
    if (outcome == Z_STREAM_END)
        return next_member(z);
    if (outcome == Z_MEM_ERROR)
        return CODER_NO_MEMORY;
    return outcome == Z_OK ? CODER_MORE : CODER_BROKEN;
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

static size_t deflate_all(void *state, const uint8_t *bytes, size_t size,
                          uint8_t *out, size_t room)
{
    struct gzip *gzip = state;
    z_stream *z = &gzip->deflate;
    if (!begin_deflate(gzip))
        return 0;
    z->next_in = (Bytef *)(uintptr_t)bytes;
    z->avail_in = (uInt)size;
    z->next_out = out;
    z->avail_out = (uInt)room;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return 0;
    return room - z->avail_out;
}

const struct coder gzip_coder = {
    .name = "gzip",
    .create = create,
    .destroy = destroy,
    .begin = begin,
    .inflate = inflate_step,
    .deflate = deflate_all,
};
