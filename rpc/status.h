#ifndef PRBAL_RPC_STATUS_H
#define PRBAL_RPC_STATUS_H

#include <stdint.h>

/* gRPC status codes with their wire numbers. */
typedef enum {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16,
} rpc_code;

enum { RPC_CODE_COUNT = 17 };

/* What a function returns that can fail in a way the caller of the RPC will
 * hear of: two words, passed by value.  `message` lives in the call's arena or
 * is a literal; NULL only when the code is RPC_OK. */
typedef struct {
    rpc_code code;
    const char *message;
} rpc_status;

#define RPC_SUCCESS ((rpc_status){.code = RPC_OK})

/* Returns from the enclosing function when `expression` fails.  The only macro
 * in Prbal that hides control flow. */
#define TRY(expression)                        \
    do {                                       \
        rpc_status try_status_ = (expression); \
        if (try_status_.code != RPC_OK)        \
            return try_status_;                \
    } while (0)

/* "NOT_FOUND" for 5; "UNKNOWN" for a number that is no code. */
const char *rpc_code_name(rpc_code code);

struct rpc_call;

/* The next functions format a message into the call's arena and return it with
 * its code, for `return rpc_fail(...)`.  Those with details also remember, in
 * the call, a google.rpc detail that travels in grpc-status-details-bin
 * together with exactly this status: a status replaced by another one takes
 * its details with it. */
rpc_status rpc_fail(struct rpc_call *call, rpc_code code, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

/* google.rpc.ErrorInfo; `reason` is UPPER_SNAKE and a literal, the domain is
 * the server's (rpc_server_options.error_domain). */
rpc_status rpc_fail_reason(struct rpc_call *call, rpc_code code,
                           const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* INVALID_ARGUMENT with one google.rpc.BadRequest field violation.  `field` is
 * the path in the request ("address.city"); "" speaks of the whole request. */
rpc_status rpc_fail_field(struct rpc_call *call, const char *field,
                          const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* google.rpc.RetryInfo: come back after `retry_ms`. */
rpc_status rpc_fail_retry(struct rpc_call *call, rpc_code code,
                          int64_t retry_ms, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Adds to the details of the status that was made last: several violations in
 * one answer, or a reason beside a violation. */
void rpc_add_field_violation(struct rpc_call *call, const char *field,
                             const char *description);
void rpc_add_reason(struct rpc_call *call, const char *reason);
void rpc_add_metadata(struct rpc_call *call, const char *key,
                      const char *value); /* into ErrorInfo.metadata */
void rpc_add_retry(struct rpc_call *call, int64_t retry_ms);

/* Any message as a detail, named by its type; a google.protobuf.Any is taken as
 * the message that it holds.  Encoded at once. */
void rpc_add_detail(struct rpc_call *call, const void *message);

#endif
