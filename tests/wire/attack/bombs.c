#include "tests/wire/attack/attack.h"

#include <zlib.h>
#include <zstd.h>

enum { ZEROS = 64 * 1024 * 1024, STEP = 1 << 16 };

size_t attack_gzip_bomb(uint8_t *out, size_t room)
{
    static uint8_t zeros[STEP];
    z_stream z = {.next_out = out, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, 0), Z_OK);
    for (int left = ZEROS / STEP; left > 0; left--) {
        z.next_in = zeros;
        z.avail_in = sizeof zeros;
        assert_int_equal(deflate(&z, left == 1 ? Z_FINISH : Z_NO_FLUSH),
                         left == 1 ? Z_STREAM_END : Z_OK);
    }
    deflateEnd(&z);
    return z.total_out;
}

size_t attack_zstd_bomb(uint8_t *out, size_t room)
{
    uint8_t *zeros = calloc(1, ZEROS);
    assert_non_null(zeros);
    size_t size = ZSTD_compress(out, room, zeros, ZEROS, 3);
    assert_false(ZSTD_isError(size));
    free(zeros);
    return size;
}
