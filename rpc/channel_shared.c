/* What all channels of a loop share: memory, buffers, numbers. */
#include "rpc/channel_state.h"

#include "rpc/hash.h"
#include "rpc/observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uv_once_t once = UV_ONCE_INIT;
static int slot;
static struct channel_counters counters;

static metric retries(const char *labels)
{
    return metrics_counter("grpc_client_retries_total",
                           "Attempts after the first, by what allowed them.",
                           labels);
}

static void register_all(void)
{
    slot = loop_slot();
    counters = (struct channel_counters){
        .connections = metrics_gauge("grpc_client_connections",
                                     "Connections to other servers.", NULL),
        .connected = metrics_counter("grpc_client_connected_total",
                                     "Connections that were made.", NULL),
        .connect_failures =
            metrics_counter("grpc_client_connect_failures_total",
                            "Addresses that could not be connected to.", NULL),
        .retries_transparent = retries("kind=\"transparent\""),
        .retries_policy = retries("kind=\"policy\""),
    };
}

const struct channel_counters *channel_counters(void)
{
    uv_once(&once, register_all);
    return &counters;
}

/* --- numbers of methods --- */

static struct channel_numbers *numbers_create(const char *path)
{
    struct channel_numbers *n = calloc(1, sizeof *n);
    char labels[256];
    if (n == NULL)
        abort();
    n->path = strdup(path);
    snprintf(labels, sizeof labels, "grpc_method=\"%s\"", path + 1);
    n->started = metrics_rare_counter("grpc_client_attempt_started_total",
                                      "Calls sent to other servers.", labels);
    for (int code = 0; code < RPC_CODE_COUNT; code++)
        n->duration[code] = METRIC_UNUSED;
    return n;
}

/* By text: each file that calls a method may have a table of its own. */
struct channel_numbers *channel_numbers_of(struct channel_shared *shared,
                                           const char *path)
{
    struct channel_numbers **bucket =
        &shared
             ->methods[hash_bytes(path, strlen(path)) % CHANNEL_METHOD_BUCKETS];
    for (struct channel_numbers *n = *bucket; n != NULL; n = n->next)
        if (strcmp(n->path, path) == 0)
            return n;
    struct channel_numbers *made = numbers_create(path);
    made->next = *bucket;
    *bucket = made;
    return made;
}

/* A status has no numbers before it was met, as with the server's. */
void channel_numbers_ended(struct channel_numbers *numbers, rpc_code code,
                           int64_t duration_us)
{
    metric *duration = &numbers->duration[code];
    if (*duration == METRIC_UNUSED) {
        char labels[256];
        snprintf(labels, sizeof labels, "grpc_method=\"%s\",grpc_status=\"%s\"",
                 numbers->path + 1, rpc_code_name(code));
        *duration = metrics_histogram(
            "grpc_client_call_duration_seconds",
            "Of calls to other servers, with all attempts.", labels);
    }
    metrics_observe_us(*duration, duration_us);
}

static void free_numbers(struct channel_shared *shared)
{
    for (int i = 0; i < CHANNEL_METHOD_BUCKETS; i++)
        for (struct channel_numbers *n = shared->methods[i], *next; n != NULL;
             n = next) {
            next = n->next;
            free((char *)n->path);
            free(n);
        }
}

/* --- life --- */

static void on_flush(struct loop_flush *flush)
{
    channel_link_flush_all(
        (struct channel_shared *)((char *)flush -
                                  offsetof(struct channel_shared, flush)));
}

static struct channel_shared *shared_create(struct loop *loop)
{
    struct channel_shared *shared = calloc(1, sizeof *shared);
    if (shared == NULL)
        abort();
    shared->loop = loop;
    shared->pool = pool_create();
    shared->compress = compress_create();
    compress_take_any_ratio(shared->compress);
    shared->input = pool_alloc(shared->pool, SOCKET_INPUT_BYTES);
    shared->output = pool_alloc(shared->pool, SOCKET_OUTPUT_BYTES +
                                                  SOCKET_OUTPUT_SLACK_BYTES);
    shared->flush.fn = on_flush;
    channel_h2_start(shared);
    loop_add_flush(loop, &shared->flush);
    loop_set(loop, slot, shared);
    return shared;
}

struct channel_shared *channel_shared_take(struct loop *loop)
{
    uv_once(&once, register_all);
    struct channel_shared *shared = loop_get(loop, slot);
    if (shared == NULL)
        shared = shared_create(loop);
    shared->users++;
    return shared;
}

void channel_shared_give(struct channel_shared *shared)
{
    if (--shared->users > 0)
        return;
    loop_set(shared->loop, slot, NULL);
    loop_remove_flush(shared->loop, &shared->flush);
    channel_h2_stop(shared);
    free_numbers(shared);
    compress_destroy(shared->compress);
    pool_free(shared->pool, shared->input);
    pool_free(shared->pool, shared->output);
    pool_destroy(shared->pool);
    free(shared);
}
