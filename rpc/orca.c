/* Load reports: what handlers, the application and rpc/load.c say, merged.
 *
 *   measured < given by the application < given by the handler
 *
 * Each worker has a copy of the server's report that is at most a second old:
 * an answer takes no lock. */
#include "rpc/orca_report.h"

#include "rpc/call_state.h"
#include "rpc/codec.h"
#include "rpc/load.h"
#include "xds/service/orca/v3/orca.rpc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char trailer_name[] = "endpoint-load-metrics-bin";

/* --- a report ------------------------------------------------------------- */

static bool is_valid(double value, double most)
{
    return isfinite(value) && value >= 0 && value <= most;
}

static void set_value(struct orca_report *report, rpc_load which, double value)
{
    if (!is_valid(value, which == RPC_LOAD_MEMORY ? 1 : INFINITY))
        return;
    report->values[which] = value;
    report->has |= 1u << which;
}

static struct orca_named *find_named(struct orca_report *report, orca_kind kind,
                                     const char *name)
{
    for (unsigned i = 0; i < report->named_count; i++) {
        struct orca_named *n = &report->named[i];
        if (n->kind == kind &&
            strncmp(n->name, name, RPC_LOAD_NAME_BYTES - 1) == 0)
            return n;
    }
    return NULL;
}

static void set_named(struct orca_report *report, orca_kind kind,
                      const char *name, double value)
{
    bool valid =
        kind == ORCA_UTILIZATION ? is_valid(value, 1) : isfinite(value);
    if (!valid)
        return;
    struct orca_named *n = find_named(report, kind, name);
    if (n == NULL) {
        if (report->named_count == RPC_LOAD_NAMES_MAX)
            return;
        n = &report->named[report->named_count++];
        n->kind = kind;
        strncpy(n->name, name, sizeof n->name - 1);
        n->name[sizeof n->name - 1] = '\0';
    }
    n->value = value;
}

void orca_merge(struct orca_report *report, const struct orca_report *over)
{
    for (rpc_load v = 0; v < RPC_LOAD_VALUES; v++)
        if (over->has >> v & 1)
            set_value(report, v, over->values[v]);
    for (unsigned i = 0; i < over->named_count; i++)
        set_named(report, over->named[i].kind, over->named[i].name,
                  over->named[i].value);
}

/* --- as a message --------------------------------------------------------- */

/* The three kinds of map entry are one struct under three names. */
static void *make_entries(struct arena *arena, const struct orca_report *report,
                          orca_kind kind,
                          const ProtobufCMessageDescriptor *type, size_t *count)
{
    OrcaLoadReportNamedMetricsEntry **entries =
        arena_array(arena, report->named_count + 1, sizeof *entries);
    for (unsigned i = 0; i < report->named_count; i++) {
        if (report->named[i].kind != kind)
            continue;
        OrcaLoadReportNamedMetricsEntry *e =
            (OrcaLoadReportNamedMetricsEntry *)codec_new(arena, type);
        e->key = report->named[i].name;
        e->value = report->named[i].value;
        entries[(*count)++] = e;
    }
    return entries;
}

static const uint8_t *encode(struct arena *arena,
                             const struct orca_report *report, size_t *size)
{
    /* The initializer names a deprecated field, which clang warns of. */
    OrcaLoadReport *message =
        (OrcaLoadReport *)codec_new(arena, ORCA_LOAD_REPORT_DESCRIPTOR);
    message->cpu_utilization = report->values[RPC_LOAD_CPU];
    message->mem_utilization = report->values[RPC_LOAD_MEMORY];
    message->rps_fractional = report->values[RPC_LOAD_QPS];
    message->eps = report->values[RPC_LOAD_EPS];
    message->application_utilization = report->values[RPC_LOAD_APPLICATION];
    if (report->named_count > 0) {
        message->request_cost =
            make_entries(arena, report, ORCA_COST,
                         ORCA_LOAD_REPORT_REQUEST_COST_ENTRY_DESCRIPTOR,
                         &message->n_request_cost);
        message->utilization =
            make_entries(arena, report, ORCA_UTILIZATION,
                         ORCA_LOAD_REPORT_UTILIZATION_ENTRY_DESCRIPTOR,
                         &message->n_utilization);
        message->named_metrics =
            make_entries(arena, report, ORCA_METRIC,
                         ORCA_LOAD_REPORT_NAMED_METRICS_ENTRY_DESCRIPTOR,
                         &message->n_named_metrics);
    }
    return codec_pack(arena, &message->base, size);
}

/* --- the server's part ---------------------------------------------------- */

struct orca_server *orca_server_create(void)
{
    struct orca_server *orca = calloc(1, sizeof *orca);
    if (orca == NULL || pthread_mutex_init(&orca->lock, NULL) != 0)
        abort();
    return orca;
}

void orca_server_destroy(struct orca_server *orca)
{
    if (orca == NULL)
        return;
    pthread_mutex_destroy(&orca->lock);
    free(orca);
}

static void copy_report(struct orca_server *orca, struct orca_report *to)
{
    pthread_mutex_lock(&orca->lock);
    *to = orca->measured;
    orca_merge(to, &orca->given);
    pthread_mutex_unlock(&orca->lock);
}

void rpc_server_report_load(struct rpc_server *server, rpc_load which,
                            double value)
{
    struct orca_server *orca = server->orca;
    if (orca == NULL)
        return;
    pthread_mutex_lock(&orca->lock);
    set_value(&orca->given, which, value);
    pthread_mutex_unlock(&orca->lock);
}

static void report_named(struct orca_server *orca, orca_kind kind,
                         const char *name, double value)
{
    if (orca == NULL)
        return;
    pthread_mutex_lock(&orca->lock);
    set_named(&orca->given, kind, name, value);
    pthread_mutex_unlock(&orca->lock);
}

void rpc_server_report_utilization(struct rpc_server *server, const char *name,
                                   double value)
{
    report_named(server->orca, ORCA_UTILIZATION, name, value);
}

void rpc_server_report_metric(struct rpc_server *server, const char *name,
                              double value)
{
    report_named(server->orca, ORCA_METRIC, name, value);
}

void rpc_server_report_nothing(struct rpc_server *server)
{
    struct orca_server *orca = server->orca;
    if (orca == NULL)
        return;
    pthread_mutex_lock(&orca->lock);
    orca->given = (struct orca_report){0};
    pthread_mutex_unlock(&orca->lock);
}

struct orca_copy *orca_copy_create(void)
{
    struct orca_copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        abort();
    copy->arena = arena_create();
    return copy;
}

void orca_copy_destroy(struct orca_copy *copy)
{
    arena_destroy(copy->arena);
    free(copy);
}

static void copy_refresh(struct orca_copy *copy, struct orca_server *orca)
{
    copy_report(orca, &copy->report);
    arena_reset(copy->arena);
    copy->bytes = encode(copy->arena, &copy->report, &copy->size);
}

/* --- a call's part -------------------------------------------------------- */

/* NULL when nobody asks for reports. */
static struct orca_report *report_of(struct rpc_call *call)
{
    struct call_state *state = call_state_of(call);
    if (call->server == NULL || call->server->orca == NULL)
        return NULL;
    if (state->load == NULL)
        state->load = ARENA_NEW(call->arena, struct orca_report);
    return state->load;
}

void rpc_report_load(struct rpc_call *call, rpc_load which, double value)
{
    struct orca_report *report = report_of(call);
    if (report != NULL)
        set_value(report, which, value);
}

static void report_call(struct rpc_call *call, orca_kind kind, const char *name,
                        double value)
{
    struct orca_report *report = report_of(call);
    if (report != NULL)
        set_named(report, kind, name, value);
}

void rpc_report_cost(struct rpc_call *call, const char *name, double value)
{
    report_call(call, ORCA_COST, name, value);
}

void rpc_report_utilization(struct rpc_call *call, const char *name,
                            double value)
{
    report_call(call, ORCA_UTILIZATION, name, value);
}

void rpc_report_metric(struct rpc_call *call, const char *name, double value)
{
    report_call(call, ORCA_METRIC, name, value);
}

/* With what the handler said. */
static const uint8_t *encode_merged(const struct call_state *state,
                                    size_t *size)
{
    struct orca_report merged = state->worker->load->report;
    orca_merge(&merged, state->load);
    return encode(state->call.arena, &merged, size);
}

void orca_add_trailer(struct call_state *state)
{
    if (state->call.server->orca == NULL)
        return;
    const struct orca_copy *copy = state->worker->load;
    size_t size = copy->size;
    const uint8_t *bytes =
        state->load == NULL ? copy->bytes : encode_merged(state, &size);
    if (size > 0)
        field_list_add(&state->trailers, state->call.arena, trailer_name, bytes,
                       size);
}

/* --- the stream beside the calls ------------------------------------------ */

/* A stream of reports, between two of them.  It holds no coroutine. */
struct orca_watch {
    struct rpc_tail *tail;
    struct rpc_server *server;
    struct loop_timer timer;
    int64_t interval_ms;
};

/* A client that does not read misses reports: an old one is of no use. */
static void send_report(struct orca_watch *watch)
{
    struct arena *arena = arena_create();
    struct orca_report report;
    size_t size;
    copy_report(watch->server->orca, &report);
    const uint8_t *bytes = encode(arena, &report, &size);
    if (rpc_tail_queued(watch->tail) == 0)
        rpc_tail_send(watch->tail, bytes, size);
    arena_destroy(arena);
}

static void on_watch_timer(struct loop_timer *timer)
{
    struct orca_watch *watch =
        (struct orca_watch *)((char *)timer -
                              offsetof(struct orca_watch, timer));
    loop_timer_start(timer->loop, timer, watch->interval_ms);
    send_report(watch);
}

static void on_watch_closed(struct rpc_tail *tail, void *owner)
{
    (void)tail;
    struct orca_watch *watch = owner;
    loop_timer_stop(&watch->timer);
    free(watch);
}

static const struct rpc_tail_hooks watch_hooks = {on_watch_closed, NULL};

static int64_t interval_ms(const OrcaLoadReportRequest *req)
{
    if (req->report_interval == NULL)
        return RPC_LOAD_MS_DEFAULT;
    const Google__Protobuf__Duration *asked = req->report_interval;
    if (asked->seconds >= RPC_LOAD_MS_MAX / 1000)
        return RPC_LOAD_MS_MAX;
    if (asked->seconds < RPC_LOAD_MS_MIN / 1000)
        return RPC_LOAD_MS_MIN;
    return asked->seconds * 1000 + asked->nanos / 1000000;
}

rpc_status open_rca_stream_core_metrics(struct rpc_call *call,
                                        const OrcaLoadReportRequest *req,
                                        struct rpc_out *out)
{
    struct orca_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        abort();
    watch->server = call->server;
    watch->interval_ms = interval_ms(req);
    loop_timer_init(&watch->timer, on_watch_timer);
    watch->tail = rpc_detach(out, &watch_hooks, watch);
    loop_timer_start(call->loop, &watch->timer, watch->interval_ms);
    send_report(watch);
    return RPC_SUCCESS;
}

/* --- once a second -------------------------------------------------------- */

static void measure(const struct rpc_server *server)
{
    struct orca_server *orca = server->orca;
    struct orca_report measured = {.has = (1u << RPC_LOAD_VALUES) - 1};
    if (!load_measure(server, &orca->meter, measured.values))
        return;
    pthread_mutex_lock(&orca->lock);
    orca->measured = measured;
    pthread_mutex_unlock(&orca->lock);
}

void orca_tick(struct rpc_worker *worker)
{
    struct rpc_server *server = worker->server;
    struct orca_server *orca = server->orca;
    if (orca == NULL)
        return;
    load_publish(worker);
    if (worker->index == 0 &&
        server->options.load_reports == RPC_REPORTS_MEASURED)
        measure(server);
    copy_refresh(worker->load, orca);
}
