#ifndef PRBAL_RPC_CHANNELZ_SOCKET_H
#define PRBAL_RPC_CHANNELZ_SOCKET_H

#include "grpc/channelz/v1/channelz.rpc.h"
#include "rpc/conn.h"

/* A connection, or a socket that is listened on (`conn` NULL), as channelz has
 * it.  On the connection's loop. */
Socket *channelz_conn(struct arena *arena, const struct conn *conn);
Socket *channelz_listener(struct arena *arena, int64_t id, int fd);

SocketRef *channelz_socket_ref(struct arena *arena, int64_t id,
                               const char *name);

/* A time of loop_now_us(); NULL for 0, which is never. */
Timestamp *channelz_time(struct arena *arena, int64_t monotonic_us);

#endif
