/* Any bytes as zstd: inflated below the limit, or refused. */
#include "tests/fuzz/fuzz_encoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_encoding(ENCODING_ZSTD, bytes, size);
    return 0;
}
