#include "rpc/process_metrics.h"

#include "rpc/clock.h"
#include "rpc/metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

static int64_t start_us;

int64_t process_start_wall_us(void)
{
    return start_us;
}

static double start_time(void *argument)
{
    (void)argument;
    return (double)start_us / 1e6;
}

double process_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double cpu_seconds(void *argument)
{
    (void)argument;
    return process_cpu_seconds();
}

double process_resident_bytes(void)
{
    size_t bytes = 0;
    return uv_resident_set_memory(&bytes) == 0 ? (double)bytes : 0;
}

static double resident_bytes(void *argument)
{
    (void)argument;
    return process_resident_bytes();
}

static double open_files(void *argument)
{
    (void)argument;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    int count = -3; /* ".", "..", and the folder itself */
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void add_once(void)
{
    start_us = clock_wall_us();
    metrics_gauge_function("process_start_time_seconds",
                           "When the process started, since 1970.", NULL,
                           start_time, NULL);

    metrics_counter_function("process_cpu_seconds_total",
                             "User and system CPU time.", NULL, cpu_seconds,
                             NULL);
    metrics_gauge_function("process_resident_memory_bytes", "Resident memory.",
                           NULL, resident_bytes, NULL);
    metrics_gauge_function("process_open_fds", "Open file descriptors.", NULL,
                           open_files, NULL);
}

void process_metrics_add(void)
{
    static uv_once_t once = UV_ONCE_INIT;
    uv_once(&once, add_once);
}
