/* The server that connectconformance starts and tests, once for each
 * configuration:
 *
 *   stdin    u32 size, ServerCompatRequest
 *   stdout   u32 size, ServerCompatResponse, when it listens
 *
 * It serves until SIGTERM. */
#include "rpc/arena.h"
#include "rpc/codec.h"
#include "rpc/server.h"
#include "tests/rpc/conformance_registry.rpc.h"
#include "tests/rpc/conformanceservice.rpc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { REQUEST_BYTES_MAX = 1024 * 1024 };

static ServerCompatRequest *read_request(struct arena *arena)
{
    uint8_t prefix[4];
    if (fread(prefix, 1, sizeof prefix, stdin) != sizeof prefix)
        return NULL;
    size_t size = (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 |
                  (size_t)prefix[2] << 8 | prefix[3];
    if (size > REQUEST_BYTES_MAX)
        return NULL;
    uint8_t *bytes = arena_alloc(arena, size + 1);
    if (fread(bytes, 1, size, stdin) != size)
        return NULL;
    struct codec_error error;
    return (ServerCompatRequest *)codec_decode(
        arena, SERVER_COMPAT_REQUEST_DESCRIPTOR, bytes, size, &error);
}

static void write_response(struct arena *arena,
                           const ServerCompatResponse *response)
{
    size_t size;
    uint8_t *bytes = codec_pack(arena, &response->base, &size);
    const uint8_t prefix[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16),
                               (uint8_t)(size >> 8), (uint8_t)size};
    fwrite(prefix, 1, sizeof prefix, stdout);
    fwrite(bytes, 1, size, stdout);
    fflush(stdout);
}

/* --- TLS: the server reads files --- */

static bool write_file(const char *path, const ProtobufCBinaryData *data)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    bool written = fwrite(data->data, 1, data->len, file) == data->len;
    return fclose(file) == 0 && written;
}

static bool use_tls_files(struct rpc_server *server, const char *folder,
                          const ServerCompatRequest *req, char *error,
                          size_t error_size)
{
    char certificate[64], key[64];
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(error, error_size, "the files cannot be written");
    bool done = write_file(certificate, &req->server_creds->cert) &&
                write_file(key, &req->server_creds->key) &&
                rpc_server_use_tls(server, certificate, key, error, error_size);
    unlink(certificate);
    unlink(key);
    return done;
}

static bool use_tls(struct rpc_server *server, const ServerCompatRequest *req,
                    char *error, size_t error_size)
{
    char folder[] = "/tmp/conformance-XXXXXX";
    if (req->server_creds == NULL || mkdtemp(folder) == NULL) {
        snprintf(error, error_size, "no credentials, or nowhere to put them");
        return false;
    }
    bool done = use_tls_files(server, folder, req, error, error_size);
    rmdir(folder);
    return done;
}

/* --- the server --- */

static int open_port(struct rpc_server *server, const ServerCompatRequest *req)
{
    char error[256];
    rpc_listen_mode mode = req->use_tls ? RPC_LISTEN_TLS : RPC_LISTEN_H2C;
    int port = -1;
    if (!req->use_tls || use_tls(server, req, error, sizeof error))
        port =
            rpc_server_listen(server, "127.0.0.1:0", mode, error, sizeof error);
    if (port < 0)
        fprintf(stderr, "%s\n", error);
    return port;
}

static void announce(struct arena *arena, const ServerCompatRequest *req,
                     int port)
{
    ServerCompatResponse response = SERVER_COMPAT_RESPONSE_INIT;
    response.host = (char *)"127.0.0.1";
    response.port = (uint32_t)port;
    if (req->use_tls)
        response.pem_cert = req->server_creds->cert;
    write_response(arena, &response);
}

/* Also when the one who started it is gone without a word. */
static void wait_for_end(const sigset_t *signals)
{
    int received;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigwait(signals, &received);
}

static int serve(struct arena *arena, struct rpc_server *server,
                 const ServerCompatRequest *req, const sigset_t *signals)
{
    int port = open_port(server, req);
    if (port < 0)
        return 1;
    rpc_status status = rpc_server_start(server);
    if (status.code != RPC_OK) {
        fprintf(stderr, "%s\n", status.message);
        return 1;
    }
    announce(arena, req, port);
    wait_for_end(signals);
    rpc_server_stop(server);
    return 0;
}

static int run(struct arena *arena, const sigset_t *signals)
{
    static const struct rpc_registry *const registries[] = {
        &conformance_registry, NULL};
    const ServerCompatRequest *req = read_request(arena);
    if (req == NULL) {
        fprintf(stderr, "no ServerCompatRequest on standard input\n");
        return 2;
    }
    const struct rpc_server_options options = {
        .registries = registries,
        .loop_count = 1,
        .message_bytes_max = req->message_receive_limit,
        .tells_internal_errors = true,
        .web_origins = "*",
        .drain_ms = 1000,
    };
    struct rpc_server *server = rpc_server_create(&options);
    int outcome = serve(arena, server, req, signals);
    rpc_server_destroy(server);
    return outcome;
}

int main(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    /* The loops' threads inherit the mask. */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    struct arena *arena = arena_create();
    int outcome = run(arena, &signals);
    arena_destroy(arena);
    arena_thread_finish();
    return outcome;
}
