#include "tests/rpc/here.h"

#include "rpc/codec.h"
#include "rpc/loop.h"
#include "rpc/server_internal.h"
#include "rpc/stream.h"

/* A service whose one stream hands itself to the test. */
struct owner {
    struct rpc_tail *tail;
    int closed, drained;
    bool ends_when_drained;
};
static struct owner owner;

static void on_closed(struct rpc_tail *tail, void *argument)
{
    struct owner *o = argument;
    assert_ptr_equal(tail, o->tail);
    o->tail = NULL;
    o->closed++;
}

static void on_drain(struct rpc_tail *tail, void *argument)
{
    struct owner *o = argument;
    o->drained++;
    if (!o->ends_when_drained)
        return;
    rpc_tail_end_reason(tail, RPC_UNAVAILABLE, "RESUME", "come back");
    o->tail = NULL;
}

static const struct rpc_tail_hooks hooks = {on_closed, on_drain};

static rpc_status hands_over(struct rpc_call *call, const void *req,
                             struct rpc_out *out)
{
    (void)req;
    (void)call;
    EchoResponse hello = ECHO_RESPONSE_INIT;
    hello.text = "hello";
    TRY(rpc_send(out, &hello));
    owner.tail = rpc_detach(out, &hooks, &owner);
    return RPC_SUCCESS;
}

/* Does not look whether anyone is still there. */
static rpc_status hands_over_late(struct rpc_call *call, const void *req,
                                  struct rpc_out *out)
{
    (void)req;
    rpc_status status = rpc_sleep(call, 60000);
    assert_int_not_equal(status.code, RPC_OK);
    owner.tail = rpc_detach(out, &hooks, &owner);
    return RPC_SUCCESS;
}

#define TAIL_METHOD(name, handler)                                           \
    {                                                                        \
        .path = "/prbal.test.Tails/" name, .kind = RPC_SERVER_STREAM,        \
        .access = RPC_ACCESS_OPEN, .request = &pb__echo_request__descriptor, \
        .response = &pb__echo_response__descriptor, .server_stream = handler \
    }
static const struct rpc_method methods[] = {
    TAIL_METHOD("Subscribe", hands_over),
    TAIL_METHOD("Late", hands_over_late),
};
static const struct rpc_service service = {"prbal.test.Tails", methods, 2};
static const struct rpc_service *const services[] = {&service};
static const struct rpc_registry registry = {services, 1, NULL, 0, NULL, 0};
static const struct rpc_registry *const registries[] = {&registry, NULL};

static int setup(void **state)
{
    owner = (struct owner){.ends_when_drained = true};
    *state = here_start(
        (struct rpc_server_options){.registries = registries, .drain_ms = 50});
    return 0;
}

static struct rpc_local *subscribe(fixture *t, int64_t timeout_ms)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    struct rpc_local *local = rpc_local_open_with_timeout(
        t->server, methods[0].path, NULL, timeout_ms);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    assert_non_null(rpc_local_next(local, t->arena, 5000));
    assert_non_null(owner.tail);
    return local;
}

static bool tail_says(const char *text)
{
    EchoResponse message = ECHO_RESPONSE_INIT;
    message.text = text;
    uint8_t bytes[64];
    codec_encode(&message.base, bytes);
    return rpc_tail_send(owner.tail, bytes, codec_size(&message.base));
}

static void a_tail_goes_on_without_a_coroutine(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = subscribe(t, 60000);
    struct rpc_worker *worker = rpc_worker_of(rpc_server_loop(t->server, 0));
    assert_null(worker->calls);
    assert_int_equal(worker->calls_in_flight, 0);

    assert_true(tail_says("news"));
    EchoResponse *res = (EchoResponse *)rpc_local_next(local, t->arena, 5000);
    assert_string_equal(res->text, "news");

    rpc_tail_end(owner.tail, RPC_ABORTED, "resume");
    assert_code(rpc_local_reply(local), RPC_ABORTED);
    assert_int_equal(owner.closed, 0);
    rpc_local_free(local);
}

static void a_client_that_goes_away_closes_the_tail(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = subscribe(t, 60000);
    rpc_local_free(local);
    assert_int_equal(owner.closed, 1);
    assert_null(owner.tail);
}

static void the_deadline_goes_with_the_tail(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = subscribe(t, 30);
    assert_code(rpc_local_reply(local), RPC_DEADLINE_EXCEEDED);
    assert_int_equal(owner.closed, 1);
    rpc_local_free(local);
}

static void a_slow_reader_is_told_to_the_owner(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = subscribe(t, 60000);
    int sent = 0;
    while (sent < 100000 &&
           tail_says("0123456789012345678901234567890123456789"))
        sent++;
    assert_in_range(sent, RPC_TAIL_BYTES_MAX / 42 - 1,
                    RPC_TAIL_BYTES_MAX / 42 + 1);
    assert_true(rpc_tail_queued(owner.tail) <= RPC_TAIL_BYTES_MAX);
    rpc_tail_end_reason(owner.tail, RPC_ABORTED, "SLOW_READER", "too slow");
    struct rpc_reply reply = rpc_local_reply(local);
    assert_code(reply, RPC_ABORTED);
    assert_true(reply.details_size > 0);
    rpc_local_free(local);
}

static void a_draining_server_asks_tails_to_end(void **state)
{
    (void)state;
    owner = (struct owner){.ends_when_drained = true};
    fixture *t = here_start((struct rpc_server_options){
        .registries = registries, .drain_ms = 60000});
    struct rpc_local *local = subscribe(t, 60000);
    rpc_server_stop_here(t->server); /* returns: the tail has ended itself */
    assert_int_equal(owner.drained, 1);
    assert_int_equal(owner.closed, 0);
    assert_code(rpc_local_reply(local), RPC_UNAVAILABLE);
    rpc_local_free(local);
    rpc_server_destroy(t->server);
    arena_destroy(t->arena);
    free(t);
}

static void a_tail_that_will_not_end_is_closed_after_the_drain(void **state)
{
    (void)state;
    owner = (struct owner){.ends_when_drained = false};
    fixture *t = here_start(
        (struct rpc_server_options){.registries = registries, .drain_ms = 50});
    struct rpc_local *local = subscribe(t, 60000);
    rpc_server_stop_here(t->server);
    assert_int_equal(owner.drained, 1);
    assert_int_equal(owner.closed, 1);
    assert_code(rpc_local_reply(local), RPC_UNAVAILABLE);
    rpc_local_free(local);
    rpc_server_destroy(t->server);
    arena_destroy(t->arena);
    free(t);
}

static struct rpc_local *subscribe_late(fixture *t)
{
    EchoRequest req = ECHO_REQUEST_INIT;
    struct rpc_local *local = rpc_local_open(t->server, methods[1].path, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    assert_null(rpc_local_next(local, t->arena, 1));
    return local;
}

static void a_tail_made_after_the_client_has_gone_is_closed(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = subscribe_late(t);
    rpc_local_free(local);
    /* Something to wait for while the loop runs. */
    struct rpc_local *clock =
        rpc_local_open_with_timeout(t->server, methods[1].path, NULL, 20);
    rpc_local_reply(clock);
    rpc_local_free(clock);
    assert_int_equal(owner.closed, 1);
    assert_null(owner.tail);
}

static void a_tail_made_after_the_drain_ends_with_its_call(void **state)
{
    (void)state;
    owner = (struct owner){0};
    fixture *t = here_start(
        (struct rpc_server_options){.registries = registries, .drain_ms = 30});
    struct rpc_local *local = subscribe_late(t);
    rpc_server_stop_here(t->server); /* must not wait for the tail for ever */
    assert_int_equal(owner.closed, 1);
    assert_code(rpc_local_reply(local), RPC_UNAVAILABLE);
    rpc_local_free(local);
    rpc_server_destroy(t->server);
    arena_destroy(t->arena);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
        CASE(a_tail_goes_on_without_a_coroutine),
        CASE(a_client_that_goes_away_closes_the_tail),
        CASE(the_deadline_goes_with_the_tail),
        CASE(a_slow_reader_is_told_to_the_owner),
        cmocka_unit_test(a_draining_server_asks_tails_to_end),
        CASE(a_tail_made_after_the_client_has_gone_is_closed),
        cmocka_unit_test(a_tail_made_after_the_drain_ends_with_its_call),
        cmocka_unit_test(a_tail_that_will_not_end_is_closed_after_the_drain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
