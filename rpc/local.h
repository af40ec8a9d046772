#ifndef PRBAL_RPC_LOCAL_H
#define PRBAL_RPC_LOCAL_H

#include "rpc/server.h"

#include <protobuf-c/protobuf-c.h>

/* Calls without a network, through all that a call from the network meets:
 * encoding, the header-time gate, decoding, validation, the handler on its
 * coroutine, and the way back.  Used by tests, by `prbald` subcommands and by
 * services that call each other in one process.
 *
 * These run the server's loop (rpc_server_start_here()) on the calling thread
 * until there is an answer, so they must not be called on a coroutine.  Only
 * rpc_local_open(), rpc_local_send(), rpc_local_close_send(), rpc_local_free()
 * and rpc_local_next() with a timeout of 0 may also be called in a post or
 * timer of a running loop; the call then lives on that loop. */

struct rpc_header {
    const char *name;
    const char *value;
};

struct rpc_reply {
    rpc_status status;
    ProtobufCMessage *message; /* NULL unless unary and OK */
    /* The google.rpc.Status of grpc-status-details-bin, encoded; size 0 when
     * there was none. */
    const uint8_t *details;
    size_t details_size;
    /* Response metadata; each ends with a row of NULLs. */
    const struct rpc_header *headers;
    const struct rpc_header *trailers;
};

/* `request` is a message of the method's request type.  The reply lives in
 * `arena`.  `headers` ends with a row of NULLs; NULL means none. */
struct rpc_reply rpc_local_call(struct rpc_server *server, struct arena *arena,
                                const char *path,
                                const struct rpc_header *headers,
                                const void *request);

/* A streaming call.  rpc_local_next() runs the loop until a message came, and
 * returns it in `arena`; NULL when the call has ended, with its status in
 * rpc_local_reply(), or when timeout_ms passed (rpc_local_is_open() tells). */
struct rpc_local;
struct rpc_local *rpc_local_open(struct rpc_server *server, const char *path,
                                 const struct rpc_header *headers);
/* With what grpc-timeout would say. */
struct rpc_local *rpc_local_open_with_timeout(struct rpc_server *server,
                                              const char *path,
                                              const struct rpc_header *headers,
                                              int64_t timeout_ms);
void rpc_local_send(struct rpc_local *local, const void *request);
void rpc_local_send_bytes(struct rpc_local *local, const void *bytes,
                          size_t size); /* one message, encoded by the caller */
void rpc_local_close_send(struct rpc_local *local);
ProtobufCMessage *rpc_local_next(struct rpc_local *local, struct arena *arena,
                                 int64_t timeout_ms);
/* Bytes of messages that rpc_local_next() has not taken. */
size_t rpc_local_queued(const struct rpc_local *local);
bool rpc_local_is_open(const struct rpc_local *local);
struct rpc_reply rpc_local_reply(struct rpc_local *local);
void rpc_local_cancel(struct rpc_local *local);
void rpc_local_free(struct rpc_local *local); /* cancels; accepts NULL */

#endif
