/* prbal.runtime.v1 by the operator's socket. */
#include "grpc/health/v1/health.rpc.h"
#include "prbal/runtime/v1/runtime.rpc.h"
#include "tests/wire/operator.h"

#define RUNTIME "/prbal.runtime.v1.RuntimeService/"
#define WATCH "/grpc.health.v1.Health/Watch"

static size_t pools(struct loop *loop, struct rpc_pool *to, size_t room)
{
    (void)loop;
    assert_true(room >= 2);
    to[0] = (struct rpc_pool){"links", 1, 2, 3, 4, true};
    to[1] = (struct rpc_pool){"printers", 1, 0, 0, 1, false};
    return 2;
}

static int start(void **state)
{
    *state = operator_start((struct rpc_server_options){
        .loop_count = 2, .version = "1.2.3", .hooks.pools = pools});
    return 0;
}

static const GetServerStateResponse *get_state(fixture *t)
{
    GetServerStateRequest req = GET_SERVER_STATE_REQUEST_INIT;
    struct client_response *r =
        wire_call(t, RUNTIME "GetServerState", NULL, framed(t, &req));
    assert_grpc(r, 200, RPC_OK);
    return message_at(t, GET_SERVER_STATE_RESPONSE_DESCRIPTOR, r, 0);
}

static const ListServerCallsResponse *list_calls(fixture *t, uint32_t size)
{
    ListServerCallsRequest req = LIST_SERVER_CALLS_REQUEST_INIT;
    req.page_size = size;
    struct client_response *r =
        wire_call(t, RUNTIME "ListServerCalls", NULL, framed(t, &req));
    assert_grpc(r, 200, RPC_OK);
    return message_at(t, LIST_SERVER_CALLS_RESPONSE_DESCRIPTOR, r, 0);
}

static const ListServerConnectionsResponse *list_connections(fixture *t,
                                                             uint32_t size)
{
    ListServerConnectionsRequest req = LIST_SERVER_CONNECTIONS_REQUEST_INIT;
    req.page_size = size;
    struct client_response *r =
        wire_call(t, RUNTIME "ListServerConnections", NULL, framed(t, &req));
    assert_grpc(r, 200, RPC_OK);
    return message_at(t, LIST_SERVER_CONNECTIONS_RESPONSE_DESCRIPTOR, r, 0);
}

/* NULL when no call of it is there. */
static const ServerCall *call_of(const ListServerCallsResponse *list,
                                 const char *path)
{
    for (size_t i = 0; i < list->n_calls; i++)
        if (strcmp(list->calls[i]->method, path + 1) == 0)
            return list->calls[i];
    return NULL;
}

static const ServerMethod *method_of(const GetServerStateResponse *state,
                                     const char *name)
{
    for (size_t i = 0; i < state->n_methods; i++)
        if (strcmp(state->methods[i]->name, name) == 0)
            return state->methods[i];
    return NULL;
}

static int64_t finished_with(const ServerMethod *method, const char *code)
{
    for (size_t i = 0; method != NULL && i < method->n_finished; i++)
        if (strcmp(method->finished[i]->code, code) == 0)
            return method->finished[i]->count;
    return 0;
}

static const ServerLimit *limit_of(const GetServerStateResponse *state,
                                   const char *name)
{
    for (size_t i = 0; i < state->n_limits; i++)
        if (strcmp(state->limits[i]->name, name) == 0)
            return state->limits[i];
    return NULL;
}

/* A call that sleeps, on a connection of its own. */
static struct client *begin_sleep(fixture *t, const struct rpc_header *headers)
{
    SleepRequest req = SLEEP_REQUEST_INIT;
    req.sleep_ms = 60000;
    struct client *client = client_connect(t->port);
    struct bytes body = framed(t, &req);
    client_request(client, TEST_SLEEP, headers, body.data, body.size, true);
    client_ping(client);
    return client;
}

/* --- the state --- */

static void the_process_and_its_loops_are_told(void **state)
{
    fixture *t = *state;
    const GetServerStateResponse *s = get_state(t);
    assert_string_equal(s->version, "1.2.3");
    assert_int_equal(s->process_id, getpid());
    assert_false(s->is_draining);
    assert_true(s->cpu_seconds > 0 && s->resident_bytes > 1000000);
    assert_int_equal(s->n_loops, 2);
    uint32_t connections = 0, calls = 0;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(s->loops[i]->index, i);
        assert_true(s->loops[i]->passes > 0);
        assert_true(s->loops[i]->memory_bytes_max > 0);
        connections += s->loops[i]->connections;
        calls += s->loops[i]->calls;
    }
    assert_int_equal(connections, 1);
    assert_int_equal(calls, 1); /* the one that asks */
}

static void methods_are_counted_by_what_they_answered(void **state)
{
    fixture *t = *state;
    const GetServerStateResponse *before = get_state(t);
    for (int i = 0; i < 3; i++)
        assert_grpc(wire_call(t, TEST_ECHO, NULL, echo_body(t, "x")), 200,
                    RPC_OK);
    struct bytes nonsense = {(uint8_t *)"\0\0\0\0\1\7", 6};
    assert_grpc(wire_call(t, TEST_ECHO, NULL, nonsense), 200,
                RPC_INVALID_ARGUMENT);
    assert_grpc(wire_call(t, "/no.such/Method", NULL, nonsense), 200,
                RPC_UNIMPLEMENTED);
    const GetServerStateResponse *after = get_state(t);
    const ServerMethod *old = method_of(before, TEST_ECHO + 1);
    const ServerMethod *echo = method_of(after, TEST_ECHO + 1);
    assert_int_equal(finished_with(echo, "OK") - finished_with(old, "OK"), 3);
    assert_int_equal(finished_with(echo, "INVALID_ARGUMENT") -
                         finished_with(old, "INVALID_ARGUMENT"),
                     1);
    assert_true(echo->median_us > 0 && echo->median_us <= echo->p95_us &&
                echo->p95_us <= echo->p99_us);
    /* each "x" is a message of 3 bytes, there and back */
    assert_int_equal(echo->sent_bytes - (old ? old->sent_bytes : 0), 9);
    assert_int_equal(echo->received_bytes - (old ? old->received_bytes : 0),
                     10);
    assert_int_equal(
        finished_with(method_of(after, "other"), "UNIMPLEMENTED") -
            finished_with(method_of(before, "other"), "UNIMPLEMENTED"),
        1);
    assert_null(method_of(after, "no.such/Method"));
}

static void limits_tell_what_is_used_and_what_was_refused(void **state)
{
    fixture *t = *state;
    int64_t before = limit_of(get_state(t), "connections")->refused;
    struct client *refused = client_connect(t->port);
    client_wait_closed(refused);
    client_close(refused);
    const GetServerStateResponse *s = get_state(t);
    const ServerLimit *connections = limit_of(s, "connections");
    assert_int_equal(connections->max, 1);
    assert_int_equal(connections->used, 1);
    assert_int_equal(connections->refused, before + 1);
    assert_int_equal(limit_of(s, "calls_in_flight")->used, 1);
    assert_int_equal(limit_of(s, "memory")->max, 512 * 1024 * 1024);
    assert_true(limit_of(s, "memory")->used > 0);
    assert_int_equal(limit_of(s, "handshakes")->_used_case,
                     SERVER_LIMIT_USED_CASE);
    assert_int_equal(limit_of(s, "handshakes")->max, 1000);
    assert_int_equal(limit_of(s, "handshakes")->unit, SERVER_LIMIT_UNIT_COUNT);
    assert_int_equal(limit_of(s, "memory")->unit, SERVER_LIMIT_UNIT_BYTES);
    assert_int_equal(limit_of(s, "stall")->unit, SERVER_LIMIT_UNIT_MS);
    assert_int_equal(limit_of(s, "message_ratio")->refused, 0);
}

static int start_small(void **state)
{
    *state = operator_start(
        (struct rpc_server_options){.loop_count = 1, .connections_max = 1});
    return 0;
}

static void memory_has_owners(void **state)
{
    fixture *t = *state;
    const GetServerStateResponse *s = get_state(t);
    uint64_t arenas = 0, connections = 0;
    for (size_t i = 0; i < s->n_memory; i++) {
        if (strcmp(s->memory[i]->owner, "arenas of calls") == 0)
            arenas = s->memory[i]->bytes;
        if (strstr(s->memory[i]->owner, "HTTP/2") != NULL)
            connections = s->memory[i]->bytes;
    }
    assert_true(arenas >= 8000 && connections >= 1000);
}

static void pools_of_all_loops_are_added_up(void **state)
{
    fixture *t = *state;
    const GetServerStateResponse *s = get_state(t);
    assert_int_equal(s->n_pools, 2);
    assert_string_equal(s->pools[0]->name, "links");
    assert_int_equal(s->pools[0]->used, 2);
    assert_int_equal(s->pools[0]->idle, 4);
    assert_int_equal(s->pools[0]->waiting, 6);
    assert_int_equal(s->pools[0]->max, 8);
    assert_true(s->pools[0]->is_up);
    assert_false(s->pools[1]->is_up);
}

/* --- calls --- */

static void a_call_tells_whose_it_is_and_what_it_waits_for(void **state)
{
    fixture *t = *state;
    static const struct rpc_header headers[] = {
        {"grpc-timeout", "50S"}, {"x-request-id", "the-slow-one"}, {0}};
    struct client *busy = begin_sleep(t, headers);
    const ServerCall *call = call_of(list_calls(t, 0), TEST_SLEEP);
    assert_non_null(call);
    assert_int_equal(call->phase, SERVER_CALL_PHASE_HANDLER);
    assert_string_equal(call->waits_for, "sleep");
    assert_string_equal(call->request_id, "the-slow-one");
    assert_string_equal(call->wire, "grpc");
    assert_memory_equal(call->peer, "127.0.0.1:", 10);
    assert_string_equal(call->caller_id, "");
    assert_in_range(call->left_us, 1, 50 * 1000000);
    assert_true(call->age_us > 0 && call->handler_us > 0);
    assert_int_equal(call->body_us + call->queued_us + call->handler_us,
                     call->age_us);
    assert_true(call->memory_bytes > 0);
    client_close(busy);
}

static void a_request_that_is_still_arriving_is_told(void **state)
{
    fixture *t = *state;
    struct client *slow = client_connect(t->port);
    client_request(slow, TEST_ECHO, NULL, "\0\0\0\0", 4, false);
    client_ping(slow);
    const ServerCall *call = call_of(list_calls(t, 0), TEST_ECHO);
    assert_non_null(call);
    assert_int_equal(call->phase, SERVER_CALL_PHASE_BODY);
    assert_int_equal(call->handler_us, 0);
    client_close(slow);
}

static void an_idle_stream_is_told(void **state)
{
    fixture *t = *state;
    HealthCheckRequest req = HEALTH_CHECK_REQUEST_INIT;
    struct client *watcher = client_connect(t->port);
    struct bytes body = framed(t, &req);
    struct client_response *r =
        client_request(watcher, WATCH, NULL, body.data, body.size, true);
    client_wait_body(watcher, r, 7);
    const ServerCall *call = call_of(list_calls(t, 0), WATCH);
    assert_non_null(call);
    assert_int_equal(call->phase, SERVER_CALL_PHASE_IDLE_STREAM);
    assert_int_equal(call->sent_bytes, 2);
    client_close(watcher);
}

static void a_page_has_the_oldest_of_all_loops(void **state)
{
    fixture *t = *state;
    enum { COUNT = 6 };
    struct client *busy[COUNT];
    for (int i = 0; i < COUNT; i++)
        busy[i] = begin_sleep(t, NULL);
    const ListServerCallsResponse *all = list_calls(t, 0);
    assert_int_equal(all->total, COUNT + 1);
    assert_int_equal(all->n_calls, COUNT + 1);
    const ListServerCallsResponse *page = list_calls(t, 2);
    assert_int_equal(page->total, COUNT + 1);
    assert_int_equal(page->n_calls, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(page->calls[i]->request_id,
                            all->calls[i]->request_id);
    for (size_t i = 1; i < all->n_calls; i++)
        assert_true(all->calls[i - 1]->age_us >= all->calls[i]->age_us);
    for (int i = 0; i < COUNT; i++)
        client_close(busy[i]);
}

/* --- connections --- */

static void a_connection_tells_what_it_carries(void **state)
{
    fixture *t = *state;
    struct client *busy = begin_sleep(t, NULL);
    client_ping(busy);
    client_ping(busy);
    struct client *secret =
        client_open((struct client_options){.port = t->port, .tls = true});
    client_ping(secret);
    const ListServerConnectionsResponse *list = list_connections(t, 0);
    assert_int_equal(list->total, 3);
    int tls = 0, operators = 0;
    const ServerConnection *sleeping = NULL;
    for (size_t i = 0; i < list->n_connections; i++) {
        const ServerConnection *c = list->connections[i];
        assert_string_equal(c->stage, "talking");
        assert_string_equal(c->protocol, "h2");
        assert_true(c->socket_id > 0 && c->received_bytes > 0);
        tls += memcmp(c->tls, "TLSv1.", 6) == 0;
        operators += memcmp(c->peer, "operator:", 9) == 0;
        if (c->streams == 1 && memcmp(c->peer, "operator:", 9) != 0)
            sleeping = c;
    }
    assert_int_equal(tls, 1);
    assert_int_equal(operators, 1);
    assert_non_null(sleeping);
    assert_int_equal(sleeping->idle_us, 0);
    /* SETTINGS took from a bucket, which fills again as time passes. */
    assert_true(sleeping->guard_fullness >= 0 && sleeping->guard_fullness < 1);
    assert_int_equal(sleeping->guard[0] != '\0', sleeping->guard_fullness > 0);
    assert_int_equal(list_connections(t, 1)->n_connections, 1);
    client_close(busy);
    client_close(secret);
}

/* --- who may ask --- */

static void strangers_are_told_nothing(void **state)
{
    fixture *t = *state;
    struct client *admin = t->client;
    t->client = client_connect(t->port);
    static const struct rpc_header administrator[] = {
        {"authorization", "Bearer 256"}, {0}};
    static const char *const methods[] = {RUNTIME "GetServerState",
                                          RUNTIME "ListServerCalls",
                                          RUNTIME "ListServerConnections"};
    struct bytes empty = {(uint8_t *)"\0\0\0\0", 5};
    for (size_t i = 0; i < 3; i++) {
        assert_grpc(wire_call(t, methods[i], NULL, empty), 200,
                    RPC_UNAUTHENTICATED);
        assert_grpc(wire_call(t, methods[i], administrator, empty), 200,
                    RPC_PERMISSION_DENIED);
    }
    client_close(admin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name, start) \
    cmocka_unit_test_setup_teardown(name, start, wire_stop)
        CASE(the_process_and_its_loops_are_told, start),
        CASE(methods_are_counted_by_what_they_answered, start),
        CASE(limits_tell_what_is_used_and_what_was_refused, start_small),
        CASE(memory_has_owners, start),
        CASE(pools_of_all_loops_are_added_up, start),
        CASE(a_call_tells_whose_it_is_and_what_it_waits_for, start),
        CASE(a_request_that_is_still_arriving_is_told, start),
        CASE(an_idle_stream_is_told, start),
        CASE(a_page_has_the_oldest_of_all_loops, start),
        CASE(a_connection_tells_what_it_carries, start),
        CASE(strangers_are_told_nothing, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
