#ifndef PRBAL_RPC_ACCEPT_H
#define PRBAL_RPC_ACCEPT_H

#include "rpc/net.h"

#include <stdint.h>
#include <uv.h>

/* A socket that takes connections, between rpc_server_listen() and the server's
 * end.  Its descriptor belongs to rpc/inherited.h. */
struct listener {
    struct listener *next;
    struct rpc_net_server *net;
    uv_poll_t poll;
    int64_t id; /* of channelz */
    int fd;
    rpc_listen_mode mode;
    char *unix_path; /* NULL for TCP */
};

/* Once for a server, before anything else here. */
void accept_init(struct rpc_net_server *net);

/* On the first worker's loop: accepts for all workers. */
void accept_start(struct rpc_net_worker *net);

/* Closes the sockets at once, so that a balancer's next try goes elsewhere.  On
 * the loop of any worker; of others than the first it does nothing. */
void accept_stop(struct rpc_net_worker *net);

#endif
