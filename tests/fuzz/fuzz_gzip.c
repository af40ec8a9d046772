/* Inflating anything stays below the limit, and what deflates comes back. */
#include "rpc/compress.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { LIMIT = 100000 };

static void check_round_trip(struct gzip *gzip, const uint8_t *bytes,
                             size_t size)
{
    const uint8_t *out;
    size_t out_size;
    if (gzip_deflate(gzip, bytes, size, &out, &out_size) != GZIP_DONE)
        return;
    uint8_t *packed = malloc(out_size);
    memcpy(packed, out, out_size);
    gzip_result result =
        gzip_inflate(gzip, packed, out_size, size, &out, &out_size);
    /* A good compressor may exceed the ratio that is accepted. */
    if (result != GZIP_TOO_LARGE && (result != GZIP_DONE || out_size != size ||
                                     memcmp(out, bytes, size) != 0))
        abort();
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct gzip *gzip;
    if (gzip == NULL)
        gzip = gzip_create();
    const uint8_t *out;
    size_t out_size;
    if (gzip_inflate(gzip, bytes, size, LIMIT, &out, &out_size) == GZIP_DONE &&
        out_size > LIMIT)
        abort();
    check_round_trip(gzip, bytes, size);
    gzip_trim(gzip);
    return 0;
}
