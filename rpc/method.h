#ifndef PRBAL_RPC_METHOD_H
#define PRBAL_RPC_METHOD_H

#include "rpc/status.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The method table: written by protoc-gen-prbal from the .proto files, one
 * row a method.  Nothing in the runtime is told of a method in any other way.
 */

struct rpc_in;
struct rpc_out;
struct rpc_rules;
struct json_message;

typedef enum {
    RPC_UNARY,
    RPC_SERVER_STREAM,
    RPC_CLIENT_STREAM,
    RPC_BIDI_STREAM,
} rpc_kind;

/* Who may call: a bit per value of prbal.Role (proto/prbal/options.proto).  A
 * call passes when `access & caller.roles` is not zero, or when a bit below is
 * set.  No bit at all is refused by the generator: default deny. */
enum {
    RPC_ACCESS_OPEN = 1u << 1,   /* the token is not even read */
    RPC_ACCESS_PUBLIC = 1u << 2, /* no token is needed; a bad one is refused */
    /* Signed in, with nothing verified yet.  A caller who is only this is told
     * to verify, where another role is asked for. */
    RPC_ACCESS_PENDING = 1u << 3,
    /* Whoever runs the machine.  No token says so: the connection does
     * (RPC_LISTEN_OPERATOR). */
    RPC_ACCESS_OPERATOR = 1u << 11,
};

struct rpc_method {
    const char *path; /* "/prbal.v1.BidService/AcceptBid" */
    rpc_kind kind;
    uint32_t access;
    uint32_t limit_per_minute; /* by caller, else by address; 0 = no bucket */
    uint32_t limit_burst;
    uint32_t deadline_default_ms; /* when the client names none; 0 = none */
    uint32_t deadline_max_ms;     /* a longer one is cut; 0 = any */
    uint32_t request_bytes_max;   /* one message, inflated; 0 = the server's */
    bool has_no_side_effects;     /* idempotency_level: HTTP GET may call it */
    bool is_fresh;      /* and no answer of it may be older than the question */
    bool is_idempotent; /* the hook `once` runs it */
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    const struct rpc_rules *rules; /* of the request; NULL = none */

    /* One of these, by `kind`. */
    rpc_status (*unary)(struct rpc_call *call, const void *req, void *res);
    rpc_status (*server_stream)(struct rpc_call *call, const void *req,
                                struct rpc_out *out);
    rpc_status (*client_stream)(struct rpc_call *call, struct rpc_in *in,
                                void *res);
    rpc_status (*bidi)(struct rpc_call *call, struct rpc_in *in,
                       struct rpc_out *out);
};

struct rpc_service {
    const char *name; /* "prbal.v1.BidService" */
    const struct rpc_method *methods;
    size_t method_count;
};

/* Everything the build knew: made by the generator as `prbal_registry`, and
 * for the test service as `test_registry`. */
struct rpc_registry {
    const struct rpc_service *const *services;
    size_t service_count;
    /* A serialized google.protobuf.FileDescriptorSet with all imports, for
     * reflection. */
    const uint8_t *descriptors;
    size_t descriptors_bytes;
    /* The messages of these files, as JSON has them (rpc/json.h). */
    const struct json_message *const *messages;
    size_t message_count;
};

#endif
