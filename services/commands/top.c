/* prbald top: asks the running server over its operator's socket. */
#include "services/commands/top.h"

#include "prbal/runtime/v1/runtime.client.h"
#include "rpc/clock.h"
#include "rpc/codec.h"
#include "rpc/loop.h"
#include "services/app.h"
#include "services/commands/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    ADDRESS_BYTES = 4200,
    EVERY_S = 2,
    EVERY_S_MAX = 3600,
    CALL_MS = 5000,
    PAGE_SIZE = 1000,
    ROWS = 20, /* of each table, without a terminal that says */
    ROWS_MIN = 3,
    TABLES = 4,      /* that share a terminal's height */
    HEAD_LINES = 20, /* which the other lines take of it */
};

struct top {
    bool once, json;
    int64_t every_ms;
    char address[ADDRESS_BYTES]; /* "unix:/path" */
    struct loop *loop;
    struct rpc_channel *channel;
    struct top_sample samples[2];
    bool is_asked; /* the round's answers are here, or it failed */
    bool failed;
    char error[COMMAND_ERROR_BYTES];
};

/* --- asking --------------------------------------------------------------- */

static void *keep(struct top_sample *sample, const void *message)
{
    return codec_copy(sample->arena, message);
}

static rpc_status ask(struct top *top, struct rpc_call *call,
                      struct top_sample *sample)
{
    const struct rpc_channel_call_options options = {.timeout_ms = CALL_MS};
    GetServerStateRequest state_request = GET_SERVER_STATE_REQUEST_INIT;
    ListServerCallsRequest calls_request = LIST_SERVER_CALLS_REQUEST_INIT;
    ListServerConnectionsRequest connections_request =
        LIST_SERVER_CONNECTIONS_REQUEST_INIT;
    GetServerStateResponse *state;
    ListServerCallsResponse *calls;
    ListServerConnectionsResponse *connections;
    calls_request.page_size = connections_request.page_size = PAGE_SIZE;
    TRY(runtime_get_server_state_call(call, top->channel, &state_request,
                                      &state, &options));
    sample->state = keep(sample, state);
    TRY(runtime_list_server_calls_call(call, top->channel, &calls_request,
                                       &calls, &options));
    sample->calls = keep(sample, calls);
    TRY(runtime_list_server_connections_call(
        call, top->channel, &connections_request, &connections, &options));
    sample->connections = keep(sample, connections);
    sample->at_us = clock_wall_us();
    return RPC_SUCCESS;
}

static void ask_task(struct rpc_call *call, void *argument)
{
    struct top *top = argument;
    rpc_status status = ask(top, call, &top->samples[0]);
    top->failed = status.code != RPC_OK;
    if (top->failed)
        snprintf(top->error, sizeof top->error, "%s", status.message);
    top->is_asked = true;
}

static bool ask_server(struct top *top)
{
    top->is_asked = false;
    if (rpc_task(NULL, top->loop, ask_task, top) == NULL)
        return false;
    loop_run_until(top->loop, &top->is_asked);
    return !top->failed;
}

/* --- rounds --------------------------------------------------------------- */

struct pause {
    struct loop_timer timer;
    bool is_over;
};

static void on_pause_over(struct loop_timer *timer)
{
    ((struct pause *)timer)->is_over = true;
}

static void wait_for_next(struct top *top)
{
    struct pause pause = {.is_over = false};
    loop_timer_init(&pause.timer, on_pause_over);
    loop_timer_start(top->loop, &pause.timer, top->every_ms);
    loop_run_until(top->loop, &pause.is_over);
}

/* Rows of each table: what fits the terminal, where there is one. */
static size_t rows_that_fit(const struct top *top)
{
    struct winsize size;
    if (top->once || !isatty(STDOUT_FILENO) ||
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return ROWS;
    int rows = ((int)size.ws_row - HEAD_LINES) / TABLES;
    return rows > ROWS_MIN ? (size_t)rows : ROWS_MIN;
}

static void show(const struct top *top)
{
    const struct top_sample *previous =
        top->samples[1].state == NULL ? NULL : &top->samples[1];
    if (top->json) {
        top_print_json(stdout, &top->samples[0]);
        return;
    }
    if (!top->once && isatty(STDOUT_FILENO))
        printf("\033[H\033[J"); /* to the corner, and clear */
    top_print(stdout, &top->samples[0], previous, rows_that_fit(top));
}

/* This round's sample becomes the one before. */
static void turn_over(struct top *top)
{
    struct top_sample old = top->samples[1];
    top->samples[1] = top->samples[0];
    arena_reset(old.arena);
    top->samples[0] = (struct top_sample){.arena = old.arena};
}

static int say_why(const struct top *top)
{
    const char *path = top->address + strlen("unix:");
    if (access(path, F_OK) != 0)
        return command_fail("there is no server at %s: start one with `prbald "
                            "serve`, or name its data folder with PRBAL_DATA.",
                            path);
    if (access(path, R_OK | W_OK) != 0)
        return command_fail("%s is for the server's own user and root: run "
                            "this as one of them.",
                            path);
    return command_fail("the server at %s does not answer: %s.", path,
                        top->error);
}

static int run_rounds(struct top *top)
{
    for (;;) {
        if (!ask_server(top))
            return say_why(top);
        show(top);
        /* The reader of a pipe may have gone. */
        if (fflush(stdout) != 0 || top->once)
            return COMMAND_DONE;
        turn_over(top);
        wait_for_next(top);
    }
}

static int run_with_loop(struct top *top)
{
    top->loop = loop_create();
    const struct rpc_channel_options options = {.target = top->address,
                                                .authority = "localhost"};
    top->channel =
        rpc_channel_create(top->loop, &options, top->error, sizeof top->error);
    int status =
        top->channel == NULL ? command_fail("%s", top->error) : run_rounds(top);
    rpc_channel_destroy(top->channel);
    loop_destroy(top->loop);
    return status;
}

/* --- the command ---------------------------------------------------------- */

/* NULL, or the argument that is none of ours. */
static const char *read_arguments(struct top *top, const char *const *arguments)
{
    for (; *arguments != NULL; arguments++) {
        char *end;
        if (strcmp(*arguments, "--once") == 0) {
            top->once = true;
        } else if (strcmp(*arguments, "--json") == 0) {
            top->json = true;
        } else if (strcmp(*arguments, "--every") == 0 && arguments[1] != NULL) {
            long seconds = strtol(*++arguments, &end, 10);
            if (*end != '\0' || seconds < 1 || seconds > EVERY_S_MAX)
                return *arguments;
            top->every_ms = seconds * 1000;
        } else {
            return *arguments;
        }
    }
    return NULL;
}

static int run(const char *const *arguments)
{
    struct top *top = calloc(1, sizeof *top);
    if (top == NULL)
        abort();
    top->every_ms = EVERY_S * 1000;
    const char *bad = read_arguments(top, arguments);
    app_admin_address(top->address, sizeof top->address);
    top->samples[0].arena = arena_create();
    top->samples[1].arena = arena_create();
    int status =
        bad == NULL ? run_with_loop(top) : command_misused(&command_top, bad);
    arena_destroy(top->samples[0].arena);
    arena_destroy(top->samples[1].arena);
    arena_thread_finish();
    free(top);
    return status;
}

const struct command command_top = {
    .name = "top",
    .summary = "Shows what the running server is doing",
    .arguments = "[--once] [--json] [--every SECONDS]",
    .help =
        "Calls in flight and what they wait for, methods with their "
        "latencies, connections,\nlimits and what they refused, memory by "
        "owner.  Refreshed every 2 seconds until\nCtrl-C; without a terminal "
        "the tables follow each other.\n\n"
        "  --once           prints one round and ends; rates are those since "
        "the start\n"
        "  --json           a line of JSON each round, with all that is "
        "known\n"
        "  --every SECONDS  another time between two rounds, 1 to 3600\n\n"
        "Run it on the server's machine as the server's user or root: it asks "
        "by the socket\nadmin.sock in the data folder (PRBAL_DATA), or the one "
        "that PRBAL_ADMIN_SOCKET names.\nA server that is full answers it all "
        "the same.\n",
    .run = run,
};
