#ifndef PRBAL_TESTS_RPC_HERE_H
#define PRBAL_TESTS_RPC_HERE_H

/* What tests of calls share: a server on this thread with the test service. */

#include "rpc/codec.h"
#include "rpc/local.h"
#include "tests/rpc/registry.rpc.h"
#include "tests/rpc/testservice.rpc.h"

#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEST_ECHO "/prbal.test.TestService/Echo"
#define TEST_NOTE "/prbal.test.TestService/Note"
#define TEST_READ "/prbal.test.TestService/Read"
#define TEST_SLEEP "/prbal.test.TestService/Sleep"
#define TEST_FAIL "/prbal.test.TestService/Fail"
#define TEST_WHOAMI "/prbal.test.TestService/Whoami"
#define TEST_SERVER_STREAM "/prbal.test.TestService/ServerStream"
#define TEST_CLIENT_STREAM "/prbal.test.TestService/ClientStream"
#define TEST_BIDI_STREAM "/prbal.test.TestService/BidiStream"

typedef struct {
    struct rpc_server *server;
    struct arena *arena;
} fixture;

static const struct rpc_registry *const here_registries[] = {&test_registry,
                                                             NULL};

static inline fixture *here_start(struct rpc_server_options options)
{
    fixture *t = calloc(1, sizeof *t);
    if (options.registries == NULL)
        options.registries = here_registries;
    t->arena = arena_create();
    t->server = rpc_server_create(&options);
    if (rpc_server_start_here(t->server).code != RPC_OK)
        abort();
    return t;
}

static inline int here_stop(void **state)
{
    fixture *t = *state;
    arena_destroy(t->arena);
    rpc_server_stop_here(t->server);
    rpc_server_destroy(t->server);
    free(t);
    return 0;
}

static inline struct rpc_reply here_call(fixture *t, const char *path,
                                         const struct rpc_header *headers,
                                         const void *request)
{
    return rpc_local_call(t->server, t->arena, path, headers, request);
}

static inline struct rpc_reply here_echo(fixture *t, const char *text)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = text;
    return here_call(t, TEST_ECHO, NULL, &req);
}

/* The detail of this type in the reply, or NULL. */
static inline void *here_detail(fixture *t, struct rpc_reply reply,
                                const ProtobufCMessageDescriptor *type)
{
    struct codec_error error;
    const Google__Rpc__Status *status = (Google__Rpc__Status *)codec_decode(
        t->arena, &google__rpc__status__descriptor, reply.details,
        reply.details_size, &error);
    const char *url =
        arena_printf(t->arena, "type.googleapis.com/%s", type->name);
    for (size_t i = 0; i < status->n_details; i++)
        if (strcmp(status->details[i]->type_url, url) == 0)
            return codec_decode(t->arena, type, status->details[i]->value.data,
                                status->details[i]->value.len, &error);
    return NULL;
}

static inline const char *here_header(const struct rpc_header *headers,
                                      const char *name)
{
    for (; headers->name != NULL; headers++)
        if (strcmp(headers->name, name) == 0)
            return headers->value;
    return "";
}

/* ErrorInfo.reason of the reply, or "". */
static inline const char *here_reason(fixture *t, struct rpc_reply reply)
{
    const Google__Rpc__ErrorInfo *info =
        here_detail(t, reply, &google__rpc__error_info__descriptor);
    return info == NULL ? "" : info->reason;
}

#define assert_code(reply, expected)                        \
    assert_string_equal(rpc_code_name((reply).status.code), \
                        rpc_code_name(expected))

#endif
