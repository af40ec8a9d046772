#include "tests/rpc/here.h"

#include "grpc/health/v1/health.rpc.h"

#define CHECK "/grpc.health.v1.Health/Check"
#define LIST "/grpc.health.v1.Health/List"
#define WATCH "/grpc.health.v1.Health/Watch"

static bool is_ready;

static bool ready(struct rpc_server *server)
{
    (void)server;
    return is_ready;
}

static int setup(void **state)
{
    is_ready = true;
    *state = here_start((struct rpc_server_options){.hooks.ready = ready});
    return 0;
}

static int status_in(const ProtobufCMessage *message)
{
    assert_non_null(message);
    return (int)((const HealthCheckResponse *)message)->status;
}

static struct rpc_reply check(fixture *t, const char *service)
{
    HealthCheckRequest req = HEALTH_CHECK_REQUEST_INIT;
    req.service = service;
    return here_call(t, CHECK, NULL, &req);
}

static void a_ready_server_and_its_services_serve(void **state)
{
    fixture *t = *state;
    assert_int_equal(status_in(check(t, "").message), SERVING_STATUS_SERVING);
    assert_int_equal(status_in(check(t, "prbal.test.TestService").message),
                     SERVING_STATUS_SERVING);
    assert_code(check(t, "prbal.test.Nobody"), RPC_NOT_FOUND);
}

static void the_list_has_the_server_and_all_services(void **state)
{
    fixture *t = *state;
    HealthListRequest req = HEALTH_LIST_REQUEST_INIT;
    struct rpc_reply reply = here_call(t, LIST, NULL, &req);
    assert_code(reply, RPC_OK);
    const HealthListResponse *res = (const HealthListResponse *)reply.message;
    bool has_test = false, has_server = false;
    for (size_t i = 0; i < res->n_statuses; i++) {
        has_server |= res->statuses[i]->key[0] == '\0';
        has_test |=
            strcmp(res->statuses[i]->key, "prbal.test.TestService") == 0;
        assert_int_equal(res->statuses[i]->value->status,
                         SERVING_STATUS_SERVING);
    }
    assert_true(has_server && has_test);
}

static struct rpc_local *watch(fixture *t, const char *service)
{
    HealthCheckRequest req = HEALTH_CHECK_REQUEST_INIT;
    req.service = service;
    struct rpc_local *local = rpc_local_open(t->server, WATCH, NULL);
    rpc_local_send(local, &req);
    rpc_local_close_send(local);
    return local;
}

static void a_watcher_hears_of_every_change(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = watch(t, "");
    assert_int_equal(status_in(rpc_local_next(local, t->arena, 5000)),
                     SERVING_STATUS_SERVING);
    is_ready = false;
    assert_int_equal(status_in(rpc_local_next(local, t->arena, 5000)),
                     SERVING_STATUS_NOT_SERVING);
    is_ready = true;
    assert_int_equal(status_in(rpc_local_next(local, t->arena, 5000)),
                     SERVING_STATUS_SERVING);
    rpc_local_free(local);
}

static void a_watch_of_an_unknown_service_stays_open(void **state)
{
    fixture *t = *state;
    struct rpc_local *local = watch(t, "nobody");
    assert_int_equal(status_in(rpc_local_next(local, t->arena, 5000)),
                     SERVING_STATUS_SERVICE_UNKNOWN);
    assert_true(rpc_local_is_open(local));
    rpc_local_free(local);
}

static void a_server_that_goes_down_says_so_first(void **state)
{
    (void)state;
    is_ready = true;
    fixture *t = here_start((struct rpc_server_options){.hooks.ready = ready});
    struct rpc_local *local = watch(t, "");
    assert_int_equal(status_in(rpc_local_next(local, t->arena, 5000)),
                     SERVING_STATUS_SERVING);
    rpc_server_stop_here(t->server);
    assert_int_equal(status_in(rpc_local_next(local, t->arena, 5000)),
                     SERVING_STATUS_NOT_SERVING);
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
        CASE(a_ready_server_and_its_services_serve),
        CASE(the_list_has_the_server_and_all_services),
        CASE(a_watcher_hears_of_every_change),
        CASE(a_watch_of_an_unknown_service_stays_open),
        cmocka_unit_test(a_server_that_goes_down_says_so_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
