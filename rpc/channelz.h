#ifndef PRBAL_RPC_CHANNELZ_H
#define PRBAL_RPC_CHANNELZ_H

#include <stdint.h>

/* grpc.channelz.v1 (gRFC A14): what this server, its sockets and its
 * connections are doing.  For superusers and whoever runs the machine; there
 * only when rpc_server_options.admin_services asks for it. */

/* The next id of a server, socket or connection: positive, never used again.
 * From any thread. */
int64_t channelz_take_id(void);

#endif
