#include "rpc/admission.h"

/* A fifth to a half less when calls are slow, a fifth more when they are not.
 */
static const double shrink = 0.8, shrink_most = 0.5, grow = 1.2;

/* How much one quiet call moves what is known, at most: calls that found the
 * queue of others, who have given up since, must not pass for the usual. */
static const double learning = 0.02;

static void learn(struct admission *a, int64_t took_us)
{
    double took = took_us < 1 ? 1 : (double)took_us;
    double step = learning * a->cost_us;
    if (a->cost_us == 0 ||
        (took > a->cost_us - step && took < a->cost_us + step))
        a->cost_us = took;
    else
        a->cost_us += took > a->cost_us ? step : -step;
}

/* What is slower than this has waited. */
static double patience_us(const struct admission *a, int64_t delay_us)
{
    return 2 * a->cost_us + (double)delay_us;
}

static double at_least_floor(double limit)
{
    return limit < ADMISSION_FLOOR ? ADMISSION_FLOOR : limit;
}

static double between(double least, double value, double most)
{
    return value < least ? least : value > most ? most : value;
}

/* Towards as many as are answered while they have patience.  A limit far above
 * what runs would let a burst in before it counts; and while more run than
 * that, those that are slow came before there was this limit. */
static void let_in_fewer(struct admission *a, int64_t delay_us, int64_t now_us)
{
    if (a->limit != 0 && a->running > a->limit)
        return;
    double from = a->limit == 0 || a->peak < a->limit ? a->peak : a->limit;
    double in_time =
        a->answered * patience_us(a, delay_us) / (double)(now_us - a->tick_us);
    a->limit =
        at_least_floor(between(from * shrink_most, in_time, from * shrink));
}

static void let_in_more(struct admission *a)
{
    if (a->limit != 0 && a->peak + 1 >= a->limit)
        a->limit = a->limit * grow + 1;
}

static void begin_tick(struct admission *a, int64_t now_us)
{
    a->samples = a->slow = a->answered = 0;
    a->peak = a->running;
    a->tick_us = now_us;
}

static void decide(struct admission *a, int64_t delay_us, int64_t now_us)
{
    if (2 * a->slow > a->samples)
        let_in_fewer(a, delay_us, now_us);
    else
        let_in_more(a);
    begin_tick(a, now_us);
}

static bool is_tick_over(const struct admission *a, int64_t now_us)
{
    return a->tick_us != 0 && now_us - a->tick_us >= ADMISSION_TICK_US;
}

/* In a queue that grows the slow calls are those that are not answered yet. */
static void look_at_watched(struct admission *a, int64_t delay_us,
                            int64_t now_us)
{
    if (a->watched_us == 0)
        a->watched_us = now_us;
    bool is_overdue = a->cost_us != 0 && (double)(now_us - a->watched_us) >
                                             patience_us(a, delay_us);
    if (!is_overdue || !is_tick_over(a, now_us))
        return;
    let_in_fewer(a, delay_us, now_us);
    begin_tick(a, now_us);
}

bool admission_begin(struct admission *a, int64_t delay_us, int64_t now_us)
{
    a->running++;
    if (a->running > a->peak)
        a->peak = a->running;
    look_at_watched(a, delay_us, now_us);
    return a->running <= ADMISSION_FLOOR;
}

void admission_end(struct admission *a, bool was_quiet,
                   admission_outcome outcome, int64_t took_us, int64_t delay_us,
                   int64_t now_us)
{
    a->running--;
    if (now_us - took_us == a->watched_us)
        a->watched_us = 0;
    bool is_slow =
        a->cost_us != 0 && (double)took_us > patience_us(a, delay_us);
    if (outcome != ADMISSION_ANSWERED && !is_slow)
        return;
    if (a->tick_us == 0)
        a->tick_us = now_us;
    a->samples++;
    a->slow += is_slow;
    a->answered += outcome == ADMISSION_ANSWERED;
    if (was_quiet && outcome == ADMISSION_ANSWERED)
        learn(a, took_us);
    if (a->samples >= ADMISSION_SAMPLES_MIN && is_tick_over(a, now_us))
        decide(a, delay_us, now_us);
}
