#ifndef PRBAL_RPC_PLAIN_H
#define PRBAL_RPC_PLAIN_H

#include "rpc/http.h"

/* Requests that are no call: an HTTP status, and a sentence for the person who
 * sent it. */
typedef enum {
    PLAIN_PREFLIGHT, /* no refusal: the browser asks whether a page may call */
    PLAIN_TOO_LARGE,
    PLAIN_NOT_POST, /* of gRPC */
    PLAIN_NO_TRAILERS,
    PLAIN_FOREIGN_PAGE,
    PLAIN_UNKNOWN_TYPE,
    PLAIN_FOREIGN_CHARSET,
    PLAIN_IS_STREAM, /* the content type is for unary methods */
    PLAIN_IS_UNARY,
    PLAIN_NO_METHOD,
    PLAIN_ONLY_POST,
    PLAIN_ONLY_GET_AND_POST,
    PLAIN_REASONS,
} plain_reason;

const struct http_wire *plain_wire(plain_reason reason);

#endif
