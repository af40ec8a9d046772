#ifndef PRBAL_SERVICES_JOBS_HANDLERS_H
#define PRBAL_SERVICES_JOBS_HANDLERS_H

#include "services/jobs/jobs.h"

/* The handlers of all kinds, for the files that write them. */
#define INSIDE(NAME, handler, ...) \
    rpc_status handler(struct db *tx, struct job_run *run);
#define OUTSIDE(NAME, handler, ...) \
    rpc_status handler(struct rpc_call *call, struct job_run *run);
#include "services/jobs/kinds.def"
#undef INSIDE
#undef OUTSIDE

#endif
