/* zstd by libzstd. */
#include "rpc/compress_coder.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
    LEVEL = 1, /* speed before size: a message is sent once */
    /* A frame with a wide window leaves its state this large or larger; it is
     * given back.  One of 128 KiB, as short messages have, is kept. */
    KEEP_BYTES = 1024 * 1024,
};

struct zstd {
    ZSTD_DCtx *inflate;
    ZSTD_CCtx *deflate;
};

static void *create(void)
{
    return calloc(1, sizeof(struct zstd));
}

static void destroy(void *state)
{
    struct zstd *zstd = state;
    ZSTD_freeDCtx(zstd->inflate);
    ZSTD_freeCCtx(zstd->deflate);
    free(zstd);
}

static bool begin(void *state)
{
    struct zstd *zstd = state;
    if (zstd->inflate != NULL)
        return !ZSTD_isError(
            ZSTD_DCtx_reset(zstd->inflate, ZSTD_reset_session_only));
    zstd->inflate = ZSTD_createDCtx();
    return zstd->inflate != NULL &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(
               zstd->inflate, ZSTD_d_windowLogMax, COMPRESS_WINDOW_LOG_MAX));
}

/* `hint` is 0 at the end of a frame.  RFC 8878 3: frames may follow one
 * another.  No room left means that there may be more without any input. */
static coder_step step_of(size_t hint, const struct coder_input *input,
                          bool is_full)
{
    if (ZSTD_getErrorCode(hint) == ZSTD_error_memory_allocation)
        return CODER_NO_MEMORY;
    if (ZSTD_isError(hint))
        return CODER_BROKEN;
    if (input->used < input->size)
        return CODER_MORE;
    if (hint == 0)
        return CODER_END;
    return is_full ? CODER_MORE : CODER_BROKEN;
}

static coder_step inflate_step(void *state, struct coder_input *input,
                               uint8_t *out, size_t room, size_t *made)
{
    struct zstd *zstd = state;
    ZSTD_inBuffer in = {input->bytes, input->size, input->used};
    ZSTD_outBuffer to = {out, room, 0};
    size_t hint = ZSTD_decompressStream(zstd->inflate, &to, &in);
    *made += to.pos;
    input->used = in.pos;
    return step_of(hint, input, to.pos == room);
}

static bool begin_deflate(struct zstd *zstd)
{
    if (zstd->deflate != NULL)
        return true;
    zstd->deflate = ZSTD_createCCtx();
    return zstd->deflate != NULL &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(
               zstd->deflate, ZSTD_c_compressionLevel, LEVEL));
}

static size_t deflate_all(void *state, const uint8_t *bytes, size_t size,
                          uint8_t *out, size_t room)
{
    struct zstd *zstd = state;
    if (!begin_deflate(zstd))
        return 0;
    size_t made = ZSTD_compress2(zstd->deflate, out, room, bytes, size);
    return ZSTD_isError(made) ? 0 : made;
}

static void trim(void *state)
{
    struct zstd *zstd = state;
    if (ZSTD_sizeof_DCtx(zstd->inflate) > KEEP_BYTES) {
        ZSTD_freeDCtx(zstd->inflate);
        zstd->inflate = NULL;
    }
    if (ZSTD_sizeof_CCtx(zstd->deflate) > KEEP_BYTES) {
        ZSTD_freeCCtx(zstd->deflate);
        zstd->deflate = NULL;
    }
}

const struct coder zstd_coder = {
    .name = "zstd",
    .create = create,
    .destroy = destroy,
    .begin = begin,
    .inflate = inflate_step,
    .deflate = deflate_all,
    .trim = trim,
};
