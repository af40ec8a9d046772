/* usage: steadyclient HOST:PORT CA-FILE METHOD
 *
 * Calls a unary method with an empty request, again and again, until a SIGTERM:
 * 16 callers share a channel, and 2 more make a new connection for each call.
 * Then "N calls, N failed", and the first failures in words. */
#include "prbal/v1/registry.rpc.h"
#include "rpc/channel.h"
#include "rpc/codec.h"
#include "rpc/loop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALLERS = 18,
    CONNECTING_CALLERS = 2,
    PAUSE_MS = 1, /* steady, not as fast as can be */
    TOLD_MAX = 10,
};

struct load {
    struct loop *loop;
    struct rpc_channel_options options;
    struct rpc_channel_tls tls;
    const struct rpc_method *method;
    struct rpc_channel *channel;
    long calls, failures;
    int callers; /* that have not ended */
    bool over;
};

struct caller {
    struct load *load;
    bool connects;
};

static volatile sig_atomic_t told_to_stop;

static void on_signal(int number)
{
    (void)number;
    told_to_stop = 1;
}

static const struct rpc_method *find(const char *path)
{
    for (size_t i = 0; i < prbal_registry.service_count; i++) {
        const struct rpc_service *service = prbal_registry.services[i];
        for (size_t j = 0; j < service->method_count; j++)
            if (strcmp(service->methods[j].path, path) == 0)
                return &service->methods[j];
    }
    return NULL;
}

static struct rpc_channel *new_channel(struct load *load)
{
    char error[256];
    struct rpc_channel *channel =
        rpc_channel_create(load->loop, &load->options, error, sizeof error);
    if (channel != NULL)
        return channel;
    fprintf(stderr, "%s\n", error);
    exit(2);
}

static void count(struct load *load, rpc_status status)
{
    load->calls++;
    if (status.code == RPC_OK)
        return;
    if (load->failures++ < TOLD_MAX)
        printf("%s: %s\n", rpc_code_name(status.code), status.message);
}

static void call_once(struct rpc_call *call, struct caller *caller)
{
    struct load *load = caller->load;
    const struct rpc_channel_call_options options = {.timeout_ms = 20000};
    struct rpc_channel *channel =
        caller->connects ? new_channel(load) : load->channel;
    ProtobufCMessage *req = codec_new(call->arena, load->method->request);
    ProtobufCMessage *res;
    count(load,
          rpc_channel_call(call, channel, load->method, req, &res, &options));
    if (caller->connects)
        rpc_channel_destroy(channel);
    rpc_sleep(call, PAUSE_MS);
}

/* A call's memory ends with its task, so each has its own. */
static void go_on(struct rpc_call *call, void *argument)
{
    struct caller *caller = argument;
    call_once(call, caller);
    if (!told_to_stop) {
        rpc_task(NULL, caller->load->loop, go_on, caller);
        return;
    }
    caller->load->over = --caller->load->callers == 0;
}

int main(int argument_count, char **arguments)
{
    struct caller callers[CALLERS];
    struct load load = {.callers = CALLERS};
    if (argument_count != 4 || (load.method = find(arguments[3])) == NULL) {
        fprintf(stderr, "usage: steadyclient HOST:PORT CA-FILE METHOD\n");
        return 2;
    }
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);
    load.tls = (struct rpc_channel_tls){.ca_path = arguments[2],
                                        .server_name = "localhost"};
    load.options =
        (struct rpc_channel_options){.target = arguments[1], .tls = &load.tls};
    load.loop = loop_create();
    load.channel = new_channel(&load);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){&load, i < CONNECTING_CALLERS};
        rpc_task(NULL, load.loop, go_on, &callers[i]);
    }
    loop_run_until(load.loop, &load.over);
    printf("%ld calls, %ld failed\n", load.calls, load.failures);
    rpc_channel_destroy(load.channel);
    loop_destroy(load.loop);
    arena_thread_finish();
    return load.failures == 0 ? 0 : 1;
}
