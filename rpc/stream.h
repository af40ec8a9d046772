#ifndef PRBAL_RPC_STREAM_H
#define PRBAL_RPC_STREAM_H

#include "rpc/call.h"

/* Messages of a streaming call.  `in` and `out` live as long as the call. */

/* Suspends until a message came, and points *message at it, decoded and
 * validated.  It lives until the next rpc_recv() of this stream: a long stream
 * must not fill the call's arena, so what is kept is copied (codec_copy()).
 * NULL when the client has half-closed.
 *
 *     const ChatFrame *frame;
 *     TRY(rpc_recv(in, &frame)); */
rpc_status rpc_recv(struct rpc_in *in, void *message);

/* The same, and NULL also when draining begins before a message comes;
 * rpc_is_draining() then says so.  What came before that is still received, so
 * a handler that goes on until NULL leaves none of it.
 *
 *     TRY(rpc_recv_or_drain(in, &frame));
 *     if (frame == NULL && rpc_is_draining(call))
 *         return rpc_fail_reason(call, RPC_UNAVAILABLE, ...); */
rpc_status rpc_recv_or_drain(struct rpc_in *in, void *message);

/* Encodes and queues a message of the method's response type.  Suspends while
 * more than RPC_OUT_BYTES_MAX wait for the client's window. */
enum { RPC_OUT_BYTES_MAX = 256 * 1024 };
rpc_status rpc_send(struct rpc_out *out, const void *message);

/* The same for a message that is encoded already.  Copied. */
rpc_status rpc_send_bytes(struct rpc_out *out, const void *bytes, size_t size);

/* Sends the response headers now, before the first message. */
rpc_status rpc_send_headers(struct rpc_out *out);

/* An idle stream without a coroutine.
 *
 * A handler that has caught up hands its stream to someone who will write to
 * it later: rpc_detach() makes a struct rpc_tail of the call's output, and the
 * handler returns RPC_SUCCESS; the call then stays open on the wire with its
 * coroutine, stack, arena and db gone.  Use on the stream's own loop only. */
struct rpc_tail;

struct rpc_tail_hooks {
    /* The stream is over (client gone, cancelled, deadline, rpc_tail_end() of
     * the server's drain).  The tail is freed when this returns; forget it. */
    void (*closed)(struct rpc_tail *tail, void *owner);
    /* The server drains, or the connection is to end: say goodbye and call
     * rpc_tail_end().  May be NULL. */
    void (*drain)(struct rpc_tail *tail, void *owner);
};

struct rpc_tail *rpc_detach(struct rpc_out *out,
                            const struct rpc_tail_hooks *hooks, void *owner);

/* Queues one encoded message (without the 5-byte prefix; copied).  False, and
 * nothing is queued, when more than RPC_TAIL_BYTES_MAX would wait: the reader
 * is slow, and the owner decides (end it with ABORTED, so that it resumes). */
enum { RPC_TAIL_BYTES_MAX = 64 * 1024 };
bool rpc_tail_send(struct rpc_tail *tail, const void *bytes, size_t size);

/* Bytes that wait for the client's window. */
size_t rpc_tail_queued(const struct rpc_tail *tail);

/* Sends trailers with this status and forgets the tail (`closed` is not
 * called). */
void rpc_tail_end(struct rpc_tail *tail, rpc_code code, const char *message);

/* The same with a google.rpc.ErrorInfo: `reason` is UPPER_SNAKE, as in
 * rpc_fail_reason(). */
void rpc_tail_end_reason(struct rpc_tail *tail, rpc_code code,
                         const char *reason, const char *message);

#endif
