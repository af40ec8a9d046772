#include "db/observe.h"

#include "rpc/log.h"
#include "rpc/metrics.h"

#include <pthread.h>
#include <stdio.h>

static struct {
    metric seconds[3];
    metric routes[OBSERVED_ROUTES];
    metric links, link_failures, leases, lease_waits;
} numbers;

static void register_routes(void)
{
    static const char *const labels[OBSERVED_ROUTES] = {
        [OBSERVED_REPLICA] = "by=\"replica\",why=\"ready\"",
        [OBSERVED_WAITED] = "by=\"replica\",why=\"waited\"",
        [OBSERVED_BEHIND] = "by=\"primary\",why=\"behind\"",
        [OBSERVED_LEFT_OUT] = "by=\"primary\",why=\"left_out\"",
        [OBSERVED_NO_TOKEN] = "by=\"primary\",why=\"no_token\"",
        [OBSERVED_UNREADABLE] = "by=\"primary\",why=\"unreadable\"",
        [OBSERVED_FAILED] = "by=\"primary\",why=\"failed\"",
    };
    for (int i = 0; i < OBSERVED_ROUTES; i++)
        numbers.routes[i] = metrics_counter(
            "db_replica_calls_total",
            "Calls that a replica may answer, by who did", labels[i]);
}

static void register_numbers(void)
{
    static const char *const labels[] = {
        "on=\"read_lane\"", "on=\"write_lane\"", "on=\"transaction\""};
    for (int i = 0; i < 3; i++)
        numbers.seconds[i] = metrics_histogram(
            "db_statement_seconds", "Statements, until their answer is read",
            labels[i]);
    register_routes();
    numbers.links = metrics_gauge(
        "db_links", "Connections to PostgreSQL that are up", NULL);
    numbers.link_failures =
        metrics_counter("db_link_failures_total",
                        "Connections that were lost or not to be had", NULL);
    numbers.leases = metrics_gauge(
        "db_leases", "Links that a transaction or slow statement holds", NULL);
    numbers.lease_waits = metrics_gauge(
        "db_lease_waits", "Calls that wait for such a link", NULL);
}

static void ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_numbers);
}

void observe_statement(observed_as as, const struct db_query *query,
                       int64_t duration_us)
{
    ready();
    metrics_observe_us(numbers.seconds[as], duration_us);
    if (duration_us > OBSERVE_SLOW_US)
        log_text(LOG_WARN, "db", "%s (%s:%d) took %lld ms", query->name,
                 query->file, query->line, (long long)(duration_us / 1000));
}

void observe_route(observed_route route)
{
    ready();
    metrics_add(numbers.routes[route], 1);
}

/* Errors are rare, and there are few states: looked up each time. */
void observe_error(const char *sqlstate)
{
    char label[32];
    snprintf(label, sizeof label, "sqlstate=\"%.5s\"", sqlstate);
    metrics_add(metrics_rare_counter("db_errors_total",
                                     "Errors that PostgreSQL answered", label),
                1);
}

void observe_link(int change)
{
    ready();
    metrics_add(numbers.links, change);
}

void observe_link_failure(const char *error)
{
    ready();
    metrics_add(numbers.link_failures, 1);
    log_text(LOG_WARN, "db", "no connection to PostgreSQL: %s", error);
}

void observe_lease(int change)
{
    ready();
    metrics_add(numbers.leases, change);
}

void observe_lease_wait(int change)
{
    ready();
    metrics_add(numbers.lease_waits, change);
}
