/* A server for tools from outside: grpcurl, h2load, h2spec, benchmarks.
 *
 *   testserver ADDRESS [--tls CERTIFICATE KEY] [--loops N] [--log FILE]
 *              [--keys FOLDER] [--limit NAME=NUMBER]...
 *
 * With a certificate the address takes TLS and clear text.  Prints the port on
 * a line of its own, serves the test service, and drains on SIGTERM.  With keys
 * (services/keys.h) tokens are verified as prbald does it, but for what that
 * has in its database; without, nobody is ever signed in.  The names of limits
 * are those of rpc/limits.def; all have their defaults without. */
#include "rpc/clock.h"
#include "rpc/limits.h"
#include "rpc/log.h"
#include "rpc/loop.h"
#include "rpc/server.h"
#include "services/auth/token.h"
#include "services/auth/token_cache.h"
#include "services/keys.h"
#include "tests/bench/registry.rpc.h"
#include "tests/rpc/interop_registry.rpc.h"
#include "tests/rpc/registry.rpc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings {
    const char *address;
    const char *certificate_path;
    const char *key_path;
    const char *log_path;
    const char *keys_path;
    int loop_count;
    struct rpc_server_options limits; /* nothing else of it is set */
};

static int usage(void)
{
    fprintf(stderr, "usage: testserver ADDRESS [--tls CERTIFICATE KEY] "
                    "[--loops N] [--log FILE] [--keys FOLDER] "
                    "[--limit NAME=NUMBER]...\n");
    return 2;
}

/* "streams=500" */
static bool read_limit(const char *text, struct rpc_server_options *limits)
{
    size_t length = strcspn(text, "=");
    for (size_t i = 0; i < rpc_limit_count && text[length] == '='; i++) {
        const char *name = rpc_limits[i].name;
        if (strncmp(text, name, length) != 0 || name[length] != '\0')
            continue;
        rpc_limit_set(limits, &rpc_limits[i],
                      strtoull(text + length + 1, NULL, 10));
        return true;
    }
    return false;
}

static bool read_arguments(int count, char **arguments, struct settings *s)
{
    if (count < 2)
        return false;
    *s = (struct settings){.address = arguments[1], .loop_count = 1};
    for (int i = 2; i < count; i++) {
        if (strcmp(arguments[i], "--tls") == 0 && i + 2 < count) {
            s->certificate_path = arguments[++i];
            s->key_path = arguments[++i];
        } else if (strcmp(arguments[i], "--loops") == 0 && i + 1 < count) {
            s->loop_count = atoi(arguments[++i]);
        } else if (strcmp(arguments[i], "--log") == 0 && i + 1 < count) {
            s->log_path = arguments[++i];
        } else if (strcmp(arguments[i], "--keys") == 0 && i + 1 < count) {
            s->keys_path = arguments[++i];
        } else if (strcmp(arguments[i], "--limit") == 0 && i + 1 < count) {
            if (!read_limit(arguments[++i], &s->limits))
                return false;
        } else {
            return false;
        }
    }
    return true;
}

/* ---- Tokens. */

static int cache_slot;

static rpc_status start_cache(struct rpc_server *server, struct loop *loop)
{
    (void)server;
    loop_set(loop, cache_slot, token_cache_create());
    return RPC_SUCCESS;
}

static void stop_cache(struct rpc_server *server, struct loop *loop)
{
    (void)server;
    token_cache_destroy(loop_get(loop, cache_slot));
}

static rpc_status authenticate(struct rpc_call *call, const char *token)
{
    struct token_cache *cache = loop_get(call->loop, cache_slot);
    uint8_t key[TOKEN_CACHE_KEY_BYTES];
    if (token == NULL)
        return RPC_SUCCESS;
    token_cache_key(cache, token, key);
    if (token_cache_find(cache, key, clock_wall_us(), call->arena,
                         &call->caller))
        return RPC_SUCCESS;
    if (token_read(call->arena, token, &call->caller) != TOKEN_GOOD)
        return rpc_fail(call, RPC_UNAUTHENTICATED, "the token is not valid");
    token_cache_put(cache, key, &call->caller);
    return RPC_SUCCESS;
}

static bool use_keys(const struct settings *s, struct rpc_hooks *hooks)
{
    char error[256];
    if (s->keys_path == NULL)
        return true;
    if (!keys_load(s->keys_path, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    cache_slot = loop_slot();
    hooks->authenticate = authenticate;
    hooks->loop_start = start_cache;
    hooks->loop_stop = stop_cache;
    return true;
}

/* ---- The server. */

/* The port, or -1 after a sentence on stderr. */
static int open_port(struct rpc_server *server, const struct settings *s)
{
    char error[256];
    rpc_listen_mode mode = RPC_LISTEN_H2C;
    if (s->certificate_path != NULL) {
        mode = RPC_LISTEN_BOTH;
        if (!rpc_server_use_tls(server, s->certificate_path, s->key_path, error,
                                sizeof error)) {
            fprintf(stderr, "%s\n", error);
            return -1;
        }
    }
    int port = rpc_server_listen(server, s->address, mode, error, sizeof error);
    if (port < 0)
        fprintf(stderr, "%s\n", error);
    return port;
}

static void wait_for_signal(void)
{
    sigset_t signals;
    int received;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigwait(&signals, &received);
}

/* The loops' threads inherit the mask, so that sigwait() gets the signal. */
static void block_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

static int serve(struct rpc_server *server, const struct settings *s)
{
    int port = open_port(server, s);
    if (port < 0)
        return 1;
    rpc_status status = rpc_server_start(server);
    if (status.code != RPC_OK) {
        fprintf(stderr, "%s\n", status.message);
        return 1;
    }
    printf("%d\n", port);
    fflush(stdout);
    wait_for_signal();
    rpc_server_stop(server);
    return 0;
}

/* The log costs its share of every figure; without --log there is none. */
static bool open_log(const struct settings *s)
{
    char error[256];
    struct log_options options = {.path = s->log_path, .level = LOG_INFO};
    if (s->log_path == NULL || log_open(&options, error, sizeof error))
        return true;
    fprintf(stderr, "%s\n", error);
    return false;
}

int main(int count, char **arguments)
{
    static const struct rpc_registry *const registries[] = {
        &test_registry, &interop_registry, &bench_registry, NULL};
    struct settings settings;
    struct rpc_hooks hooks = {0};
    if (!read_arguments(count, arguments, &settings))
        return usage();
    block_signals();
    if (!open_log(&settings) || !use_keys(&settings, &hooks))
        return 1;
    struct rpc_server_options options = settings.limits;
    options.registries = registries;
    options.hooks = hooks;
    options.loop_count = settings.loop_count;
    options.reflection = true;
    options.load_reports = RPC_REPORTS_GIVEN;
    options.web_origins = "*";
    options.drain_ms = 5000;
    struct rpc_server *server = rpc_server_create(&options);
    int outcome = serve(server, &settings);
    rpc_server_destroy(server);
    log_close();
    return outcome;
}
