#include "rpc/load.h"

#include "rpc/clock.h"
#include "rpc/server_internal.h"

#include <sys/resource.h>

/* A tick may come a little early. */
enum { MEASURE_US_MIN = 950 * 1000 };

/* Only this loop writes: no atomic addition is needed. */
static void add(_Atomic uint64_t *count)
{
    atomic_store_explicit(count,
                          atomic_load_explicit(count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void load_count_start(struct rpc_worker *worker)
{
    add(&worker->counts.started);
    atomic_store_explicit(&worker->counts.last_started_us,
                          loop_now_us(worker->loop), memory_order_relaxed);
}

/* What another server would perhaps have done better; a caller's mistake fails
 * everywhere alike. */
static bool is_fault(rpc_code code)
{
    return code == RPC_UNKNOWN || code == RPC_DEADLINE_EXCEEDED ||
           code == RPC_INTERNAL || code == RPC_UNAVAILABLE ||
           code == RPC_DATA_LOSS;
}

void load_count_end(struct rpc_worker *worker, rpc_code code)
{
    add(code == RPC_OK ? &worker->counts.succeeded : &worker->counts.failed);
    if (is_fault(code))
        add(&worker->counts.faults);
}

void load_publish(struct rpc_worker *worker)
{
    uint64_t calls =
        (uint64_t)worker->calls_in_flight * 1000 / worker->calls_in_flight_max;
    uint64_t delay = (uint64_t)loop_lag_us(worker->loop) /
                     worker->options.queue_delay_ms_max;
    uint64_t fullness = calls > delay ? calls : delay;
    atomic_store_explicit(&worker->counts.fullness_permille,
                          fullness > UINT32_MAX ? UINT32_MAX
                                                : (uint32_t)fullness,
                          memory_order_relaxed);
}

static int64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* The control group's limit where there is one. */
static double memory_share(void)
{
    size_t used = 0;
    uint64_t total = uv_get_total_memory();
    uint64_t limit = uv_get_constrained_memory();
    if (limit != 0 && limit < total)
        total = limit;
    if (total == 0 || uv_resident_set_memory(&used) != 0)
        return 0;
    return used < total ? (double)used / (double)total : 1;
}

static void sum_up(const struct rpc_server *server, struct load_meter *now,
                   double *fullness)
{
    for (int i = 0; i < server->worker_count; i++) {
        const struct load_counts *c = &server->workers[i].counts;
        double full =
            atomic_load_explicit(&c->fullness_permille, memory_order_relaxed) /
            1e3;
        now->calls +=
            atomic_load_explicit(&c->succeeded, memory_order_relaxed) +
            atomic_load_explicit(&c->failed, memory_order_relaxed);
        now->faults += atomic_load_explicit(&c->faults, memory_order_relaxed);
        if (full > *fullness)
            *fullness = full;
    }
}

bool load_measure(const struct rpc_server *server, struct load_meter *meter,
                  double values[RPC_LOAD_VALUES])
{
    struct load_meter now = {.at_us = clock_monotonic_us()};
    int64_t passed_us = now.at_us - meter->at_us;
    if (passed_us < MEASURE_US_MIN)
        return false;
    now.cpu_us = cpu_us();
    double fullness = 0;
    sum_up(server, &now, &fullness);
    double seconds = (double)passed_us / 1e6;
    bool is_first = meter->at_us == 0;
    values[RPC_LOAD_CPU] = is_first ? 0
                                    : (double)(now.cpu_us - meter->cpu_us) /
                                          (double)passed_us /
                                          uv_available_parallelism();
    values[RPC_LOAD_MEMORY] = memory_share();
    values[RPC_LOAD_QPS] =
        is_first ? 0 : (double)(now.calls - meter->calls) / seconds;
    values[RPC_LOAD_EPS] =
        is_first ? 0 : (double)(now.faults - meter->faults) / seconds;
    values[RPC_LOAD_APPLICATION] = fullness;
    *meter = now;
    return true;
}
