/* Any bytes as text of any format: an answer, and no byte beyond the text is
 * looked at.  The first byte chooses the format. */
#include "rpc/formats.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* What follows from one another, whatever the text. */
static void compare(const char *text, size_t size)
{
    if (format_is_uri(text, size) && !format_is_uri_reference(text, size))
        abort();
    if (format_is_ip(text, size, 4) && format_is_hostname(text, size))
        abort();
    if (format_is_ip_prefix(text, size, 0, true) &&
        !format_is_ip_prefix(text, size, 0, false))
        abort();
    if (format_is_host_and_port(text, size, true) &&
        !format_is_host_and_port(text, size, false))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1)
        return 0;
    /* A copy of this very size, so that the sanitizer sees its end. */
    char *text = malloc(size);
    memcpy(text, bytes + 1, size - 1);
    format_matches((enum rule_format)(bytes[0] % FORMAT_COUNT), text, size - 1);
    compare(text, size - 1);
    free(text);
    return 0;
}
