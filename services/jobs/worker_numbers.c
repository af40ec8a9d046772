/* What /metrics says of jobs. */
#include "rpc/metrics.h"
#include "services/jobs/worker_internal.h"

#include <pthread.h>
#include <stdio.h>

static struct {
    metric runs[RUN_OUTCOMES], seconds, due, oldest;
} numbers[JOB_KIND_COUNT];

static void register_kind(job_type kind)
{
    char labels[120];
    for (int i = 0; i < RUN_OUTCOMES; i++) {
        snprintf(labels, sizeof labels, "kind=\"%s\",outcome=\"%s\"",
                 job_kinds[kind].name, run_outcome_names[i]);
        numbers[kind].runs[i] = metrics_counter(
            "job_runs_total", "Runs of jobs, by how they ended.", labels);
    }
    snprintf(labels, sizeof labels, "kind=\"%s\",queue=\"%s\"",
             job_kinds[kind].name, job_kinds[kind].queue);
    numbers[kind].seconds =
        metrics_histogram("job_run_seconds", "How long runs took.", labels);
    numbers[kind].due = metrics_gauge(
        "jobs_due", "Jobs that could run now, counted to 1,000.", labels);
    numbers[kind].oldest =
        metrics_gauge("jobs_oldest_due_age_seconds",
                      "For how long the oldest of them could have.", labels);
}

static void register_numbers(void)
{
    for (int kind = 0; kind < JOB_KIND_COUNT; kind++)
        register_kind((job_type)kind);
}

static void make_sure(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_numbers);
}

void worker_count(const struct run *run)
{
    make_sure();
    metrics_add(numbers[run->kind].runs[run->outcome], 1);
    metrics_observe_us(numbers[run->kind].seconds, run->took_us);
}

static void set_gauge(metric gauge, int64_t *shown, int64_t value)
{
    metrics_add(gauge, value - *shown);
    *shown = value;
}

void worker_show_depth(struct worker *worker, job_type kind, int64_t due,
                       int64_t oldest_seconds)
{
    make_sure();
    set_gauge(numbers[kind].due, &worker->due_shown[kind], due);
    set_gauge(numbers[kind].oldest, &worker->oldest_shown[kind],
              oldest_seconds);
}
