#ifndef PRBAL_SERVICES_JOBS_KINDS_H
#define PRBAL_SERVICES_JOBS_KINDS_H

#include "db/db.h"

struct job_run;

typedef enum {
#define INSIDE(NAME, ...) JOB_##NAME,
#define OUTSIDE(NAME, ...) JOB_##NAME,
#include "services/jobs/kinds.def"
#undef INSIDE
#undef OUTSIDE
    JOB_KIND_COUNT
} job_type;

/* A row of services/jobs/kinds.def; one of the two handlers is set. */
struct job_kind {
    const char *name;
    const char *queue; /* what an administrator pauses */
    const ProtobufCMessageDescriptor *arguments; /* NULL: none */
    rpc_status (*inside)(struct db *tx, struct job_run *run);
    rpc_status (*outside)(struct rpc_call *call, struct job_run *run);
    int at_once; /* in one process */
    int attempts_max;
    int64_t deadline_ms;
};

extern const struct job_kind job_kinds[JOB_KIND_COUNT];

/* JOB_KIND_COUNT for a name that this program does not know. */
job_type job_kind_of(const char *name);

/* Whether any kind has this queue. */
bool job_queue_is_known(const char *queue);

/* A kind that comes round by the clock. */
struct job_rule {
    job_type kind;
    int every_seconds;       /* or, when 0, */
    const char *time_of_day; /* "03:30" in the setting default_timezone, */
    int weekday;             /* every day, or on one: 1 is Monday */
};
enum { JOB_RULES_MAX = 16 };
extern const struct job_rule job_rules[];
extern const size_t job_rule_count;

/* How long after a failed attempt the next one comes, before a random part of
 * up to a quarter is added. */
int64_t job_backoff_ms(int attempt);

#endif
