#ifndef PRBAL_TESTS_RPC_CONNECT_KIT_H
#define PRBAL_TESTS_RPC_CONNECT_KIT_H

/* What tests of Connect share: a server that lets a page in, and calls with a
 * bare message as their body. */
#include "tests/rpc/interop_registry.rpc.h"
#include "tests/rpc/interopservice.rpc.h"
#include "tests/wire/wire.h"

#include <stdio.h>

#define PAGE "https://app.example"
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define INTEROP_UNARY "/grpc.testing.TestService/UnaryCall"

static inline rpc_status refuse_strangers(struct rpc_call *call,
                                          const char *token)
{
    if (token == NULL)
        return rpc_fail(call, RPC_UNAUTHENTICATED, "sign in first");
    call->caller.id = arena_strdup(call->arena, token);
    call->caller.roles = 1u << 4;
    return RPC_SUCCESS;
}

static inline int start(void **state)
{
    static const struct rpc_registry *const registries[] = {
        &test_registry, &interop_registry, NULL};
    *state = wire_start((struct rpc_server_options){
        .registries = registries,
        .hooks = {.authenticate = refuse_strangers},
        .web_origins = PAGE,
        .message_bytes_max = 100000,
        .compress_bytes_min = 1000,
    });
    return 0;
}

static inline struct bytes packed(fixture *t, const void *message)
{
    struct bytes b;
    b.data = codec_pack(t->arena, message, &b.size);
    return b;
}

static inline struct bytes echo(fixture *t, const char *text)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = text;
    return packed(t, &req);
}

/* A unary call with two more header fields, either of which may be NULL. */
static inline struct client_response *call_with(fixture *t, const char *path,
                                                struct bytes body,
                                                const char *name,
                                                const char *value)
{
    const struct rpc_header headers[] = {
        {"content-type", "application/proto"}, {name, value}, {NULL, NULL}};
    return wire_call(t, path, headers, body);
}

static inline struct client_response *call_proto(fixture *t, const char *path,
                                                 struct bytes body)
{
    return call_with(t, path, body, NULL, NULL);
}

static inline void assert_error(const struct client_response *r,
                                int http_status, const char *code)
{
    char beginning[64];
    int size = snprintf(beginning, sizeof beginning, "{\"code\":\"%s\"", code);
    if (r->http_status != http_status || r->body_size < (size_t)size ||
        memcmp(r->body, beginning, (size_t)size) != 0)
        fail_msg("%d %.*s", r->http_status, (int)r->body_size,
                 (const char *)r->body);
    assert_string_equal(client_field(r, "content-type"), "application/json");
}

static inline void assert_says(const struct client_response *r,
                               const char *words)
{
    if (memmem(r->body, r->body_size, words, strlen(words)) == NULL)
        fail_msg("%.*s", (int)r->body_size, (const char *)r->body);
}

static inline const char *echoed(fixture *t, const struct client_response *r)
{
    struct codec_error error;
    EchoResponse *res = (EchoResponse *)codec_decode(
        t->arena, ECHO_RESPONSE_DESCRIPTOR, r->body, r->body_size, &error);
    assert_int_equal(r->http_status, 200);
    assert_non_null(res);
    return res->text;
}

static inline struct client_response *get(fixture *t, const char *query,
                                          const char *name, const char *value)
{
    const struct rpc_header headers[] = {{":method", "GET"},
                                         {"content-type", "text/plain"},
                                         {name, value},
                                         {NULL, NULL}};
    return wire_call(t, arena_printf(t->arena, "%s%s", TEST_ECHO, query),
                     headers, (struct bytes){NULL, 0});
}

static inline void assert_body(const struct client_response *r,
                               const char *expected)
{
    if (r->body_size != strlen(expected) ||
        memcmp(r->body, expected, r->body_size) != 0)
        fail_msg("%.*s", (int)r->body_size, (const char *)r->body);
}

#endif
