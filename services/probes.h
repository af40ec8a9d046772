#ifndef PRBAL_SERVICES_PROBES_H
#define PRBAL_SERVICES_PROBES_H

#include "rpc/edge.h"
#include "rpc/server.h"

/* What the HTTP/1.1 listener answers:
 *
 *   /healthz                 200 while the process runs
 *   /readyz                  200 while it can serve, else 503
 *   /metrics                 Prometheus
 *   /.well-known/jwks.json   the keys that access tokens are checked with */
struct edge *probes_start(const char *address, struct rpc_server *server,
                          char *error, size_t error_size);

#endif
