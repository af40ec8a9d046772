#ifndef PRBAL_RPC_METRICS_H
#define PRBAL_RPC_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Numbers for Prometheus.  Every thread adds to numbers of its own, so that
 * counting costs neither a lock nor a shared cache line; a scrape adds them
 * up.  One set a process. */

/* A number, or the first of a histogram's.  Registering the same name and
 * labels again gives the same one.  `name` and `help` are literals; `labels`
 * look like `reason="memory"`, may be NULL, and are copied.  At most
 * METRICS_NUMBERS_MAX numbers: more end the process. */
typedef int metric;
enum { METRICS_NUMBERS_MAX = 512 * 1024 };

metric metrics_counter(const char *name, const char *help, const char *labels);
/* A counter that is not shown while it is 0. */
metric metrics_rare_counter(const char *name, const char *help,
                            const char *labels);
metric metrics_gauge(const char *name, const char *help, const char *labels);
/* Durations, shown in seconds; `name` ends in "_seconds". */
metric metrics_histogram(const char *name, const char *help,
                         const char *labels);

/* Sizes; `name` ends in "_bytes". */
metric metrics_size_histogram(const char *name, const char *help,
                              const char *labels);

/* From any thread.  A gauge may be taken down on another thread than the one
 * that put it up. */
void metrics_add(metric number, int64_t amount);
void metrics_observe_us(metric histogram, int64_t duration_us);
void metrics_observe_bytes(metric histogram, int64_t bytes);

/* Numbers that are read at each scrape, on the scraping thread. */
void metrics_counter_function(const char *name, const char *help,
                              const char *labels, double (*fn)(void *argument),
                              void *argument);
void metrics_gauge_function(const char *name, const char *help,
                            const char *labels, double (*fn)(void *argument),
                            void *argument);
/* Takes back all functions with this argument; after it returns none runs. */
void metrics_forget(void *argument);

/* What a number is now, over all threads. */
int64_t metrics_value(metric number);

/* The number under this name and these labels (NULL = none); -1 when nobody has
 * registered it. */
metric metrics_find(const char *name, const char *labels);

/* What that share of the durations in these histograms, 0 to 1, is below;
 * within a bucket they are taken to lie evenly.  0 when there are none. */
int64_t metrics_quantile_us(const metric *histograms, size_t count,
                            double share);
int64_t metrics_duration_count(metric histogram);
int64_t metrics_bytes_sum(metric histogram);

/* The text of a scrape, by malloc(). */
char *metrics_text(size_t *size);

#endif
