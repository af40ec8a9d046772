#ifndef PRBAL_TESTS_FUZZ_ENCODING_H
#define PRBAL_TESTS_FUZZ_ENCODING_H

/* Inflating anything stays below the limit, and what deflates comes back. */

#include "rpc/compress.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { LIMIT = 100000 };

static inline void check_round_trip(struct compress *compress, encoding which,
                                    const uint8_t *bytes, size_t size)
{
    const uint8_t *out;
    size_t out_size;
    if (compress_deflate(compress, which, bytes, size, &out, &out_size) !=
        COMPRESS_DONE)
        return;
    uint8_t *packed = malloc(out_size);
    memcpy(packed, out, out_size);
    compress_result result = compress_inflate(compress, which, packed, out_size,
                                              size, &out, &out_size);
    /* A good compressor may exceed the ratio that is accepted. */
    if (result != COMPRESS_BOMB &&
        (result != COMPRESS_DONE || out_size != size ||
         memcmp(out, bytes, size) != 0))
        abort();
    free(packed);
}

static inline void fuzz_encoding(encoding which, const uint8_t *bytes,
                                 size_t size)
{
    static struct compress *compress;
    if (compress == NULL)
        compress = compress_create();
    const uint8_t *out;
    size_t out_size;
    if (compress_inflate(compress, which, bytes, size, LIMIT, &out,
                         &out_size) == COMPRESS_DONE &&
        out_size > LIMIT)
        abort();
    check_round_trip(compress, which, bytes, size);
    compress_trim(compress);
}

#endif
