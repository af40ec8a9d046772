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

/* Empty paths where nothing was given. */
struct credentials {
    char folder[40];
    char certificate[64], key[64], client_ca[64];
};

static bool write_credential(const struct credentials *c, char *path,
                             const char *name, const ProtobufCBinaryData *data)
{
    if (data->len == 0)
        return true;
    snprintf(path, sizeof c->key, "%s/%s", c->folder, name);
    return write_file(path, data);
}

static bool write_credentials(struct credentials *c,
                              const ServerCompatRequest *req)
{
    *c = (struct credentials){.folder = "/tmp/conformance-XXXXXX"};
    if (!req->use_tls)
        return true;
    return req->server_creds != NULL && mkdtemp(c->folder) != NULL &&
           write_credential(c, c->certificate, "cert.pem",
                            &req->server_creds->cert) &&
           write_credential(c, c->key, "key.pem", &req->server_creds->key) &&
           write_credential(c, c->client_ca, "ca.pem", &req->client_tls_cert);
}

static void remove_credentials(const struct credentials *c)
{
    unlink(c->certificate);
    unlink(c->key);
    unlink(c->client_ca);
    rmdir(c->folder);
}

/* --- the server --- */

static int open_port(struct rpc_server *server, const struct credentials *c)
{
    char error[256];
    bool is_tls = *c->certificate != '\0';
    int port = -1;
    if (!is_tls ||
        rpc_server_use_tls(server, c->certificate, c->key, error, sizeof error))
        port = rpc_server_listen(server, "127.0.0.1:0",
                                 is_tls ? RPC_LISTEN_TLS : RPC_LISTEN_H2C,
                                 error, sizeof error);
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
                 const ServerCompatRequest *req, const struct credentials *c,
                 const sigset_t *signals)
{
    int port = open_port(server, c);
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

static int start(struct arena *arena, const ServerCompatRequest *req,
                 const struct credentials *c, const sigset_t *signals)
{
    static const struct rpc_registry *const registries[] = {
        &conformance_registry, NULL};
    const struct rpc_server_options options = {
        .registries = registries,
        .loop_count = 1,
        .message_bytes_max = req->message_receive_limit,
        .tells_internal_errors = true,
        .web_origins = "*",
        .client_auth = *c->client_ca != '\0' ? RPC_CLIENT_AUTH_REQUIRED
                                             : RPC_CLIENT_AUTH_OFF,
        .client_ca = c->client_ca,
        .drain_ms = 1000,
    };
    struct rpc_server *server = rpc_server_create(&options);
    int outcome = serve(arena, server, req, c, signals);
    rpc_server_destroy(server);
    return outcome;
}

static int run(struct arena *arena, const sigset_t *signals)
{
    const ServerCompatRequest *req = read_request(arena);
    if (req == NULL) {
        fprintf(stderr, "no ServerCompatRequest on standard input\n");
        return 2;
    }
    struct credentials credentials;
    int outcome = 1;
    if (write_credentials(&credentials, req))
        outcome = start(arena, req, &credentials, signals);
    else
        fprintf(stderr, "the credentials cannot be written\n");
    remove_credentials(&credentials);
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
