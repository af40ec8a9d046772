#include "services/probes.h"

#include "rpc/metrics.h"
#include "services/auth/token.h"

#include <string.h>

static void healthz(void *argument, struct edge_answer *answer)
{
    (void)argument;
    edge_text(answer, 200, "ok\n");
}

static void readyz(void *argument, struct edge_answer *answer)
{
    if (rpc_server_is_ready(argument))
        edge_text(answer, 200, "ready\n");
    else
        edge_text(answer, 503, "not ready\n");
}

static void metrics(void *argument, struct edge_answer *answer)
{
    (void)argument;
    answer->status = 200;
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    answer->body = metrics_text(&answer->size);
}

static void jwks(void *argument, struct edge_answer *answer)
{
    (void)argument;
    struct arena *arena = arena_create();
    edge_text(answer, 200, token_jwks(arena));
    answer->content_type = "application/json";
    arena_destroy(arena);
    arena_thread_finish(); /* this thread is rarely here and not ours to end */
}

struct edge *probes_start(const char *address, struct rpc_server *server,
                          char *error, size_t error_size)
{
    static const struct edge_route routes[] = {
        {"/healthz", healthz}, {"/readyz", readyz},
        {"/metrics", metrics}, {"/.well-known/jwks.json", jwks},
        {NULL, NULL},
    };
    return edge_start(address, routes, server, error, error_size);
}
