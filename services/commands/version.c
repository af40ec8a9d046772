#include "services/commands/command.h"

#include <libpq-fe.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <stdio.h>

static int run(const char *const *arguments)
{
    (void)arguments;
    int pq = PQlibVersion();
    printf("prbald %s\nnghttp2 %s, %s, libpq %d.%d\n", PRBAL_VERSION,
           nghttp2_version(0)->version_str, OpenSSL_version(OPENSSL_VERSION),
           pq / 10000, pq % 10000);
    return COMMAND_DONE;
}

const struct command command_version = {
    .name = "version",
    .summary = "Prints the version, and those of the libraries",
    .arguments = "",
    .help = "",
    .run = run,
    .needs_no_settings = true,
};
