#include "tests/rpc/here.h"

#include "rpc/clock.h"
#include "rpc/co_stack.h"
#include "rpc/loop.h"

#include <uv.h>

static int setup(void **state)
{
    *state = here_start((struct rpc_server_options){0});
    return 0;
}

static void a_request_comes_back_as_the_handler_answered_it(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    req.text = "hello";
    req.number = -7;
    struct rpc_reply reply = here_call(t, TEST_ECHO, NULL, &req);
    assert_code(reply, RPC_OK);
    const EchoResponse *res = (const EchoResponse *)reply.message;
    assert_string_equal(res->text, "hello");
    assert_int_equal(res->number, -7);
}

static void a_thousand_calls_take_no_more_memory_than_a_few(void **state)
{
    fixture *t = *state;
    for (int i = 0; i < 1000; i++) {
        assert_code(here_echo(t, "again"), RPC_OK);
        arena_reset(t->arena);
    }
}

static void a_unary_call_takes_exactly_one_message(void **state)
{
    fixture *t = *state;
    EchoRequest req = ECHO_REQUEST_INIT;
    for (int count = 0; count <= 2; count += 2) {
        struct rpc_local *local = rpc_local_open(t->server, TEST_ECHO, NULL);
        for (int i = 0; i < count; i++)
            rpc_local_send(local, &req);
        rpc_local_close_send(local);
        assert_code(rpc_local_reply(local), RPC_UNIMPLEMENTED);
        rpc_local_free(local);
    }
}

static void a_deadline_ends_a_sleeping_handler(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct rpc_local *local =
        rpc_local_open_with_timeout(t->server, TEST_SLEEP, NULL, 20);
    int64_t start_us = clock_monotonic_us();
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    assert_code(rpc_local_reply(local), RPC_DEADLINE_EXCEEDED);
    assert_true(clock_monotonic_us() - start_us < 10 * 1000000);
    assert_true(clock_monotonic_us() - start_us >= 19 * 1000);
    rpc_local_free(local);
}

static void a_deadline_ends_a_call_whose_body_never_comes(void **state)
{
    fixture *t = *state;
    struct rpc_local *local =
        rpc_local_open_with_timeout(t->server, TEST_ECHO, NULL, 20);
    assert_code(rpc_local_reply(local), RPC_DEADLINE_EXCEEDED);
    rpc_local_free(local);
}

static void a_cancelled_sleep_frees_its_coroutine_at_once(void **state)
{
    fixture *t = *state;
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct rpc_local *local = rpc_local_open(t->server, TEST_SLEEP, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    assert_null(rpc_local_next(local, t->arena, 1));
    assert_true(rpc_local_is_open(local));
    rpc_local_cancel(local);
    assert_code(rpc_local_reply(local), RPC_CANCELLED);
    rpc_local_free(local);
    /* here_stop() would wait a minute for the handler. */
}

static void internal_errors_keep_their_text_from_strangers(void **state)
{
    fixture *t = *state;
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = RPC_INTERNAL;
    req.message = "password of the database is hunter2";
    struct rpc_reply reply = here_call(t, TEST_FAIL, NULL, &req);
    assert_code(reply, RPC_INTERNAL);
    assert_string_equal(reply.status.message, "internal error");
}

static void a_code_that_does_not_exist_becomes_unknown(void **state)
{
    fixture *t = *state;
    FailRequest req = FAIL_REQUEST_INIT;
    req.code = 77;
    req.message = "?";
    struct rpc_reply reply = here_call(t, TEST_FAIL, NULL, &req);
    assert_int_equal(reply.status.code, RPC_UNKNOWN);
}

static void bytes_that_are_no_message_are_refused(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = rpc_local_open(t->server, TEST_ECHO, NULL);
    rpc_local_send_bytes(local, "\x0a\x05zz", 4);
    assert_code(rpc_local_reply(local), RPC_INVALID_ARGUMENT);
    rpc_local_free(local);
}

static void a_call_without_a_stack_is_refused_and_told_to_come_back(
    void **state)
{
    fixture *t = *state;
    struct rpc_local *sleeping = rpc_local_open(t->server, TEST_SLEEP, NULL);
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    rpc_local_send(sleeping, &req);
    rpc_local_close_send(sleeping);
    assert_null(rpc_local_next(sleeping, t->arena, 1));

    co_stacks_limit(1);
    struct rpc_reply reply = here_echo(t, "");
    co_stacks_limit(30000);
    assert_code(reply, RPC_RESOURCE_EXHAUSTED);
    assert_string_equal(here_header(reply.trailers, "grpc-retry-pushback-ms"),
                        "1000");
    assert_code(here_echo(t, ""), RPC_OK);
    rpc_local_free(sleeping);
}

/* --- tasks ---------------------------------------------------------------- */

struct task {
    char trace[32];
    bool done;
    bool offloaded_elsewhere;
    uv_thread_t loop_thread;
    rpc_status status;
    struct rpc_call *call;
};

static void mark(struct task *task, char c)
{
    task->trace[strlen(task->trace)] = c;
}

static void defer_a(void *argument)
{
    mark(argument, 'a');
}

static void defer_b(void *argument)
{
    mark(argument, 'b');
    rpc_status status = rpc_sleep(((struct task *)argument)->call, 1);
    mark(argument, status.code == RPC_OK ? 's' : '-');
}

static void defer_done(void *argument)
{
    struct task *task = argument;
    mark(task, '.');
    task->done = true;
}

static void taken_back(void *argument)
{
    mark(((struct task **)argument)[0], 'x');
}

static void defers(struct rpc_call *call, void *argument)
{
    struct task *task = argument;
    struct task *other[1] = {task};
    task->call = call;
    rpc_defer(call, defer_done, task);
    rpc_defer(call, defer_a, task);
    rpc_defer(call, taken_back, other);
    rpc_defer(call, defer_b, task);
    rpc_undefer(call, other);
}

static void defers_run_last_first_and_may_suspend(void **state)
{
    fixture *t = *state;
    struct task task = {0};
    struct loop *loop = rpc_server_loop(t->server, 0);
    assert_non_null(rpc_task(t->server, loop, defers, &task));
    loop_run_until(loop, &task.done);
    assert_string_equal(task.trace, "bsa.");
}

static void on_pool(void *argument)
{
    struct task *task = argument;
    uv_thread_t self = uv_thread_self();
    task->offloaded_elsewhere = !uv_thread_equal(&self, &task->loop_thread);
}

static void offloads(struct rpc_call *call, void *argument)
{
    struct task *task = argument;
    task->status = rpc_offload(call, on_pool, task);
    task->done = true;
}

static void offloaded_work_runs_on_another_thread(void **state)
{
    fixture *t = *state;
    struct task task = {.loop_thread = uv_thread_self()};
    struct loop *loop = rpc_server_loop(t->server, 0);
    rpc_task(t->server, loop, offloads, &task);
    loop_run_until(loop, &task.done);
    assert_true(task.offloaded_elsewhere);
    assert_int_equal(task.status.code, RPC_OK);
}

static void sleeps_for_ever(struct rpc_call *call, void *argument)
{
    struct task *task = argument;
    task->status = rpc_sleep(call, 3600 * 1000);
}

static void a_stopping_server_cancels_its_tasks(void **state)
{
    (void)state;
    fixture *t = here_start((struct rpc_server_options){0});
    struct task task = {0};
    rpc_task(t->server, rpc_server_loop(t->server, 0), sleeps_for_ever, &task);
    here_stop((void **)&t);
    assert_int_equal(task.status.code, RPC_CANCELLED);
}

static void a_bare_task_needs_no_server(void **state)
{
    (void)state;
    struct loop *loop = loop_create();
    struct task task = {.loop_thread = uv_thread_self()};
    rpc_task(NULL, loop, offloads, &task);
    loop_run_until(loop, &task.done);
    loop_destroy(loop);
    assert_true(task.offloaded_elsewhere);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
        CASE(a_request_comes_back_as_the_handler_answered_it),
        CASE(a_thousand_calls_take_no_more_memory_than_a_few),
        CASE(a_unary_call_takes_exactly_one_message),
        CASE(a_deadline_ends_a_sleeping_handler),
        CASE(a_deadline_ends_a_call_whose_body_never_comes),
        CASE(a_cancelled_sleep_frees_its_coroutine_at_once),
        CASE(internal_errors_keep_their_text_from_strangers),
        CASE(a_code_that_does_not_exist_becomes_unknown),
        CASE(bytes_that_are_no_message_are_refused),
        CASE(a_call_without_a_stack_is_refused_and_told_to_come_back),
        CASE(defers_run_last_first_and_may_suspend),
        CASE(offloaded_work_runs_on_another_thread),
        cmocka_unit_test(a_stopping_server_cancels_its_tasks),
        cmocka_unit_test(a_bare_task_needs_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
