#include "rpc/admission.h"

/* A fifth less when calls are slow, a tenth more when they are not. */
static const double shrink = 0.8, grow = 1.1;

/* How much one quiet call moves what is known: ten of them settle it. */
static const double learning = 0.1;

bool admission_begin(struct admission *a)
{
    a->running++;
    if (a->running > a->peak)
        a->peak = a->running;
    return a->running <= ADMISSION_FLOOR;
}

static void learn(struct admission *a, int64_t took_us)
{
    double took = took_us < 1 ? 1 : (double)took_us;
    a->cost_us =
        a->cost_us == 0 ? took : a->cost_us + learning * (took - a->cost_us);
}

static double at_least_floor(double limit)
{
    return limit < ADMISSION_FLOOR ? ADMISSION_FLOOR : limit;
}

/* A limit far above what runs would let a burst in before it counts. */
static void let_in_fewer(struct admission *a)
{
    double from = a->limit == 0 || a->peak < a->limit ? a->peak : a->limit;
    a->limit = at_least_floor(from * shrink);
}

static void let_in_more(struct admission *a)
{
    if (a->limit != 0 && a->peak + 1 >= a->limit)
        a->limit = a->limit * grow + 1;
}

static void decide(struct admission *a, int64_t now_us)
{
    if (2 * a->slow > a->samples)
        let_in_fewer(a);
    else
        let_in_more(a);
    a->samples = a->slow = 0;
    a->peak = a->running;
    a->tick_us = now_us;
}

void admission_end(struct admission *a, bool was_quiet,
                   admission_outcome outcome, int64_t took_us, int64_t delay_us,
                   int64_t now_us)
{
    a->running--;
    if (outcome != ADMISSION_ANSWERED)
        return;
    if (a->tick_us == 0)
        a->tick_us = now_us;
    a->samples++;
    a->slow += a->cost_us != 0 && (double)took_us > 2 * a->cost_us + delay_us;
    if (was_quiet)
        learn(a, took_us);
    if (a->samples >= ADMISSION_SAMPLES_MIN &&
        now_us - a->tick_us >= ADMISSION_TICK_US)
        decide(a, now_us);
}
