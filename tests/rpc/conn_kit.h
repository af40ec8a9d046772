#ifndef PRBAL_TESTS_RPC_CONN_KIT_H
#define PRBAL_TESTS_RPC_CONN_KIT_H

/* What tests of connections share. */
#include "rpc/metrics.h"
#include "tests/wire/wire.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static inline int start(void **state)
{
    *state = wire_start((struct rpc_server_options){0});
    return 0;
}

/* A server of the test's own. */
static inline void finish(fixture *t)
{
    void *mine = t;
    wire_stop(&mine);
}

static inline int64_t ended(const char *reason)
{
    char label[64];
    snprintf(label, sizeof label, "reason=\"%s\"", reason);
    return metrics_value(
        metrics_counter("grpc_server_connections_ended_total", "", label));
}

static inline struct raw *greeted(fixture *t)
{
    struct raw *raw = raw_connect(t->port);
    raw_greet(raw);
    return raw;
}

#endif
