/* The case of h2spec that came after the last version on Go's proxy:
 *
 *   h2spec_147 PORT tls|h2c
 *
 * hpack/2.3.3/2 of h2spec 2.6.0: sends a literal header field representation
 * with invalid index.  RFC 7541 2.3.3: an index beyond both tables is a
 * decoding error; RFC 9113 4.3: that ends the connection with
 * COMPRESSION_ERROR. */
#include "tests/wire/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int port;
static bool is_tls;

static void a_literal_with_an_invalid_index_is_a_compression_error(void **state)
{
    (void)state;
    /* With incremental indexing, name of index 70, empty value. */
    static const uint8_t literal[] = {0x7f, 0x07, 0x00};
    uint8_t block[1024];
    struct raw *raw = is_tls ? raw_connect_tls(port) : raw_connect(port);
    raw_greet(raw);
    size_t size =
        raw_headers(raw, block, sizeof block - sizeof literal, "/", NULL, NULL);
    memcpy(block + size, literal, sizeof literal);
    raw_frame(raw, NGHTTP2_HEADERS,
              NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block,
              size + sizeof literal);
    struct raw_end end = raw_wait_closed(raw);
    assert_int_equal(end.goaway_code, NGHTTP2_COMPRESSION_ERROR);
    assert_int_equal(end.frames[NGHTTP2_HEADERS], 0);
    raw_close(raw);
}

int main(int count, char **arguments)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_literal_with_an_invalid_index_is_a_compression_error),
    };
    if (count != 3)
        return 2;
    port = atoi(arguments[1]);
    is_tls = strcmp(arguments[2], "tls") == 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
