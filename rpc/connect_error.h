#ifndef PRBAL_RPC_CONNECT_ERROR_H
#define PRBAL_RPC_CONNECT_ERROR_H

#include "rpc/json.h"
#include "rpc/transport.h"

/* How Connect says that a call has failed
 * (https://connectrpc.com/docs/protocol, "Error codes").  Texts are the
 * arena's or literals. */

/* "not_found". */
const char *connect_code_name(rpc_code code);

/* "404": of a unary call's response. */
const char *connect_http_status(rpc_code code);

/* {"code":...,"message":...,"details":[...]}: the body of a failed unary call.
 * Details come from answer->details; those of a type in `types` (NULL = none)
 * are readable in "debug" too. */
char *connect_error_json(struct arena *arena, const struct json_types *types,
                         const struct rpc_answer *answer, size_t *size);

/* {"error":...,"metadata":...}: the last envelope of a stream, with
 * answer->trailers. */
char *connect_end_json(struct arena *arena, const struct json_types *types,
                       const struct rpc_answer *answer, size_t *size);

#endif
