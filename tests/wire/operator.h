#ifndef PRBAL_TESTS_WIRE_OPERATOR_H
#define PRBAL_TESTS_WIRE_OPERATOR_H

/* A server with admin services: t->client comes by the operator's socket,
 * t->port is open to everybody. */

#include "tests/wire/certificate.h"
#include "tests/wire/wire.h"

#include <stdio.h>
#include <unistd.h>

enum { SUPERUSER = 1 << 9 };

static char operator_path[64];

/* The token names the roles. */
static inline rpc_status operator_authenticate(struct rpc_call *call,
                                               const char *token)
{
    if (token == NULL)
        return RPC_SUCCESS;
    call->caller.id = "somebody";
    call->caller.roles = (uint32_t)atoi(token);
    return RPC_SUCCESS;
}

static inline fixture *operator_start(struct rpc_server_options options)
{
    static const struct rpc_registry *const registries[] = {&test_registry,
                                                            NULL};
    char error[256], address[80];
    fixture *t = calloc(1, sizeof *t);
    options.registries = registries;
    options.hooks.authenticate = operator_authenticate;
    options.admin_services = true;
    options.drain_ms = 2000;
    options.ping_interval_ms = 1;
    t->arena = arena_create();
    t->server = rpc_server_create(&options);
    struct certificate certificate = certificate_make();
    assert_true(rpc_server_use_tls(t->server, certificate.certificate_path,
                                   certificate.key_path, error, sizeof error));
    certificate_remove(&certificate);
    snprintf(operator_path, sizeof operator_path, "/tmp/prbal-operator-%d.sock",
             (int)getpid());
    snprintf(address, sizeof address, "unix:%s", operator_path);
    t->port = rpc_server_listen(t->server, "127.0.0.1:0", RPC_LISTEN_BOTH,
                                error, sizeof error);
    assert_true(t->port > 0);
    assert_int_equal(rpc_server_listen(t->server, address, RPC_LISTEN_OPERATOR,
                                       error, sizeof error),
                     0);
    assert_int_equal(rpc_server_start(t->server).code, RPC_OK);
    t->client =
        client_open((struct client_options){.unix_path = operator_path});
    client_ping(t->client); /* it is there before any other */
    return t;
}

#endif
