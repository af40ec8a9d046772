/* family (name, help, type) -> series (labels) -> numbers in each shard. */
#include "rpc/metrics.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef enum { COUNTER, GAUGE, DURATIONS, SIZES } family_type;

struct series {
    struct series *next;
    metric number;
    bool is_rare;
    double (*fn)(void *argument);
    void *argument;
    char labels[]; /* "" when there are none */
};

struct family {
    struct family *next;
    const char *name;
    const char *help;
    family_type type;
    struct series *first, **last;
};

/* Numbers of one thread.  When it ends they stay, for the sums. */
struct shard {
    struct shard *next;
    _Atomic int64_t numbers[METRICS_NUMBERS_MAX];
};

static const int64_t bounds_us[] = {
    250,    500,    1000,   2500,    5000,    10000,   25000,   50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};
enum { DURATION_BOUNDS = sizeof bounds_us / sizeof bounds_us[0] };

static const int64_t bounds_bytes[] = {256,   1024,   4096,    16384,
                                       65536, 262144, 1048576, 4194304};
enum { SIZE_BOUNDS = sizeof bounds_bytes / sizeof bounds_bytes[0] };

/* A histogram's numbers: one for each bound, one beyond, and the sum. */
static const struct scale {
    const int64_t *bounds;
    int bound_count;
    double unit; /* of what is shown */
} scales[] = {
    [DURATIONS] = {bounds_us, DURATION_BOUNDS, 1e6},
    [SIZES] = {bounds_bytes, SIZE_BOUNDS, 1},
};

static bool is_histogram(family_type type)
{
    return type == DURATIONS || type == SIZES;
}

static uv_mutex_t lock;
static uv_once_t lock_once = UV_ONCE_INIT;
static struct family *families, **last_family = &families;
static struct shard *shards;
static int number_count;
static _Thread_local struct shard *mine;

static void make_lock(void)
{
    if (uv_mutex_init(&lock) != 0)
        abort();
}

static void enter(void)
{
    uv_once(&lock_once, make_lock);
    uv_mutex_lock(&lock);
}

static void leave(void)
{
    uv_mutex_unlock(&lock);
}

static void *allocate(size_t size)
{
    void *p = calloc(1, size);
    if (p == NULL)
        abort();
    return p;
}

/* --- registering ---------------------------------------------------------- */

static struct family *find_family(const char *name, const char *help,
                                  family_type type)
{
    for (struct family *f = families; f != NULL; f = f->next)
        if (strcmp(f->name, name) == 0)
            return f;
    struct family *f = allocate(sizeof *f);
    f->name = name;
    f->help = help;
    f->type = type;
    f->last = &f->first;
    *last_family = f;
    last_family = &f->next;
    return f;
}

static struct series *add_series(struct family *family, const char *labels)
{
    struct series *s = allocate(sizeof *s + strlen(labels) + 1);
    strcpy(s->labels, labels);
    *family->last = s;
    family->last = &s->next;
    return s;
}

static metric take_numbers(int count)
{
    metric first = number_count;
    number_count += count;
    assert(number_count <= METRICS_NUMBERS_MAX);
    return first;
}

static metric register_series(const char *name, const char *help,
                              const char *labels, family_type type,
                              bool is_rare)
{
    if (labels == NULL)
        labels = "";
    enter();
    struct family *family = find_family(name, help, type);
    struct series *s = family->first;
    while (s != NULL && strcmp(s->labels, labels) != 0)
        s = s->next;
    if (s == NULL) {
        s = add_series(family, labels);
        s->number =
            take_numbers(is_histogram(type) ? scales[type].bound_count + 2 : 1);
        s->is_rare = is_rare;
    }
    leave();
    return s->number;
}

metric metrics_counter(const char *name, const char *help, const char *labels)
{
    return register_series(name, help, labels, COUNTER, false);
}

metric metrics_rare_counter(const char *name, const char *help,
                            const char *labels)
{
    return register_series(name, help, labels, COUNTER, true);
}

metric metrics_gauge(const char *name, const char *help, const char *labels)
{
    return register_series(name, help, labels, GAUGE, false);
}

metric metrics_histogram(const char *name, const char *help, const char *labels)
{
    return register_series(name, help, labels, DURATIONS, true);
}

metric metrics_size_histogram(const char *name, const char *help,
                              const char *labels)
{
    return register_series(name, help, labels, SIZES, true);
}

static void register_function(const char *name, const char *help,
                              const char *labels, family_type type,
                              double (*fn)(void *argument), void *argument)
{
    enter();
    struct series *s =
        add_series(find_family(name, help, type), labels == NULL ? "" : labels);
    s->fn = fn;
    s->argument = argument;
    leave();
}

void metrics_counter_function(const char *name, const char *help,
                              const char *labels, double (*fn)(void *argument),
                              void *argument)
{
    register_function(name, help, labels, COUNTER, fn, argument);
}

void metrics_gauge_function(const char *name, const char *help,
                            const char *labels, double (*fn)(void *argument),
                            void *argument)
{
    register_function(name, help, labels, GAUGE, fn, argument);
}

static void forget_in(struct family *family, void *argument)
{
    for (struct series **at = &family->first; *at != NULL;) {
        struct series *s = *at;
        if (s->fn == NULL || s->argument != argument) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        if (*at == NULL)
            family->last = at;
        free(s);
    }
}

void metrics_forget(void *argument)
{
    enter();
    for (struct family *f = families; f != NULL; f = f->next)
        forget_in(f, argument);
    leave();
}

/* --- counting ------------------------------------------------------------- */

/* Once a thread: what runs for each number is short. */
__attribute__((cold, noinline)) static struct shard *make_shard(void)
{
    mine = allocate(sizeof *mine); /* untouched pages cost nothing */
    enter();
    mine->next = shards;
    shards = mine;
    leave();
    return mine;
}

static struct shard *my_shard(void)
{
    return mine != NULL ? mine : make_shard();
}

/* Only this thread writes to its numbers: no atomic addition is needed. */
static void add(struct shard *shard, metric number, int64_t amount)
{
    _Atomic int64_t *n = &shard->numbers[number];
    atomic_store_explicit(
        n, atomic_load_explicit(n, memory_order_relaxed) + amount,
        memory_order_relaxed);
}

void metrics_add(metric number, int64_t amount)
{
    add(my_shard(), number, amount);
}

static void observe(metric histogram, const struct scale *scale, int64_t value)
{
    int i = 0;
    while (i < scale->bound_count && value > scale->bounds[i])
        i++;
    struct shard *shard = my_shard();
    add(shard, histogram + i, 1);
    add(shard, histogram + scale->bound_count + 1, value);
}

void metrics_observe_us(metric histogram, int64_t duration_us)
{
    observe(histogram, &scales[DURATIONS], duration_us);
}

void metrics_observe_bytes(metric histogram, int64_t bytes)
{
    observe(histogram, &scales[SIZES], bytes);
}

static int64_t sum_of(metric number)
{
    int64_t sum = 0;
    for (struct shard *s = shards; s != NULL; s = s->next)
        sum += atomic_load_explicit(&s->numbers[number], memory_order_relaxed);
    return sum;
}

int64_t metrics_value(metric number)
{
    enter();
    int64_t sum = sum_of(number);
    leave();
    return sum;
}

metric metrics_find(const char *name, const char *labels)
{
    metric found = -1;
    enter();
    for (struct family *f = families; f != NULL; f = f->next)
        for (struct series *s = strcmp(f->name, name) == 0 ? f->first : NULL;
             s != NULL; s = s->next)
            if (s->fn == NULL && strcmp(s->labels, labels ? labels : "") == 0)
                found = s->number;
    leave();
    return found;
}

/* The last bucket has no end: its beginning is told. */
static int64_t quantile_in(const int64_t counts[DURATION_BOUNDS], double rank)
{
    int64_t begin_us = 0;
    for (int i = 0; i < DURATION_BOUNDS; i++) {
        if (counts[i] > 0 && rank <= (double)counts[i])
            return begin_us + (int64_t)((double)(bounds_us[i] - begin_us) *
                                        rank / (double)counts[i]);
        rank -= (double)counts[i];
        begin_us = bounds_us[i];
    }
    return begin_us;
}

int64_t metrics_quantile_us(const metric *histograms, size_t count,
                            double share)
{
    int64_t counts[DURATION_BOUNDS + 1] = {0}, total = 0;
    enter();
    for (size_t h = 0; h < count; h++)
        for (int i = 0; i <= DURATION_BOUNDS; i++) {
            int64_t here = sum_of(histograms[h] + i);
            counts[i] += here;
            total += here;
        }
    leave();
    return total == 0 ? 0 : quantile_in(counts, share * (double)total);
}

int64_t metrics_duration_count(metric histogram)
{
    int64_t total = 0;
    enter();
    for (int i = 0; i <= DURATION_BOUNDS; i++)
        total += sum_of(histogram + i);
    leave();
    return total;
}

int64_t metrics_bytes_sum(metric histogram)
{
    return metrics_value(histogram + SIZE_BOUNDS + 1);
}

/* --- the scrape ----------------------------------------------------------- */

static void write_name(FILE *to, const struct family *f, const char *suffix,
                       const struct series *s)
{
    fprintf(to, "%s%s", f->name, suffix);
    if (s->labels[0] != '\0')
        fprintf(to, "{%s}", s->labels);
}

static void write_bucket(FILE *to, const struct family *f,
                         const struct series *s, const char *bound,
                         int64_t count)
{
    fprintf(to, "%s_bucket{%s%sle=\"%s\"} %lld\n", f->name, s->labels,
            s->labels[0] == '\0' ? "" : ",", bound, (long long)count);
}

static void write_histogram(FILE *to, const struct family *f,
                            const struct series *s)
{
    const struct scale *scale = &scales[f->type];
    metric beyond = s->number + scale->bound_count;
    int64_t count = 0;
    for (int i = 0; i < scale->bound_count; i++) {
        char bound[32];
        snprintf(bound, sizeof bound, "%.10g",
                 (double)scale->bounds[i] / scale->unit);
        count += sum_of(s->number + i);
        write_bucket(to, f, s, bound, count);
    }
    count += sum_of(beyond);
    write_bucket(to, f, s, "+Inf", count);
    write_name(to, f, "_sum", s);
    fprintf(to, " %.*f\n", f->type == DURATIONS ? 6 : 0,
            (double)sum_of(beyond + 1) / scale->unit);
    write_name(to, f, "_count", s);
    fprintf(to, " %lld\n", (long long)count);
}

static bool is_empty(const struct family *f, const struct series *s)
{
    if (!is_histogram(f->type))
        return sum_of(s->number) == 0;
    for (int i = 0; i <= scales[f->type].bound_count; i++)
        if (sum_of(s->number + i) != 0)
            return false;
    return true;
}

static void write_series(FILE *to, const struct family *f,
                         const struct series *s)
{
    if (s->fn != NULL) {
        write_name(to, f, "", s);
        fprintf(to, " %.9g\n", s->fn(s->argument));
        return;
    }
    if (s->is_rare && is_empty(f, s))
        return;
    if (is_histogram(f->type)) {
        write_histogram(to, f, s);
        return;
    }
    write_name(to, f, "", s);
    fprintf(to, " %lld\n", (long long)sum_of(s->number));
}

char *metrics_text(size_t *size)
{
    static const char *const types[] = {"counter", "gauge", "histogram",
                                        "histogram"};
    char *text = NULL;
    FILE *to = open_memstream(&text, size);
    if (to == NULL)
        abort();
    enter();
    for (struct family *f = families; f != NULL; f = f->next) {
        if (f->first == NULL)
            continue;
        fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name,
                types[f->type]);
        for (struct series *s = f->first; s != NULL; s = s->next)
            write_series(to, f, s);
    }
    leave();
    fclose(to);
    return text;
}
