#ifndef PRBAL_SERVICES_VIOLATIONS_H
#define PRBAL_SERVICES_VIOLATIONS_H

#include "rpc/call.h"

/* Gathers what is wrong with a request, to tell all of it at once:
 *
 *     struct violations v = {.call = call};
 *     if (...)
 *         violate(&v, "password", "Use at least 8 characters.");
 *     return v.status; */
struct violations {
    struct rpc_call *call;
    rpc_status status; /* OK until the first one, then INVALID_ARGUMENT */
};

/* `description` is a whole sentence; `field` is "" for the whole request. */
static inline void violate(struct violations *v, const char *field,
                           const char *description)
{
    if (v->status.code == RPC_OK)
        v->status = rpc_fail_field(v->call, field, "%s", description);
    else
        rpc_add_field_violation(v->call, field, description);
}

#endif
