#ifndef PRBAL_TESTS_WIRE_WIRE_H
#define PRBAL_TESTS_WIRE_WIRE_H

/* What tests of the wire share: the test service behind a real port, on threads
 * of its own, and a client on this one. */

#include "rpc/codec.h"
#include "rpc/server.h"
#include "tests/rpc/registry.rpc.h"
#include "tests/rpc/testservice.rpc.h"
#include "tests/wire/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEST_ECHO "/prbal.test.TestService/Echo"
#define TEST_SLEEP "/prbal.test.TestService/Sleep"
#define TEST_FAIL "/prbal.test.TestService/Fail"
#define TEST_WHOAMI "/prbal.test.TestService/Whoami"
#define TEST_SERVER_STREAM "/prbal.test.TestService/ServerStream"
#define TEST_CLIENT_STREAM "/prbal.test.TestService/ClientStream"
#define TEST_BIDI_STREAM "/prbal.test.TestService/BidiStream"

typedef struct {
    struct rpc_server *server;
    struct arena *arena;
    struct client *client;
    int port;
    int stopped;
} fixture;

/* With the test service, one loop and a short drain, unless the options say
 * otherwise. */
static inline fixture *wire_start(struct rpc_server_options options)
{
    static const struct rpc_registry *const registries[] = {&test_registry,
                                                            NULL};
    char error[256];
    fixture *t = calloc(1, sizeof *t);
    if (options.registries == NULL)
        options.registries = registries;
    if (options.loop_count == 0)
        options.loop_count = 1;
    if (options.drain_ms == 0)
        options.drain_ms = 2000;
    if (options.ping_interval_ms == 0)
        options.ping_interval_ms = 1; /* client_ping() is how tests wait */
    t->arena = arena_create();
    t->server = rpc_server_create(&options);
    t->port = rpc_server_listen(t->server, "127.0.0.1:0", RPC_LISTEN_BOTH,
                                error, sizeof error);
    assert_true(t->port > 0);
    assert_int_equal(rpc_server_start(t->server).code, RPC_OK);
    t->client = client_connect(t->port);
    return t;
}

static inline void wire_stop_server(fixture *t)
{
    if (!t->stopped)
        rpc_server_stop(t->server);
    t->stopped = 1;
}

static inline int wire_stop(void **state)
{
    fixture *t = *state;
    client_close(t->client);
    wire_stop_server(t);
    rpc_server_destroy(t->server);
    arena_destroy(t->arena);
    arena_thread_finish();
    free(t);
    return 0;
}

/* Bytes of a request body, in the fixture's arena. */
struct bytes {
    uint8_t *data;
    size_t size;
};

static inline struct bytes framed(fixture *t, const void *message)
{
    size_t size;
    uint8_t *packed = codec_pack(t->arena, message, &size);
    struct bytes b = {arena_alloc(t->arena, size + 5), size + 5};
    client_frame(b.data, 0, packed, size);
    return b;
}

static inline struct bytes echo_body(fixture *t, const char *text)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = text;
    return framed(t, &req);
}

/* One whole call with one request message. */
static inline struct client_response *wire_call(
    fixture *t, const char *path, const struct rpc_header *headers,
    struct bytes body)
{
    struct client_response *r =
        client_request(t->client, path, headers, body.data, body.size, true);
    client_wait(t->client, r);
    return r;
}

/* The message that is `index` messages into a response's body. */
static inline void *message_at(fixture *t,
                               const ProtobufCMessageDescriptor *type,
                               const struct client_response *r, int index)
{
    const uint8_t *at = r->body;
    const uint8_t *end = r->body + r->body_size;
    for (;; index--) {
        assert_true(end - at >= 5);
        assert_int_equal(at[0], 0);
        size_t size = (size_t)at[1] << 24 | at[2] << 16 | at[3] << 8 | at[4];
        at += 5;
        assert_true((size_t)(end - at) >= size);
        struct codec_error error;
        if (index == 0) {
            void *m = codec_decode(t->arena, type, at, size, &error);
            assert_non_null(m);
            return m;
        }
        at += size;
    }
}

static inline void assert_grpc(const struct client_response *r, int http_status,
                               rpc_code code)
{
    assert_int_equal(r->http_status, http_status);
    assert_string_equal(rpc_code_name((rpc_code)client_status(r)),
                        rpc_code_name(code));
    assert_true(client_status(r) >= 0);
}

static inline void assert_echo(fixture *t, const struct client_response *r,
                               const char *text)
{
    assert_grpc(r, 200, RPC_OK);
    EchoResponse *res = message_at(t, ECHO_RESPONSE_DESCRIPTOR, r, 0);
    assert_string_equal(res->text, text);
}

/* A stranger with manners is still served. */
static inline void assert_still_serves(fixture *t)
{
    struct client *client = client_connect(t->port);
    struct bytes body = echo_body(t, "still here");
    struct client_response *r =
        client_request(client, TEST_ECHO, NULL, body.data, body.size, true);
    client_wait(client, r);
    assert_echo(t, r, "still here");
    client_close(client);
}

#endif
