#ifndef PRBAL_RPC_DETAILS_H
#define PRBAL_RPC_DETAILS_H

#include "rpc/call.h"

#include <stddef.h>

/* What a status carries besides its code and sentence, collected in the call
 * and encoded as google.rpc.Status for grpc-status-details-bin. */

struct rpc_violation {
    struct rpc_violation *next;
    const char *field;
    const char *description;
};

struct rpc_detail_pair {
    struct rpc_detail_pair *next;
    const char *key;
    const char *value;
};

/* A detail of the application's own, encoded. */
struct rpc_detail_any {
    struct rpc_detail_any *next;
    const char *type_url;
    const uint8_t *bytes;
    size_t size;
};

/* One status that was made in this call; the newest first.  It is found again
 * by its message's address, so that details never travel with another one. */
struct rpc_details {
    struct rpc_details *next;
    rpc_status status;
    struct rpc_violation *violations; /* newest first */
    const char *reason;
    struct rpc_detail_pair *metadata; /* newest first */
    int64_t retry_ms;                 /* -1 = none */
    struct rpc_detail_any *others;    /* newest first; sent in order */
};

/* Larger details are not sent: all trailers must stay below the 8 KiB of
 * header list that clients commonly take, and base64 adds a third. */
enum { RPC_DETAILS_BYTES_MAX = 4096 };

/* In the call's arena; NULL, and size 0, when `status` has no details or they
 * are too large. */
const uint8_t *rpc_details_encode(struct rpc_call *call, rpc_status status,
                                  size_t *size);

/* The same for details outside a call. */
const uint8_t *rpc_details_pack(struct arena *arena,
                                const struct rpc_details *details,
                                const char *domain, size_t *size);

/* Milliseconds of the status's RetryInfo, or -1. */
int64_t rpc_details_retry_ms(const struct rpc_call *call, rpc_status status);

#endif
