#ifndef PRBAL_DB_ARGS_H
#define PRBAL_DB_ARGS_H

#include "db/db.h"

/* Arguments as libpq takes them. */
struct params {
    int count;
    const char **values;
    int *sizes;
    int *formats; /* 1 = binary */
};

/* Encodes `args` for parameters of the types `oids[query->param_count]`, in the
 * call's arena (texts and bytes stay where they are).  INVALID_ARGUMENT for a
 * text that is no uuid and a number that does not fit; INTERNAL for the wrong
 * number of arguments. */
rpc_status args_encode(struct rpc_call *call, const struct db_query *query,
                       const uint32_t *oids, const db_arg *args, size_t count,
                       struct params *params);

#endif
