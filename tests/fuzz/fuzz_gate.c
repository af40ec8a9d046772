/* The header-time gate: any path, timeout and header fields.  What has no such
 * method is refused before anybody asks who is there, and nobody gets in who
 * has shown nothing.
 *
 *   path LF grpc-timeout LF name ":" value LF ... */
#include "rpc/local.h"
#include "rpc/metadata.h"
#include "tests/rpc/registry.rpc.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { HEADERS_MAX = 32 };

static int asked;

/* Tokens are "ROLES user"; "bad" is none. */
static rpc_status authenticate(struct rpc_call *call, const char *token)
{
    asked++;
    if (token == NULL)
        return RPC_SUCCESS;
    if (strncmp(token, "bad", 3) == 0)
        return rpc_fail_reason(call, RPC_UNAUTHENTICATED, "TOKEN_INVALID",
                               "the token is no good");
    char *end;
    call->caller.roles = (uint32_t)strtoul(token, &end, 10);
    call->caller.id = arena_strdup(call->arena, end);
    return RPC_SUCCESS;
}

static struct rpc_server *server_start(void)
{
    static const struct rpc_registry *const registries[] = {&test_registry,
                                                            NULL};
    const struct rpc_server_options options = {
        .registries = registries,
        .hooks.authenticate = authenticate,
        .reflection = true,
        .proxies = 2,
    };
    struct rpc_server *server = rpc_server_create(&options);
    if (rpc_server_start_here(server).code != RPC_OK)
        abort();
    return server;
}

static int64_t timeout_ms(const char *text)
{
    int64_t timeout_us;
    bool is_one = metadata_parse_timeout(text, strlen(text), &timeout_us);
    return is_one ? timeout_us / 1000 : -1;
}

/* Cuts the rest of the lines into headers; returns whether one is a token. */
static bool read_headers(char *rest, struct rpc_header *headers)
{
    bool has_token = false;
    int count = 0;
    while (rest != NULL && count < HEADERS_MAX) {
        char *value = strsep(&rest, "\n");
        char *name = strsep(&value, ":");
        if (value == NULL)
            continue;
        has_token |= strcmp(name, "authorization") == 0 &&
                     strncasecmp(value, "bearer ", 7) == 0;
        headers[count++] = (struct rpc_header){name, value};
    }
    headers[count] = (struct rpc_header){NULL, NULL};
    return has_token;
}

static void check(const char *path, bool has_token, bool is_open)
{
    static const char whoami[] = "/prbal.test.TestService/Whoami";
    if (strncmp(path, "/prbal.test.TestService/", 24) != 0 && asked > 0)
        abort();
    if (strcmp(path, whoami) == 0 && is_open && (!has_token || asked != 1))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct rpc_server *server;
    struct rpc_header headers[HEADERS_MAX + 1];
    if (server == NULL)
        server = server_start();
    char *text = strndup((const char *)bytes, size), *rest = text;
    const char *path = strsep(&rest, "\n");
    const char *timeout = rest == NULL ? "" : strsep(&rest, "\n");
    bool has_token = read_headers(rest, headers);
    asked = 0;
    struct rpc_local *local =
        rpc_local_open_with_timeout(server, path, headers, timeout_ms(timeout));
    check(path, has_token, rpc_local_is_open(local));
    rpc_local_free(local);
    free(text);
    return 0;
}
