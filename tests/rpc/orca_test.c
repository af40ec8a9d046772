/* Load reports as a balancer sees them. */
#include "rpc/metadata.h"
#include "rpc/orca.h"
#include "tests/rpc/interop_registry.rpc.h"
#include "tests/rpc/interopservice.rpc.h"
#include "tests/wire/wire.h"
#include "xds/service/orca/v3/orca.rpc.h"

#include <math.h>

#define UNARY "/grpc.testing.TestService/UnaryCall"
#define WATCH "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"
#define TRAILER "endpoint-load-metrics-bin"

static fixture *start(rpc_reports reports)
{
    static const struct rpc_registry *const registries[] = {
        &test_registry, &interop_registry, NULL};
    return wire_start((struct rpc_server_options){.registries = registries,
                                                  .load_reports = reports});
}

static int start_given(void **state)
{
    *state = start(RPC_REPORTS_GIVEN);
    return 0;
}

static int start_measured(void **state)
{
    *state = start(RPC_REPORTS_MEASURED);
    return 0;
}

static int start_off(void **state)
{
    *state = start(RPC_REPORTS_OFF);
    return 0;
}

/* The report in the trailers; NULL when there is none. */
static const OrcaLoadReport *trailer(fixture *t,
                                     const struct client_response *r)
{
    const char *text = client_field(r, TRAILER);
    if (text == NULL)
        return NULL;
    uint8_t bytes[2048];
    size_t size;
    struct codec_error error;
    assert_true(metadata_decode_base64(bytes, &size, text, strlen(text)));
    return (const OrcaLoadReport *)codec_decode(
        t->arena, ORCA_LOAD_REPORT_DESCRIPTOR, bytes, size, &error);
}

static struct client_response *unary(fixture *t, InteropLoad *load)
{
    InteropRequest req = INTEROP_REQUEST_INIT;
    req.orca_per_query_report = load;
    struct client_response *r = wire_call(t, UNARY, NULL, framed(t, &req));
    assert_grpc(r, 200, RPC_OK);
    return r;
}

static struct client_response *watch(fixture *t, int64_t seconds)
{
    Google__Protobuf__Duration interval = GOOGLE__PROTOBUF__DURATION__INIT;
    OrcaLoadReportRequest req = ORCA_LOAD_REPORT_REQUEST_INIT;
    interval.seconds = seconds;
    req.report_interval = &interval;
    struct bytes body = framed(t, &req);
    return client_request(t->client, WATCH, NULL, body.data, body.size, true);
}

/* Waits for the report of this number; all are of one size here. */
static const OrcaLoadReport *report_at(fixture *t, struct client_response *r,
                                       int index, size_t size)
{
    client_wait_body(t->client, r, ((size_t)index + 1) * (size + 5));
    return message_at(t, ORCA_LOAD_REPORT_DESCRIPTOR, r, index);
}

static void a_handlers_report_comes_with_the_answer(void **state)
{
    fixture *t = *state;
    InteropLoadRequestCostEntry cost = INTEROP_LOAD_REQUEST_COST_ENTRY_INIT;
    InteropLoadUtilizationEntry used = INTEROP_LOAD_UTILIZATION_ENTRY_INIT;
    InteropLoadRequestCostEntry *costs[] = {&cost};
    InteropLoadUtilizationEntry *useds[] = {&used};
    InteropLoad load = INTEROP_LOAD_INIT;
    cost.key = "rows";
    cost.value = 3456.32;
    used.key = "links";
    used.value = 0.25;
    load.cpu_utilization = 1.5;
    load.memory_utilization = 0.5;
    load.n_request_cost = load.n_utilization = 1;
    load.request_cost = costs;
    load.utilization = useds;
    const OrcaLoadReport *report = trailer(t, unary(t, &load));
    assert_non_null(report);
    assert_true(report->cpu_utilization == 1.5);
    assert_true(report->mem_utilization == 0.5);
    assert_int_equal(report->n_request_cost, 1);
    assert_string_equal(report->request_cost[0]->key, "rows");
    assert_true(report->request_cost[0]->value == 3456.32);
    assert_int_equal(report->n_utilization, 1);
    assert_string_equal(report->utilization[0]->key, "links");
    assert_true(report->utilization[0]->value == 0.25);
}

static void values_that_cannot_be_are_left_out(void **state)
{
    fixture *t = *state;
    InteropLoad load = INTEROP_LOAD_INIT;
    load.cpu_utilization = -1;
    load.memory_utilization = 1.01;
    assert_null(trailer(t, unary(t, &load)));
    load.cpu_utilization = NAN;
    assert_null(trailer(t, unary(t, &load)));
}

static void more_names_than_a_report_holds_are_left_out(void **state)
{
    fixture *t = *state;
    InteropLoadRequestCostEntry costs[RPC_LOAD_NAMES_MAX + 4];
    InteropLoadRequestCostEntry *list[RPC_LOAD_NAMES_MAX + 4];
    InteropLoad load = INTEROP_LOAD_INIT;
    for (int i = 0; i < RPC_LOAD_NAMES_MAX + 4; i++) {
        costs[i] =
            (InteropLoadRequestCostEntry)INTEROP_LOAD_REQUEST_COST_ENTRY_INIT;
        costs[i].key = arena_printf(t->arena, "cost %d", i);
        costs[i].value = i;
        list[i] = &costs[i];
    }
    load.n_request_cost = RPC_LOAD_NAMES_MAX + 4;
    load.request_cost = list;
    const OrcaLoadReport *report = trailer(t, unary(t, &load));
    assert_int_equal(report->n_request_cost, RPC_LOAD_NAMES_MAX);
}

static void an_answer_without_a_report_has_no_trailer(void **state)
{
    fixture *t = *state;
    assert_null(client_field(unary(t, NULL), TRAILER));
}

static void nobody_is_told_unless_an_option_says_so(void **state)
{
    fixture *t = *state;
    InteropLoad load = INTEROP_LOAD_INIT;
    load.cpu_utilization = 0.5;
    assert_null(client_field(unary(t, &load), TRAILER));
    rpc_server_report_load(t->server, RPC_LOAD_CPU, 0.5);
    struct client_response *r = watch(t, 1);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_UNIMPLEMENTED);
}

/* A test's client remembers all its responses, and there is room for few. */
static const OrcaLoadReport *ask_on_new_connection(fixture *t)
{
    const OrcaLoadReport *report = trailer(t, unary(t, NULL));
    client_close(t->client);
    t->client = client_connect(t->port);
    return report;
}

/* Calls are counted from the first second to the second one. */
static void what_the_process_uses_is_measured(void **state)
{
    fixture *t = *state;
    const OrcaLoadReport *report = NULL;
    for (int i = 0; i < 100000; i++) {
        report = ask_on_new_connection(t);
        if (report != NULL && report->rps_fractional > 0)
            break;
    }
    assert_true(report->rps_fractional > 0 && report->cpu_utilization > 0);
    assert_true(report->mem_utilization > 0 && report->mem_utilization < 1);
    assert_true(report->eps == 0);
}

static void a_handler_stands_before_what_is_measured(void **state)
{
    fixture *t = *state;
    InteropLoad load = INTEROP_LOAD_INIT;
    load.cpu_utilization = 7;
    assert_true(trailer(t, unary(t, &load))->cpu_utilization == 7);
}

static void a_stream_tells_what_the_server_reports(void **state)
{
    fixture *t = *state;
    enum { REPORT_BYTES = 9 }; /* one double */
    rpc_server_report_load(t->server, RPC_LOAD_CPU, 0.25);
    struct client_response *r = watch(t, 0);
    assert_true(report_at(t, r, 0, REPORT_BYTES)->cpu_utilization == 0.25);
    rpc_server_report_load(t->server, RPC_LOAD_CPU, 0.75);
    assert_true(report_at(t, r, 1, REPORT_BYTES)->cpu_utilization == 0.75);
    rpc_server_report_nothing(t->server);
    rpc_server_report_load(t->server, RPC_LOAD_APPLICATION, 2);
    const OrcaLoadReport *last = report_at(t, r, 2, REPORT_BYTES);
    assert_true(last->cpu_utilization == 0);
    assert_true(last->application_utilization == 2);
    client_reset(t->client, r, NGHTTP2_CANCEL);
    client_ping(t->client);
}

static void a_stream_ends_when_the_server_goes(void **state)
{
    fixture *t = *state;
    rpc_server_report_load(t->server, RPC_LOAD_CPU, 0.25);
    struct client_response *r = watch(t, 3600);
    report_at(t, r, 0, 9);
    wire_stop_server(t);
    client_wait(t->client, r);
    assert_grpc(r, 200, RPC_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name, start) \
    cmocka_unit_test_setup_teardown(name, start, wire_stop)
        CASE(a_handlers_report_comes_with_the_answer, start_given),
        CASE(values_that_cannot_be_are_left_out, start_given),
        CASE(more_names_than_a_report_holds_are_left_out, start_given),
        CASE(an_answer_without_a_report_has_no_trailer, start_given),
        CASE(nobody_is_told_unless_an_option_says_so, start_off),
        CASE(what_the_process_uses_is_measured, start_measured),
        CASE(a_handler_stands_before_what_is_measured, start_measured),
        CASE(a_stream_tells_what_the_server_reports, start_given),
        CASE(a_stream_ends_when_the_server_goes, start_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
