#include "tests/simulate/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct mistake *planted;

void run_plant(const struct mistake *mistake)
{
    planted = mistake;
}

uint64_t run_choice(uint64_t seed, uint64_t i)
{
    uint64_t z = seed * 0xd1342543de82ef95u + i * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Two of them: the world, and the world one step ago. */
static struct world *create(const struct rules *rules)
{
    struct world *w = calloc(2, sizeof *w);
    if (w == NULL)
        abort();
    world_init(w, rules);
    if (planted != NULL)
        planted->plant(&w->rules, &w->ledger);
    return w;
}

static void destroy(struct world *w)
{
    world_finish(w);
    free(w);
}

struct run run_seed(const struct rules *rules, uint64_t seed, uint64_t steps)
{
    struct world *w = create(rules);
    struct run run = {0};
    while (run.steps < steps && run.broken == NULL)
        run.broken = world_step(&w[0], &w[1], run_choice(seed, run.steps++));
    run.hash = world_hash(w);
    run.moves = w->moves;
    run.transfers = w->next_transfer;
    destroy(w);
    return run;
}

/* Whether the steps break the same thing; then also how many of them do. */
static bool breaks(const struct rules *rules, const uint64_t *steps,
                   size_t *count, const char *sentence)
{
    struct world *w = create(rules);
    const char *broken = NULL;
    size_t i = 0;
    while (i < *count && broken == NULL)
        broken = world_step(&w[0], &w[1], steps[i++]);
    destroy(w);
    if (broken == NULL || strcmp(broken, sentence) != 0)
        return false;
    *count = i;
    return true;
}

/* Leaves out `chunk` steps at a time; true when some were not needed. */
static bool leave_out(const struct rules *rules, struct run *run, size_t chunk)
{
    uint64_t *rest = malloc(run->trace_count * sizeof *rest);
    if (rest == NULL)
        abort();
    bool shorter = false;
    for (size_t at = 0; at < run->trace_count;) {
        size_t gone =
            chunk < run->trace_count - at ? chunk : run->trace_count - at;
        size_t count = run->trace_count - gone;
        memcpy(rest, run->trace, at * sizeof *rest);
        memcpy(rest + at, run->trace + at + gone, (count - at) * sizeof *rest);
        if (count > 0 && breaks(rules, rest, &count, run->broken)) {
            memcpy(run->trace, rest, count * sizeof *rest);
            run->trace_count = count;
            shorter = true;
        } else {
            at += chunk;
        }
    }
    free(rest);
    return shorter;
}

void run_shrink(const struct rules *rules, uint64_t seed, struct run *run)
{
    run->trace_count = (size_t)run->steps;
    run->trace = malloc(run->trace_count * sizeof *run->trace);
    if (run->trace == NULL)
        abort();
    for (size_t i = 0; i < run->trace_count; i++)
        run->trace[i] = run_choice(seed, i);
    for (size_t chunk = run->trace_count / 2; chunk > 1; chunk /= 2)
        leave_out(rules, run, chunk);
    while (leave_out(rules, run, 1))
        ;
}

void run_print(const struct rules *rules, const struct run *run)
{
    struct world *w = create(rules);
    w->verbose = true;
    for (size_t i = 0; i < run->trace_count; i++) {
        const char *broken = world_step(&w[0], &w[1], run->trace[i]);
        printf("  %3zu  %s\n", i + 1, w->note);
        if (broken != NULL)
            printf("       BROKEN: %s\n", broken);
    }
    destroy(w);
}

void run_finish(struct run *run)
{
    free(run->trace);
    run->trace = NULL;
}
