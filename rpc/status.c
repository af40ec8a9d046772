#include "rpc/status.h"

#include "rpc/call.h"
#include "rpc/details.h"

#include <stdarg.h>

static const char *const code_names[RPC_CODE_COUNT] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *rpc_code_name(rpc_code code)
{
    return (unsigned)code < RPC_CODE_COUNT ? code_names[code] : "UNKNOWN";
}

static struct rpc_details *fail(struct rpc_call *call, rpc_code code,
                                const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static struct rpc_details *fail(struct rpc_call *call, rpc_code code,
                                const char *format, va_list args)
{
    struct rpc_details *d = ARENA_NEW(call->arena, struct rpc_details);
    d->status.code = code;
    d->status.message = arena_vprintf(call->arena, format, args);
    d->retry_ms = -1;
    d->next = call->details;
    call->details = d;
    return d;
}

rpc_status rpc_fail(struct rpc_call *call, rpc_code code, const char *format,
                    ...)
{
    va_list args;
    va_start(args, format);
    struct rpc_details *d = fail(call, code, format, args);
    va_end(args);
    return d->status;
}

rpc_status rpc_fail_reason(struct rpc_call *call, rpc_code code,
                           const char *reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct rpc_details *d = fail(call, code, format, args);
    va_end(args);
    d->reason = reason;
    return d->status;
}

/* The status says the same as its violation: clients that do not read details
 * still show a sentence. */
rpc_status rpc_fail_field(struct rpc_call *call, const char *field,
                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *description = arena_vprintf(call->arena, format, args);
    va_end(args);
    rpc_status status =
        field[0] == '\0'
            ? rpc_fail(call, RPC_INVALID_ARGUMENT, "%s", description)
            : rpc_fail(call, RPC_INVALID_ARGUMENT, "%s: %s", field,
                       description);
    rpc_add_field_violation(call, field, description);
    return status;
}

rpc_status rpc_fail_retry(struct rpc_call *call, rpc_code code,
                          int64_t retry_ms, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct rpc_details *d = fail(call, code, format, args);
    va_end(args);
    d->retry_ms = retry_ms;
    return d->status;
}

void rpc_add_field_violation(struct rpc_call *call, const char *field,
                             const char *description)
{
    if (call->details == NULL)
        return;
    struct rpc_violation *v = ARENA_NEW(call->arena, struct rpc_violation);
    v->field = arena_strdup(call->arena, field);
    v->description = arena_strdup(call->arena, description);
    v->next = call->details->violations;
    call->details->violations = v;
}

void rpc_add_reason(struct rpc_call *call, const char *reason)
{
    if (call->details != NULL)
        call->details->reason = reason;
}

void rpc_add_metadata(struct rpc_call *call, const char *key, const char *value)
{
    if (call->details == NULL)
        return;
    struct rpc_detail_pair *p = ARENA_NEW(call->arena, struct rpc_detail_pair);
    p->key = arena_strdup(call->arena, key);
    p->value = arena_strdup(call->arena, value);
    p->next = call->details->metadata;
    call->details->metadata = p;
}

void rpc_add_retry(struct rpc_call *call, int64_t retry_ms)
{
    if (call->details != NULL)
        call->details->retry_ms = retry_ms;
}
