#ifndef PRBAL_SERVICES_CALLER_H
#define PRBAL_SERVICES_CALLER_H

#include "prbal/options.rpc.h"
#include "rpc/call.h"

#include <stdbool.h>

/* Questions about who is calling, for rules finer than a method's access
 * option. */
static inline bool caller_is(const struct rpc_call *call, Role role)
{
    return (call->caller.roles & (1u << role)) != 0;
}

/* Administrators pass where an owner or participant does.  Statements take it
 * as a parameter, so that every statement still carries its actor. */
static inline bool caller_is_admin(const struct rpc_call *call)
{
    return caller_is(call, ROLE_ADMIN);
}

#endif
