#ifndef PRBAL_TESTS_RPC_CHANNELKIT_H
#define PRBAL_TESTS_RPC_CHANNELKIT_H

/* What tests of the client channel share: the test services behind a real port,
 * on threads of their own, and a loop with a channel on this one.  Tests assert
 * on the test's own stack; what runs on a coroutine only records. */

#include "rpc/channel.h"
#include "rpc/codec.h"
#include "rpc/loop.h"
#include "rpc/metrics.h"
#include "rpc/server.h"
#include "tests/rpc/interop_registry.rpc.h"
#include "tests/rpc/registry.rpc.h"
#include "tests/rpc/testservice.rpc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    struct rpc_server *server; /* NULL while it is stopped */
    struct loop *loop;
    struct rpc_channel *channel;
    struct arena *arena;
    int port;
    char address[128];
} fixture;

static inline void kit_serve_at(fixture *t, const char *address,
                                struct rpc_server_options options)
{
    static const struct rpc_registry *const registries[] = {
        &test_registry, &interop_registry, NULL};
    char error[256];
    options.registries = registries;
    if (options.loop_count == 0)
        options.loop_count = 1;
    if (options.drain_ms == 0)
        options.drain_ms = 2000;
    t->server = rpc_server_create(&options);
    t->port = rpc_server_listen(t->server, address, RPC_LISTEN_H2C, error,
                                sizeof error);
    if (t->port < 0)
        fail_msg("%s", error);
    assert_int_equal(rpc_server_start(t->server).code, RPC_OK);
}

static inline struct rpc_channel *kit_channel(
    fixture *t, struct rpc_channel_options options)
{
    char error[256];
    if (options.target == NULL)
        options.target = t->address;
    struct rpc_channel *channel =
        rpc_channel_create(t->loop, &options, error, sizeof error);
    if (channel == NULL)
        fail_msg("%s", error);
    return channel;
}

static inline fixture *kit_prepare(void)
{
    fixture *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->loop = loop_create();
    t->arena = arena_create();
    return t;
}

static inline fixture *kit_start(struct rpc_server_options server,
                                 struct rpc_channel_options channel)
{
    fixture *t = kit_prepare();
    kit_serve_at(t, "127.0.0.1:0", server);
    snprintf(t->address, sizeof t->address, "127.0.0.1:%d", t->port);
    t->channel = kit_channel(t, channel);
    return t;
}

static inline void kit_destroy_server(fixture *t)
{
    if (t->server == NULL)
        return;
    rpc_server_stop(t->server);
    rpc_server_destroy(t->server);
    t->server = NULL;
}

static inline int kit_stop(void **state)
{
    fixture *t = *state;
    rpc_channel_destroy(t->channel);
    loop_destroy(t->loop);
    kit_destroy_server(t);
    arena_destroy(t->arena);
    arena_thread_finish();
    free(t);
    return 0;
}

/* --- running on a coroutine --- */

struct kit_task {
    void (*fn)(struct rpc_call *call, void *argument);
    void *argument;
    struct rpc_call *call; /* while it runs */
    bool done;
};

static inline void kit_task_main(struct rpc_call *call, void *argument)
{
    struct kit_task *task = argument;
    task->call = call;
    task->fn(call, task->argument);
    task->call = NULL;
    task->done = true;
}

/* Does not wait. */
static inline void kit_spawn(fixture *t, struct kit_task *task,
                             void (*fn)(struct rpc_call *call, void *argument),
                             void *argument)
{
    *task = (struct kit_task){.fn = fn, .argument = argument};
    assert_non_null(rpc_task(NULL, t->loop, kit_task_main, task));
}

static inline void kit_wait(fixture *t, const struct kit_task *task)
{
    loop_run_until(t->loop, &task->done);
}

static inline void kit_run(fixture *t,
                           void (*fn)(struct rpc_call *call, void *argument),
                           void *argument)
{
    struct kit_task task;
    kit_spawn(t, &task, fn, argument);
    kit_wait(t, &task);
}

/* Lets the loop run until this is so. */
struct kit_until {
    struct loop_timer timer;
    fixture *t;
    bool (*holds)(void *argument);
    void *argument;
    bool done;
};

static inline void kit_look(struct loop_timer *timer)
{
    struct kit_until *until = (struct kit_until *)timer;
    until->done = until->holds(until->argument);
    if (!until->done)
        loop_timer_start(until->t->loop, timer, 2);
}

static inline void kit_run_until(fixture *t, bool (*holds)(void *argument),
                                 void *argument)
{
    struct kit_until until = {.t = t, .holds = holds, .argument = argument};
    loop_timer_init(&until.timer, kit_look);
    loop_timer_start(t->loop, &until.timer, 0);
    loop_run_until(t->loop, &until.done);
}

struct kit_stopping {
    fixture *t;
    atomic_bool done;
};

static inline void *kit_stopping_main(void *argument)
{
    struct kit_stopping *stopping = argument;
    kit_destroy_server(stopping->t);
    atomic_store(&stopping->done, true);
    return NULL;
}

static inline bool kit_has_stopped(void *argument)
{
    return atomic_load(&((struct kit_stopping *)argument)->done);
}

/* Drains and stops the server while the loop runs, as it does in life. */
static inline void kit_stop_server(fixture *t)
{
    struct kit_stopping stopping = {.t = t};
    pthread_t thread;
    assert_int_equal(
        pthread_create(&thread, NULL, kit_stopping_main, &stopping), 0);
    kit_run_until(t, kit_has_stopped, &stopping);
    pthread_join(thread, NULL);
}

/* --- one unary call --- */

struct unary {
    fixture *t;
    struct rpc_channel *channel;
    const struct rpc_method *method;
    const void *request;
    struct rpc_channel_call_options options;
    struct rpc_channel_reply reply;
    rpc_code code;
    char message[512];
    void *response; /* in the fixture's arena */
    char header[128], trailer[128];
    uint8_t details[512];
    size_t details_size;
    char peer[64];
};

static inline void keep_field(const struct rpc_field *fields, const char *name,
                              char text[128])
{
    const char *value =
        name == NULL ? NULL : rpc_channel_field(fields, name, NULL);
    snprintf(text, 128, "%s", value != NULL ? value : "");
}

#define KIT_HEADER "x-grpc-test-echo-initial"
#define KIT_TRAILER "x-grpc-test-echo-trailing-bin"

static inline void unary_task(struct rpc_call *call, void *argument)
{
    struct unary *u = argument;
    ProtobufCMessage *response;
    u->options.reply = &u->reply;
    rpc_status status = rpc_channel_call(call, u->channel, u->method,
                                         u->request, &response, &u->options);
    u->code = status.code;
    snprintf(u->message, sizeof u->message, "%s",
             status.message != NULL ? status.message : "");
    u->response = response == NULL ? NULL : codec_copy(u->t->arena, response);
    keep_field(u->reply.headers, KIT_HEADER, u->header);
    keep_field(u->reply.trailers, KIT_TRAILER, u->trailer);
    if (u->reply.details_size <= sizeof u->details && u->reply.details_size > 0)
        memcpy(u->details, u->reply.details, u->reply.details_size);
    u->details_size = u->reply.details_size;
    snprintf(u->peer, sizeof u->peer, "%s", u->reply.peer);
}

static inline const struct rpc_method *kit_method(const char *path)
{
    static const struct rpc_registry *const registries[] = {&test_registry,
                                                            &interop_registry};
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < registries[i]->service_count; j++) {
            const struct rpc_service *service = registries[i]->services[j];
            for (size_t k = 0; k < service->method_count; k++)
                if (strcmp(service->methods[k].path, path) == 0)
                    return &service->methods[k];
        }
    fail_msg("there is no method %s", path);
    return NULL;
}

#define TEST_METHOD(name) kit_method("/prbal.test.TestService/" name)
#define INTEROP_METHOD(name) kit_method("/grpc.testing.TestService/" name)

static inline struct unary unary_of(fixture *t, const struct rpc_method *method,
                                    const void *request)
{
    return (struct unary){
        .t = t, .channel = t->channel, .method = method, .request = request};
}

static inline struct unary kit_call(fixture *t, const struct rpc_method *method,
                                    const void *request,
                                    struct rpc_channel_call_options options)
{
    struct unary u = unary_of(t, method, request);
    u.options = options;
    kit_run(t, unary_task, &u);
    return u;
}

static inline struct unary kit_echo(fixture *t, const char *text,
                                    struct rpc_channel_call_options options)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = text;
    return kit_call(t, TEST_METHOD("Echo"), &req, options);
}

static inline void show_code(rpc_code code, rpc_code expected,
                             const char *message)
{
    if (code != expected)
        print_error("%s: %s\n", rpc_code_name(code), message);
}

/* For anything with a code and a message; a name, not a call: it is evaluated
 * more than once. */
#define assert_code(outcome, expected)                          \
    do {                                                        \
        show_code((outcome).code, expected, (outcome).message); \
        assert_string_equal(rpc_code_name((outcome).code),      \
                            rpc_code_name(expected));           \
    } while (0)

static inline void assert_echoed(struct unary u, const char *expected)
{
    assert_code(u, RPC_OK);
    assert_string_equal(((const EchoResponse *)u.response)->text, expected);
}

static inline void assert_failed(struct unary u, rpc_code expected)
{
    assert_code(u, expected);
}

#define assert_says(outcome, part)                                    \
    do {                                                              \
        if (strstr((outcome).message, part) == NULL)                  \
            fail_msg("no \"%s\" in \"%s\"", part, (outcome).message); \
    } while (0)

static const struct rpc_channel_call_options plain;

#endif
