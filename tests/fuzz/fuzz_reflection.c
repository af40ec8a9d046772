/* Any requests to server reflection, cut from the input by length: each has one
 * answer, or the stream ends with a status. */
#include "grpc/reflection/v1/reflection.rpc.h"
#include "rpc/local.h"
#include "tests/rpc/registry.rpc.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char path[] =
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

static struct rpc_server *server_start(void)
{
    static const struct rpc_registry *const registries[] = {&test_registry,
                                                            NULL};
    const struct rpc_server_options options = {.registries = registries,
                                               .reflection = true};
    struct rpc_server *server = rpc_server_create(&options);
    if (rpc_server_start_here(server).code != RPC_OK)
        abort();
    return server;
}

static void check(const ServerReflectionResponse *res)
{
    if (res->message_response_case == 0 || res->original_request == NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct rpc_server *server;
    if (server == NULL)
        server = server_start();
    struct arena *arena = arena_create();
    struct rpc_local *local = rpc_local_open(server, path, NULL);
    for (size_t at = 0; at < size && rpc_local_is_open(local);) {
        size_t length = bytes[at++];
        length = length < size - at ? length : size - at;
        rpc_local_send_bytes(local, bytes + at, length);
        at += length;
        const ProtobufCMessage *answer = rpc_local_next(local, arena, 60000);
        if (answer != NULL)
            check((const ServerReflectionResponse *)answer);
        else if (rpc_local_reply(local).status.code == RPC_OK)
            abort();
    }
    rpc_local_free(local);
    arena_destroy(arena);
    return 0;
}
