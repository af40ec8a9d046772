/* base64 that decodes encodes to the same text, but for the padding; timeouts
 * and messages never leave their ranges. */
#include "rpc/base64.h"
#include "rpc/metadata.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Whoever reads both alphabets reads the standard one to the same. */
static void check_either(const char *text, size_t size, const uint8_t *wanted,
                         size_t wanted_count)
{
    uint8_t *decoded = malloc(size + 1);
    size_t count;
    if (!base64_decode(decoded, &count, text, size, BASE64_EITHER) ||
        count != wanted_count || memcmp(decoded, wanted, count) != 0)
        abort();
    free(decoded);
}

static void check_base64(const char *text, size_t size)
{
    uint8_t *decoded = malloc(size + 1);
    char *again = malloc(size + 4);
    size_t count;
    if (metadata_decode_base64(decoded, &count, text, size)) {
        metadata_encode_base64(again, decoded, count);
        if (METADATA_BASE64_SIZE(count) > size ||
            memcmp(again, text, METADATA_BASE64_SIZE(count)) != 0)
            abort();
        check_either(text, size, decoded, count);
    }
    free(decoded);
    free(again);
}

static void check_message(const uint8_t *bytes, size_t size)
{
    char encoded[METADATA_MESSAGE_ENCODED_MAX];
    char *message = strndup((const char *)bytes, size);
    size_t encoded_size = metadata_encode_message(encoded, message);
    if (encoded_size > sizeof encoded ||
        !metadata_text_is_valid(encoded, encoded_size))
        abort();
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    int64_t timeout_us;
    if (metadata_parse_timeout((const char *)bytes, size, &timeout_us) &&
        (timeout_us < 0 || timeout_us > INT64_MAX / 16))
        abort();
    check_base64((const char *)bytes, size);
    check_message(bytes, size);
    return 0;
}
