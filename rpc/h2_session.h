#ifndef PRBAL_RPC_H2_SESSION_H
#define PRBAL_RPC_H2_SESSION_H

#include "rpc/pool.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>

/* What nghttp2's sessions have in common, whether of a server (rpc/h2.c) or of
 * a channel (rpc/channel_h2.c). */

/* nghttp2 fails by memory, which ends the process, or because a stream or the
 * session is going, which its close callback will tell. */
static inline void h2_check(int outcome)
{
    if (outcome == NGHTTP2_ERR_NOMEM)
        abort();
}

/* The pool as nghttp2's memory; it outlives the sessions. */
nghttp2_mem h2_memory(struct pool *pool);

/* For nghttp2_option_del().  `continuations` are the most frames that one
 * header block may have behind its first. */
nghttp2_option *h2_option_create(size_t continuations);

#endif
