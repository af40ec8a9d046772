#include "rpc/compress_coder.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Output grows by at most this much at a time, so a bomb is noticed before
     * it has been given memory. */
    STEP_BYTES = 64 * 1024,
    KEEP_BYTES = 256 * 1024,
};

static const struct coder identity = {.name = "identity"};

static const struct coder *const coders[ENCODING_COUNT] = {
    [ENCODING_IDENTITY] = &identity,
    [ENCODING_GZIP] = &gzip_coder,
    [ENCODING_ZSTD] = &zstd_coder,
};

struct compress {
    void *states[ENCODING_COUNT];
    uint8_t *out;
    size_t out_capacity;
    bool takes_any_ratio;
};

/* --- names --- */

const char *encoding_name(encoding which)
{
    return coders[which]->name;
}

bool encoding_find(const char *name, size_t name_size, encoding *found)
{
    for (int i = 0; i < ENCODING_COUNT; i++) {
        if (strlen(coders[i]->name) != name_size ||
            memcmp(coders[i]->name, name, name_size) != 0)
            continue;
        *found = (encoding)i;
        return true;
    }
    return false;
}

/* "q=0" and "q=0.000", which say never. */
static bool weighs_nothing(const char *parameters, size_t size)
{
    size_t blanks = strspn(parameters, "; \t");
    if (blanks + 3 > size || strncmp(parameters + blanks, "q=0", 3) != 0)
        return false;
    return blanks + 3 + strspn(parameters + blanks + 3, ".0 \t") >= size;
}

encoding encoding_choose(const char *accepted)
{
    while (*accepted != '\0') {
        accepted += strspn(accepted, ", \t");
        size_t item = strcspn(accepted, ",");
        size_t token = strcspn(accepted, ",; \t");
        encoding found;
        if (encoding_find(accepted, token, &found) &&
            found != ENCODING_IDENTITY &&
            !weighs_nothing(accepted + token, item - token))
            return found;
        accepted += item;
    }
    return ENCODING_IDENTITY;
}

/* --- states --- */

struct compress *compress_create(void)
{
    struct compress *compress = calloc(1, sizeof *compress);
    if (compress == NULL)
        abort();
    return compress;
}

void compress_destroy(struct compress *compress)
{
    if (compress == NULL)
        return;
    for (int i = 0; i < ENCODING_COUNT; i++)
        if (compress->states[i] != NULL)
            coders[i]->destroy(compress->states[i]);
    free(compress->out);
    free(compress);
}

static void *state_of(struct compress *compress, encoding which)
{
    if (compress->states[which] == NULL)
        compress->states[which] = coders[which]->create();
    return compress->states[which];
}

static bool reserve(struct compress *compress, size_t capacity)
{
    if (capacity <= compress->out_capacity)
        return true;
    uint8_t *grown = realloc(compress->out, capacity);
    if (grown == NULL)
        return false;
    compress->out = grown;
    compress->out_capacity = capacity;
    return true;
}

void compress_take_any_ratio(struct compress *compress)
{
    compress->takes_any_ratio = true;
}

static compress_result result_of(coder_step step)
{
    if (step == CODER_NO_MEMORY)
        return COMPRESS_NO_MEMORY;
    return step == CODER_END ? COMPRESS_DONE : COMPRESS_BROKEN;
}

compress_result compress_inflate(struct compress *compress, encoding which,
                                 const void *bytes, size_t size,
                                 size_t bytes_max, const uint8_t **out,
                                 size_t *out_size)
{
    const struct coder *coder = coders[which];
    void *state = state_of(compress, which);
    if (size > UINT_MAX || state == NULL || !coder->begin(state))
        return COMPRESS_NO_MEMORY;
    struct coder_input input = {.bytes = bytes, .size = size};
    size_t made = 0;
    coder_step step = CODER_MORE;
    while (step == CODER_MORE) {
        size_t left = bytes_max + 1 - made;
        size_t room = left < STEP_BYTES ? left : STEP_BYTES;
        if (!reserve(compress, made + room))
            return COMPRESS_NO_MEMORY;
        step = coder->inflate(state, &input, compress->out + made, room, &made);
        if (made > bytes_max)
            return COMPRESS_TOO_LARGE;
        if (!compress->takes_any_ratio && compress_is_bomb(size, made))
            return COMPRESS_BOMB;
    }
    *out = compress->out;
    *out_size = made;
    return result_of(step);
}

compress_result compress_deflate(struct compress *compress, encoding which,
                                 const void *bytes, size_t size,
                                 const uint8_t **out, size_t *out_size)
{
    void *state = state_of(compress, which);
    if (size > UINT_MAX || state == NULL || !reserve(compress, size))
        return COMPRESS_NO_MEMORY;
    *out = compress->out;
    *out_size = coders[which]->deflate(state, bytes, size, compress->out, size);
    return *out_size > 0 && *out_size < size ? COMPRESS_DONE
                                             : COMPRESS_TOO_LARGE;
}

void compress_trim(struct compress *compress)
{
    for (int i = 0; i < ENCODING_COUNT; i++)
        if (compress->states[i] != NULL && coders[i]->trim != NULL)
            coders[i]->trim(compress->states[i]);
    if (compress->out_capacity <= KEEP_BYTES)
        return;
    free(compress->out);
    compress->out = NULL;
    compress->out_capacity = 0;
}
