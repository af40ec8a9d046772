#include "services/jobs/kinds.h"

#include "services/bookings/booking_row.rpc.h"
#include "services/jobs/handlers.h"
#include "services/mail/mail_row.rpc.h"

#include <string.h>

#define NONE_DESCRIPTOR NULL
#define KIND(NAME, place, fn, in_queue, MESSAGE, together, tries, within_ms) \
    [JOB_##NAME] = {.name = #fn,                                             \
                    .queue = in_queue,                                       \
                    .arguments = MESSAGE##_DESCRIPTOR,                       \
                    .place = fn,                                             \
                    .at_once = together,                                     \
                    .attempts_max = tries,                                   \
                    .deadline_ms = within_ms},
#define INSIDE(NAME, ...) KIND(NAME, inside, __VA_ARGS__)
#define OUTSIDE(NAME, ...) KIND(NAME, outside, __VA_ARGS__)

const struct job_kind job_kinds[JOB_KIND_COUNT] = {
#include "services/jobs/kinds.def"
};

const struct job_rule job_rules[] = {
    {JOB_BID_EXPIRE, .every_seconds = 60},
    {JOB_BOOKING_EXPIRE, .every_seconds = 60},
    {JOB_SERVICE_EXPIRE, .every_seconds = 600},
    {JOB_AUTH_SWEEP, .every_seconds = 600},
    {JOB_IDEMPOTENCY_SWEEP, .every_seconds = 600},
    {JOB_JOB_PURGE, .every_seconds = 600},
    {JOB_LEDGER_KEEP, .every_seconds = 60},
};
const size_t job_rule_count = sizeof job_rules / sizeof *job_rules;

job_type job_kind_of(const char *name)
{
    int kind = 0;
    while (kind < JOB_KIND_COUNT && strcmp(job_kinds[kind].name, name) != 0)
        kind++;
    return (job_type)kind;
}

bool job_queue_is_known(const char *queue)
{
    for (int i = 0; i < JOB_KIND_COUNT; i++)
        if (strcmp(job_kinds[i].queue, queue) == 0)
            return true;
    return false;
}

int64_t job_backoff_ms(int attempt)
{
    static const int64_t seconds[] = {60, 5 * 60, 30 * 60, 2 * 3600, 12 * 3600};
    int last = sizeof seconds / sizeof *seconds - 1;
    int step = attempt - 1;
    return seconds[step < 0 ? 0 : step > last ? last : step] * 1000;
}
