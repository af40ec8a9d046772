/* The tables of prbald top. */
#include "services/commands/top.h"

#include "grpc/registry.rpc.h"
#include "rpc/json.h"

#include <string.h>
#include <time.h>

enum { TEXT_BYTES = 32, SHORT_BYTES = 9 };

struct text {
    char bytes[TEXT_BYTES];
};

/* --- numbers for people --------------------------------------------------- */

static struct text duration(int64_t us)
{
    static const struct {
        int64_t below_us, unit_us;
        const char *unit;
    } steps[] = {
        {10000, 1, "us"},
        {10 * 1000000, 1000, "ms"},
        {120 * 1000000LL, 1000000, "s"},
        {7200 * 1000000LL, 60000000, "min"},
        {172800 * 1000000LL, 3600000000LL, "h"},
    };
    struct text t;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (us >= steps[i].below_us)
            continue;
        snprintf(t.bytes, sizeof t.bytes, "%lld %s",
                 (long long)(us / steps[i].unit_us), steps[i].unit);
        return t;
    }
    snprintf(t.bytes, sizeof t.bytes, "%lld d",
             (long long)(us / 86400000000LL));
    return t;
}

static struct text size(uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double amount = (double)bytes;
    size_t unit = 0;
    while (amount >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        amount /= 1024;
        unit++;
    }
    struct text t;
    snprintf(t.bytes, sizeof t.bytes,
             amount < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", amount,
             units[unit]);
    return t;
}

static struct text rate(double per_second)
{
    struct text t;
    snprintf(t.bytes, sizeof t.bytes, per_second < 10 ? "%.1f" : "%.0f",
             per_second);
    return t;
}

/* The first figures of a long id, "-" for none. */
static struct text shortened(const char *id)
{
    struct text t;
    snprintf(t.bytes, SHORT_BYTES, "%s", *id == '\0' ? "-" : id);
    return t;
}

/* "BidService/AcceptBid": packages are long, and the same for most. */
static const char *without_package(const char *method)
{
    const char *name = method;
    for (const char *c = method; *c != '\0' && *c != '/'; c++)
        if (*c == '.')
            name = c + 1;
    return *name == '\0' ? "-" : name;
}

/* A table ends with how much of it there was no room for. */
static void print_rest(FILE *out, size_t total, size_t shown)
{
    if (total > shown)
        fprintf(out, "  and %zu more\n", total - shown);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* --- since the last sample ------------------------------------------------ */

static int64_t start_us(const struct top_sample *sample)
{
    const Google__Protobuf__Timestamp *start = sample->state->start_time;
    return start == NULL ? sample->at_us
                         : start->seconds * 1000000 + start->nanos / 1000;
}

/* Not a part of a second that makes any rate look large. */
static double seconds_between(const struct top_sample *now,
                              const struct top_sample *previous)
{
    int64_t from_us = previous == NULL ? start_us(now) : previous->at_us;
    double seconds = (double)(now->at_us - from_us) / 1e6;
    return seconds > 0.1 ? seconds : 0.1;
}

static int64_t started_before(const struct top_sample *previous,
                              const char *method)
{
    for (size_t i = 0; previous != NULL && i < previous->state->n_methods; i++)
        if (strcmp(previous->state->methods[i]->name, method) == 0)
            return previous->state->methods[i]->started;
    return 0;
}

static int64_t failures_of(const ServerMethod *method)
{
    int64_t count = 0;
    for (size_t i = 0; i < method->n_finished; i++)
        if (strcmp(method->finished[i]->code, "OK") != 0)
            count += method->finished[i]->count;
    return count;
}

/* --- the head ------------------------------------------------------------- */

static const char *health(const GetServerStateResponse *state)
{
    if (state->is_draining)
        return "going down";
    return state->is_ready ? "ready" : "NOT READY";
}

static void print_head(FILE *out, const struct top_sample *now,
                       const struct top_sample *previous)
{
    const GetServerStateResponse *s = now->state;
    double seconds = seconds_between(now, previous);
    double cpu =
        s->cpu_seconds - (previous == NULL ? 0 : previous->state->cpu_seconds);
    char clock[TEXT_BYTES];
    time_t at = (time_t)(now->at_us / 1000000);
    struct tm local;
    strftime(clock, sizeof clock, "%Y-%m-%d %H:%M:%S",
             localtime_r(&at, &local));
    fprintf(out, "prbald %s, process %d, up %s, %s, %s\n", s->version,
            s->process_id, duration(now->at_us - start_us(now)).bytes,
            health(s), clock);
    fprintf(out,
            "processor %.0f %%, resident memory %s, calls and streams %u, "
            "connections %u\n",
            cpu / seconds * 100, size(s->resident_bytes).bytes,
            now->calls->total, now->connections->total);
}

/* --- the tables ----------------------------------------------------------- */

static void print_loops(FILE *out, const GetServerStateResponse *s)
{
    fprintf(out, "\n%-4s %9s %12s %6s %12s %11s %10s %10s\n", "LOOP", "PASS",
            "PASSES", "CALLS", "IDLE STREAMS", "CONNECTIONS", "COROUTINES",
            "MEMORY");
    for (size_t i = 0; i < s->n_loops; i++) {
        const ServerLoop *l = s->loops[i];
        fprintf(out, "%-4u %9s %12llu %6u %12u %11u %10llu %10s\n", l->index,
                duration(l->pass_us).bytes, (unsigned long long)l->passes,
                l->calls, l->idle_streams, l->connections,
                (unsigned long long)l->coroutines, size(l->memory_bytes).bytes);
    }
}

static void print_methods(FILE *out, const struct top_sample *now,
                          const struct top_sample *previous, size_t rows)
{
    const GetServerStateResponse *s = now->state;
    double seconds = seconds_between(now, previous);
    fprintf(out, "\n%-44s %8s %10s %8s %8s %8s %8s\n", "METHOD", "CALLS/S",
            "CALLS", "FAILED", "MEDIAN", "95 %", "99 %");
    for (size_t i = 0; i < least(s->n_methods, rows); i++) {
        const ServerMethod *m = s->methods[i];
        int64_t since = m->started - started_before(previous, m->name);
        fprintf(out, "%-44.44s %8s %10lld %8lld %8s %8s %8s\n",
                without_package(m->name), rate((double)since / seconds).bytes,
                (long long)m->started, (long long)failures_of(m),
                duration(m->median_us).bytes, duration(m->p95_us).bytes,
                duration(m->p99_us).bytes);
    }
    print_rest(out, s->n_methods, rows);
}

static const char *phase_name(const ServerCall *call)
{
    static const char *const names[] = {
        [SERVER_CALL_PHASE_BODY] = "body",
        [SERVER_CALL_PHASE_QUEUED] = "queued",
        [SERVER_CALL_PHASE_HANDLER] = "handler",
        [SERVER_CALL_PHASE_ENDING] = "ending",
        [SERVER_CALL_PHASE_IDLE_STREAM] = "stream",
        [SERVER_CALL_PHASE_TASK] = "task",
    };
    size_t phase = (size_t)call->phase;
    bool is_known = phase < sizeof names / sizeof names[0];
    return is_known && names[phase] != NULL ? names[phase] : "?";
}

static struct text deadline_of(const ServerCall *call)
{
    return call->_left_us_case == SERVER_CALL_LEFT_US_CASE
               ? duration(call->left_us)
               : shortened("");
}

static void print_calls(FILE *out, const ListServerCallsResponse *list,
                        size_t rows)
{
    fprintf(out, "\n%-8s %-8s %-14s %-38s %-8s %-8s %s\n", "AGE", "PHASE",
            "WAITS FOR", "CALL", "LEFT", "CALLER", "PEER");
    for (size_t i = 0; i < least(list->n_calls, rows); i++) {
        const ServerCall *c = list->calls[i];
        fprintf(out, "%-8s %-8s %-14.14s %-38.38s %-8s %-8s %s\n",
                duration(c->age_us).bytes, phase_name(c),
                *c->waits_for == '\0' ? "-" : c->waits_for,
                without_package(c->method), deadline_of(c).bytes,
                shortened(c->caller_id).bytes, c->peer);
    }
    print_rest(out, list->total, rows);
}

static void print_connections(FILE *out,
                              const ListServerConnectionsResponse *list,
                              size_t rows)
{
    fprintf(out, "\n%-8s %-10s %-6s %-8s %7s %8s %10s %10s %10s %6s  %s\n",
            "AGE", "STAGE", "HTTP", "TLS", "STREAMS", "STARTED", "RECEIVED",
            "SENT", "WAITING", "GUARD", "PEER");
    for (size_t i = 0; i < least(list->n_connections, rows); i++) {
        const ServerConnection *c = list->connections[i];
        fprintf(out,
                "%-8s %-10s %-6s %-8s %7u %8llu %10s %10s %10s %4.0f %%"
                "  %s\n",
                duration(c->age_us).bytes, c->stage, c->protocol,
                *c->tls == '\0' ? "-" : c->tls, c->streams,
                (unsigned long long)c->streams_started,
                size(c->received_bytes).bytes, size(c->sent_bytes).bytes,
                size(c->queued_bytes).bytes, c->guard_fullness * 100, c->peer);
    }
    print_rest(out, list->total, rows);
}

/* "-" for what is not one number. */
static struct text limit_number(const ServerLimit *limit, bool is_known,
                                int64_t number)
{
    struct text t = shortened("");
    if (!is_known)
        return t;
    if (limit->unit == SERVER_LIMIT_UNIT_BYTES)
        return size((uint64_t)number);
    if (limit->unit == SERVER_LIMIT_UNIT_MS)
        return duration(number * 1000);
    snprintf(t.bytes, sizeof t.bytes,
             limit->unit == SERVER_LIMIT_UNIT_PER_SECOND ? "%lld/s" : "%lld",
             (long long)number);
    return t;
}

/* The others say nothing of this server. */
static bool is_worth_a_line(const ServerLimit *limit)
{
    return limit->_used_case == SERVER_LIMIT_USED_CASE || limit->refused > 0;
}

static void print_limits(FILE *out, const GetServerStateResponse *s)
{
    size_t shown = 0;
    fprintf(out, "\n%-34s %12s %12s %10s\n", "LIMIT", "USED", "AT MOST",
            "REFUSED");
    for (size_t i = 0; i < s->n_limits; i++) {
        const ServerLimit *l = s->limits[i];
        bool has_used = l->_used_case == SERVER_LIMIT_USED_CASE;
        bool has_max = l->_max_case == SERVER_LIMIT_MAX_CASE;
        if (!is_worth_a_line(l))
            continue;
        fprintf(out, "%-34s %12s %12s %10lld\n", l->name,
                limit_number(l, has_used, l->used).bytes,
                limit_number(l, has_max, l->max).bytes, (long long)l->refused);
        shown++;
    }
    fprintf(out, "  and %zu that have refused nothing\n", s->n_limits - shown);
}

static void print_pools(FILE *out, const GetServerStateResponse *s)
{
    if (s->n_pools > 0)
        fprintf(out, "\n%-34s %8s %8s %8s %8s\n", "POOL", "USED", "IDLE",
                "WAITING", "AT MOST");
    for (size_t i = 0; i < s->n_pools; i++)
        fprintf(out, "%-34s %8u %8u %8u %8u%s\n", s->pools[i]->name,
                s->pools[i]->used, s->pools[i]->idle, s->pools[i]->waiting,
                s->pools[i]->max, s->pools[i]->is_up ? "" : "  DOWN");
}

static void print_memory(FILE *out, const GetServerStateResponse *s)
{
    fprintf(out, "\n%-40s %10s\n", "MEMORY", "BYTES");
    for (size_t i = 0; i < s->n_memory; i++)
        fprintf(out, "%-40s %10s\n", s->memory[i]->owner,
                size(s->memory[i]->bytes).bytes);
}

void top_print(FILE *out, const struct top_sample *now,
               const struct top_sample *previous, size_t rows)
{
    print_head(out, now, previous);
    print_loops(out, now->state);
    print_methods(out, now, previous, rows);
    print_calls(out, now->calls, rows);
    print_connections(out, now->connections, rows);
    print_limits(out, now->state);
    print_pools(out, now->state);
    print_memory(out, now->state);
    fprintf(out, "\n");
}

/* --- JSON ----------------------------------------------------------------- */

static const char *as_json(struct arena *arena, const struct json_types *types,
                           const ProtobufCMessage *message)
{
    char *text;
    size_t bytes;
    return json_encode(arena, types, message, &text, &bytes) ? text : "null";
}

void top_print_json(FILE *out, const struct top_sample *now)
{
    static const struct rpc_registry *const registries[] = {&runtime_registry,
                                                            NULL};
    struct json_types *types = json_types_create(registries);
    fprintf(out, "{\"state\":%s,\"calls\":%s,\"connections\":%s}\n",
            as_json(now->arena, types, &now->state->base),
            as_json(now->arena, types, &now->calls->base),
            as_json(now->arena, types, &now->connections->base));
    json_types_destroy(types);
}
