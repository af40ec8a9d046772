#include "tests/rpc/here.h"

#include "rpc/loop.h"
#include "rpc/server_internal.h"

#include <limits.h>
#include <stdatomic.h>
#include <uv.h>

static atomic_int started, stopped, tasks_run;
static uv_sem_t task_over;
static _Thread_local struct rpc_server *mine;
static int failing_loop = -1;

static rpc_status on_loop_start(struct rpc_server *server, struct loop *loop)
{
    assert_ptr_equal(rpc_worker_of(loop)->server, server);
    if (rpc_worker_of(loop)->index == failing_loop)
        return (rpc_status){RPC_UNAVAILABLE, "no database"};
    mine = server;
    atomic_fetch_add(&started, 1);
    return RPC_SUCCESS;
}

static void on_loop_stop(struct rpc_server *server, struct loop *loop)
{
    (void)loop;
    if (mine == server)
        atomic_fetch_add(&stopped, 1);
    mine = NULL;
}

static int setup(void **state)
{
    (void)state;
    started = stopped = tasks_run = 0;
    failing_loop = -1;
    return 0;
}

static struct rpc_server *server_with(int loop_count)
{
    struct rpc_server_options options = {
        .registries = here_registries,
        .loop_count = loop_count,
        .hooks = {.loop_start = on_loop_start, .loop_stop = on_loop_stop},
    };
    return rpc_server_create(&options);
}

static void run_task(struct rpc_call *call, void *argument)
{
    (void)argument;
    if (mine == call->server && call->loop == loop_current())
        atomic_fetch_add(&tasks_run, 1);
    uv_sem_post(&task_over);
}

static void spawn_task(void *argument)
{
    rpc_task(argument, loop_current(), run_task, NULL);
}

static void each_loop_starts_and_stops_on_its_own_thread(void **state)
{
    (void)state;
    uv_sem_init(&task_over, 0);
    struct rpc_server *server = server_with(3);
    assert_int_equal(rpc_server_start(server).code, RPC_OK);
    assert_int_equal(started, 3);
    assert_int_equal(rpc_server_loop_count(server), 3);
    for (int i = 0; i < 3; i++)
        loop_post(rpc_server_loop(server, i), spawn_task, server);
    /* A server that goes down takes no more tasks. */
    for (int i = 0; i < 3; i++)
        uv_sem_wait(&task_over);
    rpc_server_stop(server);
    assert_int_equal(tasks_run, 3);
    assert_int_equal(stopped, 3);
    rpc_server_destroy(server);
    uv_sem_destroy(&task_over);
}

static void a_stopped_server_can_start_again(void **state)
{
    (void)state;
    struct rpc_server *server = server_with(2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rpc_server_start(server).code, RPC_OK);
        rpc_server_stop(server);
    }
    assert_int_equal(started, 4);
    assert_int_equal(stopped, 4);
    rpc_server_destroy(server);
}

static void a_loop_that_cannot_start_stops_the_others(void **state)
{
    (void)state;
    failing_loop = 1;
    struct rpc_server *server = server_with(3);
    rpc_status status = rpc_server_start(server);
    assert_int_equal(status.code, RPC_UNAVAILABLE);
    assert_string_equal(status.message, "no database");
    assert_int_equal(started, 1);
    assert_int_equal(stopped, 1);
    rpc_server_destroy(server);
}

static void a_call_in_flight_may_finish_while_draining(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){.drain_ms = 10000});
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 30;
    struct rpc_local *local = rpc_local_open(t->server, TEST_SLEEP, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    rpc_server_stop_here(t->server);
    assert_code(rpc_local_reply(local), RPC_OK);
    rpc_local_free(local);
    rpc_server_destroy(t->server);
    arena_destroy(t->arena);
    free(t);
}

static void a_call_that_takes_too_long_is_ended_by_the_drain(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){.drain_ms = 30});
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 50000;
    struct rpc_local *local = rpc_local_open(t->server, TEST_SLEEP, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    struct rpc_local *unfinished = rpc_local_open(t->server, TEST_ECHO, NULL);
    rpc_server_stop_here(t->server);
    assert_code(rpc_local_reply(local), RPC_UNAVAILABLE);
    assert_code(rpc_local_reply(unfinished), RPC_UNAVAILABLE);
    rpc_local_free(local);
    rpc_local_free(unfinished);
    rpc_server_destroy(t->server);
    arena_destroy(t->arena);
    free(t);
}

/* Work of the application's own, that wants to end by itself. */
static int looks_left;
static bool has_work(struct rpc_server *server, struct loop *loop)
{
    assert_ptr_equal(rpc_worker_of(loop)->server, server);
    looks_left -= looks_left > 0;
    return looks_left > 0;
}

static void stop_with_work(int looks, uint32_t drain_ms)
{
    struct rpc_server *server = rpc_server_create(&(struct rpc_server_options){
        .registries = here_registries,
        .drain_ms = drain_ms,
        .hooks = {.busy = has_work},
    });
    looks_left = looks;
    assert_int_equal(rpc_server_start_here(server).code, RPC_OK);
    rpc_server_stop_here(server);
    rpc_server_destroy(server);
}

static void work_of_the_application_may_finish_while_draining(void **state)
{
    (void)state;
    stop_with_work(5, 60000);
    assert_int_equal(looks_left, 0);
}

static void work_of_the_application_is_not_waited_for_without_end(void **state)
{
    (void)state;
    stop_with_work(INT_MAX, 30);
    assert_true(looks_left > 0);
}

static void methods_are_found_by_their_exact_path(void **state)
{
    (void)state;
    struct rpc_server *server = server_with(1);
    const struct rpc_method *echo = rpc_server_method(server, TEST_ECHO);
    assert_non_null(echo);
    assert_string_equal(echo->path, TEST_ECHO);
    assert_non_null(rpc_server_method(server, "/grpc.health.v1.Health/Check"));
    assert_null(rpc_server_method(server, "/prbal.test.TestService/echo"));
    /* Reflection was not asked for. */
    assert_null(rpc_server_method(
        server, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    rpc_server_destroy(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup(name, setup)
        CASE(each_loop_starts_and_stops_on_its_own_thread),
        CASE(a_stopped_server_can_start_again),
        CASE(a_loop_that_cannot_start_stops_the_others),
        CASE(a_call_in_flight_may_finish_while_draining),
        CASE(a_call_that_takes_too_long_is_ended_by_the_drain),
        CASE(work_of_the_application_may_finish_while_draining),
        CASE(work_of_the_application_is_not_waited_for_without_end),
        CASE(methods_are_found_by_their_exact_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
