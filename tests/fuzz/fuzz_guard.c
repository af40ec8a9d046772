/* The guard's verdict depends on the bytes, not on how they are cut: the input
 * is fed whole, and again in pieces whose sizes come from the input. */
#include "rpc/guard.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct guard_verdict feed_in_pieces(const uint8_t *bytes, size_t size)
{
    struct guard guard;
    struct guard_verdict verdict = {0, NULL};
    guard_init(&guard, NULL);
    for (size_t at = 0; at < size && verdict.reason == NULL;) {
        size_t piece = bytes[at] % 13 + 1;
        if (piece > size - at)
            piece = size - at;
        verdict = guard_feed(&guard, bytes + at, piece, 1);
        at += piece;
    }
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct guard guard;
    guard_init(&guard, NULL);
    struct guard_verdict whole = guard_feed(&guard, bytes, size, 1);
    struct guard_verdict pieces = feed_in_pieces(bytes, size);
    if (whole.reason != pieces.reason || whole.error_code != pieces.error_code)
        abort();
    return 0;
}
